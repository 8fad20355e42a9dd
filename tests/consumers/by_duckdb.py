"""Reads the corpus and what is beside it with DuckDB: Parquet, JSON, CSV, JSON lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import reading

_TEXTS = ("input", "response", "rejected_response", "source", "type")


def _query(source: str, path: Path) -> list[dict[str, Any]]:
    found = duckdb.execute(f"SELECT * FROM {source}", [str(path)])
    names = [each[0] for each in found.description]
    return [dict(zip(names, values, strict=True)) for values in found.fetchall()]


def _corpus(folder: Path) -> reading.Files:
    """Read all three files of the corpus; they must say the same."""
    path = folder / "merged_mental_health_dataset"
    rows = _rows(_query("read_parquet(?)", path.with_suffix(".parquet") / "*.parquet"))
    csv = "read_csv(?, all_varchar=true, max_line_size=100000000)"
    assert _rows(_query(csv, path.with_suffix(".csv"))) == rows
    assert _rows(_query("read_json(?)", path.with_suffix(".json"))) == rows
    return {"": rows}


def _rows(values: list[dict[str, Any]]) -> list[reading.Row]:
    return [{"columns": [[key, value[key] or ""] for key in _TEXTS]} for value in values]


def _lines(folder: Path) -> reading.Files:
    source = "read_json(?, format='newline_delimited', sample_size=-1)"
    return {
        name: [reading.row(value) for value in _query(source, folder / name)]
        for name in reading.files_in(folder)
    }


if __name__ == "__main__":
    reading.read_all({"*": _lines, "corpus": _corpus})

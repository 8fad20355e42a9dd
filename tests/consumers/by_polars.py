"""Reads the corpus and what is beside it with Polars: Parquet, JSON, CSV, JSON lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import reading

_TEXTS = ("input", "response", "rejected_response", "source", "type")


def _corpus(folder: Path) -> reading.Files:
    """Read all three files of the corpus; they must say the same."""
    name = "merged_mental_health_dataset"
    rows = _rows(pl.read_parquet(folder / f"{name}.parquet" / "*.parquet"))
    # Polars takes an empty quoted cell for a missing value unless it is told.
    csv = pl.read_csv(folder / f"{name}.csv", infer_schema=False, missing_utf8_is_empty_string=True)
    assert _rows(csv) == rows
    assert _rows(pl.read_json(folder / f"{name}.json", infer_schema_length=None)) == rows
    return {"": rows}


def _rows(table: pl.DataFrame) -> list[reading.Row]:
    return [reading.columns(value, _TEXTS) for value in table.to_dicts()]


def _lines(folder: Path) -> reading.Files:
    return {
        name: [reading.row(_given(value)) for value in _table(folder / name).to_dicts()]
        for name in reading.files_in(folder)
    }


def _table(path: Path) -> pl.DataFrame:
    return pl.read_ndjson(path, infer_schema_length=None)


def _given(value: dict[str, Any]) -> dict[str, Any]:
    return {key: each for key, each in value.items() if each is not None}


if __name__ == "__main__":
    reading.read_all({"*": _lines, "corpus": _corpus})

"""Sources of a test's own in any layout: files, entries, and what a merge makes of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mindcorpus.conversations import Turn
from mindcorpus.corpus.turns import turns_of
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.merge import MergeResult, merge
from mindcorpus.settings import Settings

_LICENCE = '[source.licence]\nid = "CC0-1.0"\nterms = "None."\ncommercial = "yes"\n'


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], schema: Any = None) -> None:
    """Write rows as the file's ending says; CSV has every value that is no text as JSON text."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist([*rows], schema), path)
    elif path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    elif path.suffix == ".json":
        path.write_text(json.dumps([*rows], ensure_ascii=False), "utf-8")
    else:
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        path.write_text("".join(lines), "utf-8")


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def entry(name: str, file: str, mapping: str = "") -> str:
    """Write an entry of a file beside the catalogue; `mapping` are its keys and options."""
    keys, _, options = mapping.partition("[source.options]")
    table = f"[source.options]{options}\n" if options else ""
    return (
        f'[[source]]\nname = "{name}"\npath = "."\ntype = "own"\n{keys}\n'
        f'[[source.files]]\npath = "{file}"\n{table}{_LICENCE}'
    )


def merge_entries(folder: Path, *entries: str, workers: int = 1) -> MergeResult:
    """Merge the sources of these entries, whose files lie in a folder."""
    catalog = folder / "own.toml"
    catalog.write_text("\n".join(entries), "utf-8")
    names = tuple(each.split('name = "')[1].partition('"')[0] for each in entries)
    asked = MergeRequest(sources=names, catalogs=(str(catalog),), force=True)
    return merge(asked, Settings(data_dir=folder / "out", workers=workers))


def records(result: MergeResult) -> list[dict[str, Any]]:
    """Read the records of the Parquet corpus."""
    rows: list[dict[str, Any]] = pq.read_table(result.parquet_path).to_pylist()
    return rows


def turns(result: MergeResult) -> list[tuple[Turn, ...]]:
    """Read the turns of the Parquet corpus: those that it has, or those that its texts are."""
    table = pq.read_table(result.parquet_path)
    texts = zip(*(table[name].to_pylist() for name in ("input", "response")), strict=True)
    return [
        whole or (Turn("user", input_), Turn("assistant", response))
        for whole, (input_, response) in zip(turns_of(table["messages"]), texts, strict=True)
    ]

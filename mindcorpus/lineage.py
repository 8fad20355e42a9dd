"""Lineage: for every row that was read, where it came from and what became of it.

A dropped row has a reason and evidence (a place or a count, never its text); a duplicate names
the corpus row that was kept; a kept row has its place in the corpus, its keys and its lengths.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mindcorpus.hashing import HashedFile, Written

_WORD = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("source", _WORD),
        ("type", _WORD),
        ("file", _WORD),
        ("revision", _WORD),
        ("licence", _WORD),
        ("row", pa.int64()),
        ("item", pa.int32()),
        ("status", _WORD),
        ("corpus_row", pa.int64()),
        ("reason", _WORD),
        ("evidence", pa.string()),
        ("changed", _WORD),
        ("input_key", pa.binary(16)),
        ("input_chars", pa.int32()),
        ("response_chars", pa.int32()),
        ("input_words", pa.int32()),
        ("response_words", pa.int32()),
        # The bytes a text takes as JSON and as a CSV cell: a format's writers know by them where
        # each of their records begins, before any is written.
        ("input_json", pa.int32()),
        ("response_json", pa.int32()),
        ("input_csv", pa.int32()),
        ("response_csv", pa.int32()),
        ("tags", _WORD),
    ]
)


@dataclass(frozen=True)
class PartOrigin:
    """A part's index, and what is true of all its rows."""

    index: Path
    kept: int
    source: str
    type: str
    file: str
    revision: str
    licence: str
    first_row: int
    """How many rows of the same file stand before it."""


@dataclass(frozen=True)
class LineageJob:
    """All parts in order, the twins of their records (a .npy file) and where to write."""

    parts: tuple[PartOrigin, ...]
    twins: Path
    target: Path


def corpus_rows(twins: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Give the corpus row of each record that stays; those of others mean nothing. Shape (n,)."""
    rows: np.ndarray[Any, np.dtype[np.int64]] = np.cumsum(twins < 0, dtype=np.int64) - 1
    return rows


def write_lineage(job: LineageJob, tick: Callable[[int, int], None]) -> Written:
    """Write the lineage file from the parts' indexes."""
    twins = np.load(job.twins)
    places = corpus_rows(twins)
    first = 0
    with (
        HashedFile(job.target) as file,
        pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer,
    ):
        for part in job.parts:
            for batch in _batches(part.index):
                rows, first = _lineage(part, batch, twins, places, first)
                writer.write_table(rows)
                file.rows += rows.num_rows
                tick(rows.num_rows, 0)
    return file.written


def _batches(index: Path) -> Sequence[Any]:
    parquet = pq.ParquetFile(index)
    return [
        parquet.read_row_group(group, use_threads=False) for group in range(parquet.num_row_groups)
    ]


def _lineage(part: PartOrigin, batch: Any, twins: Any, places: Any, first: int) -> tuple[Any, int]:
    count = batch.num_rows
    dropped = batch.column("reason").is_valid().to_numpy()
    records = np.flatnonzero(~dropped)
    last = first + len(records)
    twin = twins[first:last]
    stays = twin < 0

    status = np.full(count, "dropped", dtype=object)
    status[records] = np.where(stays, "kept", "duplicate")
    reasons = np.array(batch.column("reason").to_pylist(), dtype=object)
    reasons[records[~stays]] = "duplicate"
    evidence = np.array(batch.column("evidence").to_pylist(), dtype=object)
    evidence[records[~stays]] = [f"the same as corpus row {row}" for row in places[twin[~stays]]]
    place = np.zeros(count, np.int64)
    place[records[stays]] = places[first:last][stays]
    nowhere = np.ones(count, bool)
    nowhere[records[stays]] = False

    same = {
        "source": part.source,
        "type": part.type,
        "file": part.file,
        "revision": part.revision,
        "licence": part.licence,
    }
    made = {
        "row": pa.array(np.asarray(batch.column("row")) + part.first_row),
        "status": pa.array(status, pa.string()),
        "corpus_row": pa.array(place, mask=nowhere),
        "reason": pa.array(reasons, pa.string()),
        "evidence": pa.array(evidence, pa.string()),
    }
    columns = []
    for field in SCHEMA:
        if field.name in same:
            column = pa.repeat(pa.scalar(same[field.name]), count)
        else:
            column = made.get(field.name)
            if column is None:
                column = batch.column(field.name).combine_chunks()
        columns.append(column.dictionary_encode() if field.type == _WORD else column)
    return pa.Table.from_arrays(columns, schema=SCHEMA), last

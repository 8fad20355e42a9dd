"""A part to its place in the corpus: Parquet of its own, regions of the merged JSON and CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from mindcorpus.arrow import flags, lists, repeated
from mindcorpus.corpus import turns
from mindcorpus.corpus.encoding import JSON_FIRST, JSON_NEXT, Frame
from mindcorpus.corpus.row_batch import RowBatch, batches_of
from mindcorpus.progress import Tick
from mindcorpus.storage.files import HashedFile, Region, Written

#: The corpus in Parquet: the columns of `records.COLUMNS`, and what stands beside them.
SCHEMA = pa.schema(
    [
        pa.field("input", pa.string(), nullable=False),
        pa.field("response", pa.string(), nullable=False),
        pa.field("rejected_response", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("type", pa.string(), nullable=False),
        pa.field(
            "tags", pa.list_(pa.field("element", pa.string(), nullable=False)), nullable=False
        ),
        *turns.FIELDS,
    ]
)
_TEXTS = SCHEMA.names[:3]
# Text in a row group of Parquet, the unit in which others read it.
_GROUP_BYTES = 4 * 1024 * 1024


Also = Callable[[RowBatch], object]
"""Takes the next rows of the corpus."""


@dataclass(frozen=True)
class WriteJob:
    """A part's records, which of them stay, and where they go."""

    records: Path
    stays: bytes | None
    """One byte a record: 1 stays, 0 is a duplicate; None: all stay."""
    rows: int
    """How many stay."""
    source: str
    type: str
    first: bool
    """Whether the corpus begins with this part."""
    parquet: Path
    json: Region
    csv: Region
    keep: bool
    """Whether the part stays, for the next merge."""


def write_part(job: WriteJob, tick: Tick, also: Also | None = None) -> Written:
    """Write a part's records into all files of the corpus; gives the Parquet file.

    `also` hears of all rows, batch by batch, with the columns of the corpus' Parquet.
    """
    frame = Frame(job.source, job.type)
    before = JSON_FIRST if job.first else JSON_NEXT
    with (
        HashedFile(job.parquet) as parquet_file,
        _open_parquet(parquet_file) as parquet,
        job.json.open() as json_file,
        job.csv.open() as csv_file,
    ):
        for table, tags in _groups(job):
            parquet.write_table(table, row_group_size=table.num_rows)
            first = 0
            for rows in batches_of(table.combine_chunks(), SCHEMA.names):
                ends = tags[first : first + rows.num_rows]
                first += rows.num_rows
                json_file.write(frame.json_records(before, [*map(rows.json, _TEXTS)], ends))
                before = JSON_NEXT
                size = csv_file.write(frame.csv_records([*map(rows.csv, _TEXTS)], ends))
                parquet_file.rows += rows.num_rows
                tick(rows.num_rows, size)
                if also is not None:
                    also(rows)
                del rows  # before the next ones are encoded
            del table
    if not job.keep:
        # Its memory in the page cache serves the next one; on the disk nobody will have seen it.
        job.records.unlink()
    return parquet_file.written


def _groups(job: WriteJob) -> Iterator[tuple[Any, Sequence[str]]]:
    """Give the rows that stay in tables of a row group each, and the tags of each row as JSON."""
    group: list[Any] = []
    tags: list[str] = []
    for batch in _batches(job.records, job.stays):
        mine = batch.column("tags").to_pylist()
        group.append(_batch(batch, mine, job))
        tags += mine
        if sum(rows.nbytes for rows in group) >= _GROUP_BYTES:
            yield pa.Table.from_batches(group), tags
            group, tags = [], []
    if group:
        yield pa.Table.from_batches(group), tags


def _batches(records: Path, stays: bytes | None) -> Iterator[Any]:
    first = 0
    with pa.OSFile(str(records)) as file, pa.ipc.open_stream(file) as stream:
        for batch in stream:
            rows = slice(first, first + batch.num_rows)
            first += batch.num_rows
            if stays is None or 0 not in stays[rows]:
                yield batch
            elif 1 in stays[rows]:
                yield batch.filter(flags(np.frombuffer(stays[rows], np.uint8)))


def _open_parquet(file: HashedFile) -> Any:
    return pq.ParquetWriter(
        file,
        SCHEMA,
        compression="snappy",
        # Texts do not repeat; a dictionary of them would only cost.
        use_dictionary=[
            *("source", "type", "tags.list.element"),
            *(f"{name}.list.element.role" for name in ("messages", "rejected_messages")),
        ],
        write_statistics=False,
    )


def _batch(batch: Any, tags: Sequence[str], job: WriteJob) -> Any:
    known = {text: orjson.loads(text) for text in set(tags)}
    rows = batch.num_rows
    return pa.RecordBatch.from_arrays(
        [
            *(batch.column(at) for at in range(3)),
            repeated(job.source, rows),
            repeated(job.type, rows),
            lists([known[text] for text in tags], SCHEMA.field("tags").type),
            *(batch.column(name) for name in turns.NAMES),
        ],
        schema=SCHEMA,
    )

"""A part to its place in the corpus: Parquet of its own, regions of the merged JSON and CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
# Text in a row group of Parquet, the unit in which others read it.
_GROUP_BYTES = 4 * 1024 * 1024
# Records that are Python objects at one time, at the most: a batch of short ones has many.
_AT_ONCE = 4000


@dataclass(frozen=True)
class WriteJob:
    """A part's records, which of them stay, and where they go."""

    records: Path
    stays: bytes | None
    """One byte a record: 1 stays, 0 is a duplicate; None: all stay."""
    source: str
    type: str
    first: bool
    """Whether the corpus begins with this part."""
    parquet: Path
    json: Region
    csv: Region
    keep: bool
    """Whether the part stays, for the next merge."""


def write_part(job: WriteJob, tick: Tick) -> Written:
    """Write a part's records into all files of the corpus; gives the Parquet file."""
    frame = Frame(job.source, job.type)
    before = JSON_FIRST if job.first else JSON_NEXT
    with (
        HashedFile(job.parquet) as parquet_file,
        _open_parquet(parquet_file) as parquet,
        job.json.open() as json_file,
        job.csv.open() as csv_file,
    ):
        group: list[Any] = []
        for batch in _batches(job.records, job.stays):
            tags = batch.column("tags").to_pylist()
            group.append(_batch(batch, tags, job))
            if sum(rows.nbytes for rows in group) >= _GROUP_BYTES:
                _flush(group, parquet)
            size = 0
            for at in range(0, batch.num_rows, _AT_ONCE):
                texts = [batch.column(column).slice(at, _AT_ONCE) for column in range(3)]
                mine = tags[at : at + _AT_ONCE]
                values = [column.to_pylist() for column in texts]
                json_file.write(before)
                json_file.write(frame.json_records(values, mine))
                before = JSON_NEXT
                values = [column.cast(pa.binary()).to_pylist() for column in texts]
                size += csv_file.write(frame.csv_records(values, mine))
            parquet_file.rows += batch.num_rows
            tick(batch.num_rows, size)
        _flush(group, parquet)
    if not job.keep:
        # Its memory in the page cache serves the next one; on the disk nobody will have seen it.
        job.records.unlink()
    return parquet_file.written


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


def _flush(group: list[Any], parquet: Any) -> None:
    if group:
        table = pa.Table.from_batches(group)
        parquet.write_table(table, row_group_size=table.num_rows)
        group.clear()


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

"""A shard to a part: the rows it keeps, and an index of all the rows it read.

This is the one place where raw rows are read. It runs in a worker process, knows nothing of
other shards, and gives the same bytes wherever and however often it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from mindcorpus.limits import BATCH_BYTES
from mindcorpus.merging.part_index import INDEX, index_schema, lines_table, open_index
from mindcorpus.merging.part_records import COMPRESSED, RECORDS, RecordsWriter
from mindcorpus.merging.plain_lines import batch_of, plain_size
from mindcorpus.merging.row_lines import Lines
from mindcorpus.sources.adapters import Adapter, Kept
from mindcorpus.sources.budgets import Budget, Meter
from mindcorpus.sources.readers import Drop, Shard, read_rows
from mindcorpus.stages.base import RecordStage

_INDEX_ROWS = 10_000
#: Fewer rows are looked at one by one: a batch of them would take longer.
_FEW = 16


@dataclass(frozen=True)
class PartJob:
    """A shard, how to adapt it, and the path (without ending) of the part it becomes."""

    shard: Shard
    source: str
    type: str
    tags: tuple[str, ...]
    adapter: Adapter
    stages: tuple[RecordStage, ...]
    """In the order in which they look at each record."""
    budget: Budget
    target: Path
    layout: str = ""
    """The layout of its file as JSON text, where it was seen and not said; else ""."""


class Dropped(NamedTuple):
    """Rows that gave no record for one reason."""

    first: Drop
    rows: int


@dataclass(frozen=True)
class Part:
    """A part on disk: an index line for each of `rows_read` rows, of which `kept` are records."""

    rows: int
    """Raw rows of the shard; where the next shard of the file starts to count."""
    rows_read: int
    kept: int
    conversations: int
    """How many of the records have more than their flat texts."""
    pairs: int
    """How many have more than what a format without a rejected side holds."""
    index: Path
    """Parquet with the columns of `part_index.INDEX`."""
    records: Path
    """Arrow stream with the columns of `part_records.RECORDS`."""
    dropped: tuple[Dropped, ...]
    """The rows that gave no record, by reason, in the order of the first row of each."""
    spent: int
    """Bytes that count against the budgets of its file and of the merge."""
    layout: str = ""
    """As in its job."""


def build_part(job: PartJob, tick: Callable[[int, int], None]) -> Part:
    """Read a shard and write its part. Raises `DataError` where the file cannot be read on."""
    rows = 0
    meter = Meter(job.budget, job.shard.file)

    def count(new: int, size: int) -> None:
        nonlocal rows
        rows += new
        tick(new, size)

    schema = index_schema(job.stages)
    index_path = job.target.with_suffix(".index.parquet")
    records_path = job.target.with_suffix(".arrow")
    with (
        open_index(index_path, schema) as index_file,
        pa.OSFile(str(records_path), "wb") as records_file,
        pa.ipc.new_stream(records_file, RECORDS, options=COMPRESSED) as records_stream,
    ):
        gathered = _Gathered(job, schema, RecordsWriter(records_stream, meter), index_file)
        for outcome in job.adapter(read_rows(job.shard, count, meter)):
            gathered.add(outcome)
        gathered.finish()
    if not job.adapter.whole_file:
        assert gathered.rows_read == rows, "a row was read that nobody accounts for"
    return Part(
        rows,
        gathered.rows_read,
        gathered.kept,
        gathered.conversations,
        gathered.pairs,
        index_path,
        records_path,
        tuple(Dropped(*each) for each in gathered.dropped.values()),
        meter.spent,
        job.layout,
    )


class _Gathered:
    """Outcomes on their way to disk."""

    def __init__(self, job: PartJob, schema: Any, records: RecordsWriter, index_file: Any) -> None:
        self._schema = schema
        self._lines = Lines(
            job.source, job.type, job.tags, job.stages, facts=len(schema) - len(INDEX)
        )
        # Stages look at one record at a time.
        self._at_once = not job.stages
        self._waiting: list[Kept | Drop] = []
        self._characters = 0
        self._records = records
        self._index_file = index_file
        self._index: list[tuple[Any, ...]] = []
        self._tables: list[Any] = []
        self._in_tables = 0
        self.rows_read = 0
        self.kept = 0
        self.conversations = 0
        self.pairs = 0
        self.dropped: dict[str, tuple[Drop, int]] = {}

    def add(self, outcome: Kept | Drop) -> None:
        """Take what became of one row."""
        self.rows_read += 1
        size = plain_size(outcome) if self._at_once else None
        if size is not None:
            self._waiting.append(outcome)
            self._characters += size
        else:
            self._settle()
            self._take(outcome)
        lines = self._in_tables + len(self._index) + len(self._waiting)
        if lines >= _INDEX_ROWS or self._characters >= BATCH_BYTES:
            self._settle()
            if lines >= _INDEX_ROWS:
                self._flush_index()

    def finish(self) -> None:
        """Write what is left."""
        self._settle()
        self._flush_index()
        self._records.flush()

    def _settle(self) -> None:
        """Take the outcomes that wait, all at once where they are many."""
        waiting, self._waiting, self._characters = self._waiting, [], 0
        if len(waiting) < _FEW:
            for outcome in waiting:
                self._take(outcome)
            return
        batch = batch_of(waiting, self._lines, self._schema)
        self._put_into_table()
        self._tables.append(batch.index)
        self._in_tables += len(waiting)
        self._records.add_all(batch.records, batch.sizes)
        self.kept += len(batch.sizes)
        for drop in batch.dropped:
            self._count(drop)

    def _take(self, outcome: Kept | Drop) -> None:
        """Take one outcome by itself."""
        line = self._lines.of(outcome) if isinstance(outcome, Kept) else outcome
        if isinstance(line, Drop):
            self._count(line)
            number, reason, evidence, item = line
            self._index.append((number, item, reason, evidence, *(None,) * (len(self._schema) - 4)))
            return
        self._index.append(line.values)
        self._records.add(line)
        self.kept += 1
        self.conversations += line.beside[0] is not None
        self.pairs += line.is_pair

    def _count(self, drop: Drop) -> None:
        first, rows = self.dropped.get(drop.reason, (drop, 0))
        self.dropped[drop.reason] = first, rows + 1

    def _put_into_table(self) -> None:
        """Make a table of the lines that came one by one."""
        if self._index:
            self._tables.append(lines_table(self._index, self._schema))
            self._in_tables += len(self._index)
            self._index.clear()

    def _flush_index(self) -> None:
        """Write the lines that are gathered: a row group."""
        self._put_into_table()
        if self._tables:
            self._index_file.write_table(pa.concat_tables(self._tables))
            self._tables.clear()
            self._in_tables = 0

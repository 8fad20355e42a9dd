"""One pass over some parts of the corpus, into every format that is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from mindcorpus.arrow import coded, flags, numbers
from mindcorpus.corpus import turns
from mindcorpus.corpus.parquet import ParquetFile
from mindcorpus.corpus.row_batch import WEIGHED, RowBatch, batches_of
from mindcorpus.corpus.row_facts import RowFacts
from mindcorpus.formats.base import PARTS, PLACES, Parts, Run, Target, Times
from mindcorpus.preparing.cutting import Cut, WasCut, cut_table
from mindcorpus.preparing.part_lengths import PartLengths
from mindcorpus.records import COLUMNS

# What one task writes, by the size of its texts. It decides the Arrow files, of which
# `datasets` reads any number.
_RUN_BYTES = 32 * 1024 * 1024
# The bytes of a row's texts: as CSV cells, and what stands beside them as JSON.
_TEXTS = ("input_csv", "response_csv", "rejected_json", "turns_json", "tools_json")


@dataclass(frozen=True)
class Part:
    """What one target of a run gets: how often each row, and which columns of the corpus."""

    target: Target
    choice: int
    """Index into the choices of the job."""
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Pick:
    """What one selection takes of a run's rows, as .npy files with one value a corpus row."""

    times: Path
    """How often each row is taken."""
    over: Path | None = None
    """Which of them have too many tokens, and are cut."""
    cut: Cut | None = None


@dataclass(frozen=True)
class RunJob:
    """A run, the .npy files that tell of its rows, and where they go."""

    run: Run
    parts: Path
    """The part of the split of each row, shape (rows,)."""
    choices: tuple[Pick, ...]
    """One for each selection there is."""
    targets: tuple[Part, ...]
    conversations: bool = True
    """Whether the run has any; if not, no columns of turns are read."""


def plan_runs(parts: Sequence[tuple[Path, int]], facts: RowFacts) -> list[Run]:
    """Cut the corpus' parts, each with so many rows, into runs of like size.

    What a part weighs are its rows' texts, which is known before it is written.
    """
    runs: list[Run] = []
    group: list[Path] = []
    held = start = rows = 0
    for path, count in parts:
        mine = slice(rows, rows + count)
        size = int(sum(int(getattr(facts, name)[mine].sum()) for name in _TEXTS))
        if group and held + size > _RUN_BYTES:
            runs.append(Run(tuple(group), start, rows, held))
            group, held, start = [], 0, rows
        group.append(path)
        held += size
        rows += count
    runs.append(Run(tuple(group), start, rows, held))
    return runs


class Cuts:
    """How many conversations were cut, by source, and how long they are now."""

    def __init__(self) -> None:
        self.records: Counter[str] = Counter()
        self.lengths = PartLengths()

    def add(self, found: Sequence[WasCut], times: Times, parts: Parts) -> None:
        """Add records of a table; arrays say how often each row is taken, and its part."""
        for each in found:
            self.records[each.source] += 1
            lengths = self.lengths.by_part[PARTS[parts[each.row]]]
            lengths.add(each.source, [each.tokens] * int(times[each.row]))

    def update(self, other: Cuts) -> None:
        """Add those of another run."""
        self.records.update(other.records)
        self.lengths.update(other.lengths)


class RunWritten(NamedTuple):
    """What became of a run."""

    told: list[Any]
    """What the writer of each target tells."""
    cut: list[Cuts]
    """What of each choice was cut."""


class RunWriter:
    """Takes a run's rows, batch by batch, into its targets."""

    def __init__(self, job: RunJob, stack: ExitStack) -> None:
        """Open the targets, to be closed with the stack."""
        self._job = job
        self._parts = np.load(job.parts, mmap_mode="r")
        self._choices = [np.load(pick.times, mmap_mode="r") for pick in job.choices]
        self._over = {pick: np.load(pick.over, mmap_mode="r") for pick in job.choices if pick.over}
        self._cut = [Cuts() for _ in job.choices]
        self._row = job.run.start
        self._writers = [part.target.open(stack) for part in job.targets]
        there = (*COLUMNS, *turns.NAMES) if job.conversations else COLUMNS
        needed = {name for each in job.targets for name in each.columns}
        needed |= {"source", "tools"} if any(pick.cut for pick in job.choices) else set()
        self.columns = tuple(name for name in there if name in needed)
        """Those of the corpus that the rows must have."""
        known = (*self.columns, *PLACES)
        self._columns = [
            tuple(name for name in each.columns if name in known) for each in job.targets
        ]
        self._placed = not needed.isdisjoint(PLACES)

    def write(self, batch: RowBatch) -> int:
        """Take the next rows, with `columns`; give how many of them anything takes."""
        rows = slice(self._row, self._row + batch.num_rows)
        self._row = rows.stop
        some = [np.asarray(times[rows]) for times in self._choices]
        parts = np.asarray(self._parts[rows])
        if self._placed:
            batch = batch.of(_with_places(batch.table, rows, parts))
        mine = []
        for at, (pick, times) in enumerate(zip(self._job.choices, some, strict=True)):
            whole = batch
            if pick.cut is not None:
                table, found = cut_table(batch.table, self._over[pick][rows], pick.cut)
                whole = batch.of(table)
                self._cut[at].add(found, times, parts)
            mine.append(_chosen(whole, parts, times))
        targets = zip(self._writers, self._job.targets, self._columns, strict=True)
        for writer, part, columns in targets:
            chosen, sides = mine[part.choice]
            writer.write(chosen.of(chosen.table.select(columns)), sides)
        return int(np.count_nonzero(np.any(some, axis=0)))

    def result(self) -> RunWritten:
        """Give what became of the run; the targets are closed by then."""
        return RunWritten([writer.result() for writer in self._writers], self._cut)


def write_run(job: RunJob, tick: Callable[[int, int], None]) -> RunWritten:
    """Write a run's rows to the targets, read back from the corpus."""
    with ExitStack() as stack:
        writer = RunWriter(job, stack)
        done = RunBytes(job.run)
        for path in job.run.parts:
            for rows in batches_in(path, writer.columns):
                tick(writer.write(rows), done.more(rows.num_rows))
    return writer.result()


class RunBytes:
    """Counts a run's rows as bytes of its text, all of which they add up to."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._rows = 0

    def more(self, rows: int) -> int:
        """Give the bytes that some rows more count for."""
        count = max(1, self._run.stop - self._run.start)
        before, self._rows = self._rows, self._rows + rows
        return self._run.text * self._rows // count - self._run.text * before // count


def _with_places(table: Any, rows: slice, parts: Parts) -> Any:
    """Add the columns of `PLACES`."""
    at = numbers(np.arange(rows.start, rows.stop), pa.int64())
    part = coded(np.maximum(parts, 0).astype(np.int32), PARTS, parts >= 0)
    return table.append_column(PLACES[0], at).append_column(PLACES[1], part)


def _chosen(batch: RowBatch, parts: Parts, times: Times) -> tuple[RowBatch, Parts]:
    """Give the rows that are taken, each as often as it is, and the part of each."""
    most = int(times.max(initial=0))
    if most <= 1:
        taken = times > 0
        if taken.all():
            return batch, parts
        table, places = batch.table.filter(flags(taken)), np.flatnonzero(taken)
        return batch.take(table, places.tolist()), parts[taken]
    order = np.repeat(np.arange(len(times)), times)
    table = batch.table.take(numbers(order, pa.int64()))
    return batch.take(table, order.tolist()), parts[order]


def batches_in(path: Path, columns: Sequence[str]) -> Iterator[RowBatch]:
    """Read some columns of a part of the corpus, in batches."""
    parquet = ParquetFile(path)
    for group in range(len(parquet.rows)):
        table = parquet.read_group(group, tuple(dict.fromkeys((*columns, *WEIGHED))))
        yield from batches_of(table, columns)

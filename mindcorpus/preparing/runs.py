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
from mindcorpus.formats.base import PARTS, PLACES, Parts, Run, Target, Times
from mindcorpus.limits import BATCH_BYTES
from mindcorpus.preparing.cutting import Cut, WasCut, cut_table
from mindcorpus.preparing.part_lengths import PartLengths
from mindcorpus.records import COLUMNS

# Parquet that one task reads, by the size of its text. It decides the Arrow files, of which
# `datasets` reads any number.
_RUN_BYTES = 32 * 1024 * 1024
#: A slice is as large as these columns of it say, whatever the formats read: so the bytes of one
#: format do not depend on which others are made beside it.
_WEIGHED = ("input", "response", "source", "tags")


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


def plan_runs(parts: Sequence[Path]) -> tuple[list[Run], int]:
    """Cut the corpus' parts into runs of like size; gives also the bytes of text in all of them."""
    runs: list[Run] = []
    group: list[Path] = []
    held = start = rows = total = 0
    for part in parts:
        parquet = ParquetFile(part)
        size = parquet.text_bytes
        if group and held + size > _RUN_BYTES:
            runs.append(Run(tuple(group), start, rows))
            group, held, start = [], 0, rows
        group.append(part)
        held += size
        total += size
        rows += sum(parquet.rows)
    runs.append(Run(tuple(group), start, rows))
    return runs, total


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


def write_run(job: RunJob, tick: Callable[[int, int], None]) -> RunWritten:
    """Write a run's rows to the targets."""
    parts = np.load(job.parts, mmap_mode="r")
    choices = [np.load(pick.times, mmap_mode="r") for pick in job.choices]
    over = {pick: np.load(pick.over, mmap_mode="r") for pick in job.choices if pick.over}
    cut = [Cuts() for _ in job.choices]
    first = job.run.start
    with ExitStack() as stack:
        writers = [part.target.open(stack) for part in job.targets]
        there = (*COLUMNS, *turns.NAMES) if job.conversations else COLUMNS
        needed = {name for each in job.targets for name in each.columns}
        needed |= {"source", "tools"} if any(pick.cut for pick in job.choices) else set()
        wanted = tuple(name for name in there if name in needed)
        known = (*wanted, *PLACES)
        columns = [tuple(name for name in each.columns if name in known) for each in job.targets]
        for path in job.run.parts:
            parquet = ParquetFile(path)
            size, count = parquet.text_bytes, max(1, sum(parquet.rows))
            read = 0
            for group in range(len(parquet.rows)):
                for table in slices(parquet, group, wanted):
                    rows = slice(first, first + table.num_rows)
                    first += table.num_rows
                    # Bytes are counted as `plan_runs` counts: what is done adds up to the total.
                    before, read = read, read + table.num_rows
                    some = [np.asarray(times[rows]) for times in choices]
                    taken = np.count_nonzero(np.any(some, axis=0))
                    tick(int(taken), size * read // count - size * before // count)
                    if not needed.isdisjoint(PLACES):
                        table = _with_places(table, rows, np.asarray(parts[rows]))  # noqa: PLW2901
                    mine = []
                    for at, (pick, times) in enumerate(zip(job.choices, some, strict=True)):
                        whole = table
                        if pick.cut is not None:
                            whole, found = cut_table(table, over[pick][rows], pick.cut)
                            cut[at].add(found, times, parts[rows])
                        mine.append(_chosen(whole, np.asarray(parts[rows]), times))
                    for at, (writer, part) in enumerate(zip(writers, job.targets, strict=True)):
                        chosen, sides = mine[part.choice]
                        writer.write(chosen.select(columns[at]), sides)
    return RunWritten([writer.result() for writer in writers], cut)


def _with_places(table: Any, rows: slice, parts: Parts) -> Any:
    """Add the columns of `PLACES`."""
    at = numbers(np.arange(rows.start, rows.stop), pa.int64())
    part = coded(np.maximum(parts, 0).astype(np.int32), PARTS, parts >= 0)
    return table.append_column(PLACES[0], at).append_column(PLACES[1], part)


def _chosen(table: Any, parts: Parts, times: Times) -> tuple[Any, Parts]:
    """Give the rows that are taken, each as often as it is, and the part of each."""
    most = int(times.max(initial=0))
    if most <= 1:
        taken = times > 0
        return (table, parts) if taken.all() else (table.filter(flags(taken)), parts[taken])
    order = np.repeat(np.arange(len(times)), times)
    return table.take(numbers(order, pa.int64())), parts[order]


def slices(parquet: ParquetFile, group: int, columns: tuple[str, ...]) -> Iterator[Any]:
    """Give a row group in slices of about a batch's bytes, as its rows become Python objects."""
    table = parquet.read_group(group, tuple(dict.fromkeys((*columns, *_WEIGHED))))
    weight = table.select(_WEIGHED).nbytes
    table = table.select(columns)
    rows = max(1, table.num_rows * BATCH_BYTES // max(1, weight))
    for first in range(0, table.num_rows, rows):
        yield table.slice(first, rows)

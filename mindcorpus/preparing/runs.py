"""One pass over some parts of the corpus, into every format that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mindcorpus.arrow import flags
from mindcorpus.corpus import turns
from mindcorpus.corpus.parquet import ParquetFile
from mindcorpus.formats.base import Run, Target
from mindcorpus.limits import BATCH_BYTES
from mindcorpus.records import COLUMNS

# Parquet that one task reads, by the size of its text. It decides the Arrow files, of which
# `datasets` reads any number.
_RUN_BYTES = 32 * 1024 * 1024
#: A slice is as large as these columns of it say, whatever the formats read: so the bytes of one
#: format do not depend on which others are made beside it.
_WEIGHED = ("input", "response", "source", "tags")


@dataclass(frozen=True)
class RunJob:
    """A run, the .npy files that tell which rows are taken and held out, and where they go."""

    run: Run
    taken: Path
    validation: Path
    columns: tuple[tuple[str, ...], ...]
    """Which of the corpus each format reads."""
    targets: tuple[Target, ...]
    """One a format."""
    narrowed: Mapping[int, Path] = field(default_factory=dict)
    """Which rows a format takes, by its place, where it takes not all that are taken."""
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


def write_run(job: RunJob, tick: Callable[[int, int], None]) -> list[Any]:
    """Write a run's rows into the formats; gives what each format's writer tells."""
    taken = np.load(job.taken, mmap_mode="r")
    validation = np.load(job.validation, mmap_mode="r")
    first = job.run.start
    with ExitStack() as stack:
        writers = [target.open(stack) for target in job.targets]
        narrowed = {at: np.load(path, mmap_mode="r") for at, path in job.narrowed.items()}
        there = (*COLUMNS, *turns.NAMES) if job.conversations else COLUMNS
        wanted = tuple(name for name in there if any(name in each for each in job.columns))
        columns = [tuple(name for name in each if name in wanted) for each in job.columns]
        for part in job.run.parts:
            parquet = ParquetFile(part)
            size, count = parquet.text_bytes, max(1, sum(parquet.rows))
            read = 0
            for group in range(len(parquet.rows)):
                for table in _slices(parquet, group, wanted):
                    rows = slice(first, first + table.num_rows)
                    first += table.num_rows
                    chosen = np.asarray(taken[rows])
                    held_out = np.asarray(validation[rows])[chosen]
                    # Bytes are counted as `plan_runs` counts: what is done adds up to the total.
                    before, read = read, read + table.num_rows
                    tick(int(chosen.sum()), size * read // count - size * before // count)
                    if not chosen.all():
                        table = table.filter(flags(chosen))  # noqa: PLW2901 - the rest is not wanted
                    for at, writer in enumerate(writers):
                        mine, sides = table.select(columns[at]), held_out
                        if at in narrowed:
                            some = np.asarray(narrowed[at][rows])[chosen]
                            mine, sides = mine.filter(flags(some)), held_out[some]
                        writer.write(mine, sides)
    return [writer.result() for writer in writers]


def _slices(parquet: ParquetFile, group: int, columns: tuple[str, ...]) -> Iterator[Any]:
    """Give a row group in slices of about a batch's bytes, as its rows become Python objects."""
    table = parquet.read_group(group, tuple(dict.fromkeys((*columns, *_WEIGHED))))
    weight = table.select(_WEIGHED).nbytes
    table = table.select(columns)
    rows = max(1, table.num_rows * BATCH_BYTES // max(1, weight))
    for first in range(0, table.num_rows, rows):
        yield table.slice(first, rows)

"""One pass over some parts of the corpus, into every format that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from mindcorpus.arrow import flags
from mindcorpus.corpus.parquet import ParquetFile
from mindcorpus.formats.chat_rules import ChatCheck, Checked
from mindcorpus.formats.huggingface import ArrowFile, CsvRows
from mindcorpus.formats.openai import ChatLines
from mindcorpus.limits import BATCH_BYTES
from mindcorpus.storage.files import HashedFile, Region, Written

# Parquet that one task reads, by the size of its text. It decides the Arrow files, of which
# `datasets` reads any number.
_RUN_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class ChatTarget:
    """Where a run's chat lines go, and the number of the first."""

    region: Region
    first_line: int
    system_prompt: str


@dataclass(frozen=True)
class FolderTarget:
    """Where a run's rows go in the Hugging Face folder."""

    train: Path
    validation: Path
    table: Region
    instruction: str


@dataclass(frozen=True)
class Run:
    """Some of the corpus' Parquet parts, with their rows [start, stop)."""

    parts: tuple[Path, ...]
    start: int
    stop: int


@dataclass(frozen=True)
class RunJob:
    """A run, the .npy files that tell which rows are taken and held out, and where they go."""

    run: Run
    taken: Path
    validation: Path
    chat: ChatTarget | None
    folder: FolderTarget | None


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


@dataclass(frozen=True)
class RunResult:
    """The files that are whole by a run (Arrow), and what the provider's rules say of its lines."""

    files: tuple[Written, ...]
    checked: Checked


def write_run(job: RunJob, tick: Callable[[int, int], None]) -> RunResult:
    """Write a run's rows into the formats, checking each chat line as it is written."""
    taken = np.load(job.taken, mmap_mode="r")
    validation = np.load(job.validation, mmap_mode="r")
    first = job.run.start
    check = ChatCheck()
    with ExitStack() as stack:
        writers, made = _writers(job, check, stack)
        for part in job.run.parts:
            parquet = ParquetFile(part)
            each = parquet.text_bytes / max(1, sum(parquet.rows))
            for group in range(len(parquet.rows)):
                for table in _slices(parquet, group):
                    rows = slice(first, first + table.num_rows)
                    first += table.num_rows
                    chosen = np.asarray(taken[rows])
                    held_out = validation[rows][chosen]
                    # Bytes are counted as `plan_runs` counts: what is done adds up to the total.
                    tick(int(chosen.sum()), int(each * table.num_rows))
                    if not chosen.all():
                        table = table.filter(flags(chosen))  # noqa: PLW2901 - the rest is not wanted
                    for write in writers:
                        write(table, held_out)
    return RunResult(tuple(file.written for file in made), check.result())


def _slices(parquet: ParquetFile, group: int) -> Iterator[Any]:
    """Give a row group in slices of about a batch's bytes, as its rows become Python objects."""
    table = parquet.read_group(group, ["input", "response", "source", "tags"])
    rows = max(1, table.num_rows * BATCH_BYTES // max(1, table.nbytes))
    for first in range(0, table.num_rows, rows):
        yield table.slice(first, rows)


def _writers(
    job: RunJob, check: ChatCheck, stack: ExitStack
) -> tuple[list[Callable[[Any, Any], None]], list[HashedFile]]:
    writers: list[Callable[[Any, Any], None]] = []
    made: list[HashedFile] = []
    if job.chat is not None:
        chat_file = stack.enter_context(job.chat.region.open())
        chat = ChatLines(job.chat.system_prompt)
        numbers = count(job.chat.first_line)

        def write_chat(table: Any, _held_out: Any) -> None:
            for value, line in chat.lines(table):
                check.example(next(numbers), value, line)
                chat_file.write(line)

        writers.append(write_chat)
    if job.folder is not None:
        csv_file = stack.enter_context(job.folder.table.open())
        csv = CsvRows(job.folder.instruction)

        def write_table(table: Any, _held_out: Any) -> None:
            for line in csv.lines(table):
                csv_file.write(line)

        writers.append(write_table)
        for path, side in ((job.folder.train, False), (job.folder.validation, True)):
            file = stack.enter_context(HashedFile(path))
            arrow = ArrowFile(file, job.folder.instruction)
            stack.callback(arrow.close)
            made.append(file)
            writers.append(
                lambda table, held_out, arrow=arrow, side=side: arrow.write(  # type: ignore[misc]
                    table.filter(flags(held_out == side))
                )
            )
    return writers, made

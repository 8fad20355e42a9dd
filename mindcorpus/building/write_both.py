"""A run of parts to their places in the corpus and in all formats: each text is encoded once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple

from mindcorpus.corpus.row_batch import RowBatch
from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import Task
from mindcorpus.merging.assemble import CorpusPlan
from mindcorpus.merging.write import WriteJob, write_part
from mindcorpus.preparing.making import follow_all
from mindcorpus.preparing.planning import Plan
from mindcorpus.preparing.runs import RunJob, RunWriter, RunWritten
from mindcorpus.progress import Tick
from mindcorpus.storage.files import Written


@dataclass(frozen=True)
class BothJob:
    """The parts of a run, as the corpus has them, and where their rows go in the formats."""

    parts: tuple[WriteJob, ...]
    run: RunJob


class BothWritten(NamedTuple):
    """What became of a run."""

    parquet: list[Written]
    """The file of each part."""
    run: RunWritten


def write_both(job: BothJob, tick: Tick) -> BothWritten:
    """Write the parts of a run into the corpus, and their rows into all formats."""
    with ExitStack() as stack:
        writer = RunWriter(job.run, stack)

        def also(rows: RowBatch) -> None:
            writer.write(rows.of(rows.table.select(writer.columns)))

        parquet = [write_part(part, tick, also) for part in job.parts]
    return BothWritten(parquet, writer.result())


class AllWritten(NamedTuple):
    """What was written of a corpus and its formats."""

    corpus: list[Written]
    """JSON, CSV, and the Parquet files."""
    runs: list[RunWritten]
    shared: list[Written]
    """The files that the runs of the formats share."""


def write_all(corpus: CorpusPlan, formats: Plan, context: JobContext) -> AllWritten:
    """Write a corpus and formats as they were planned, in one pass over the parts."""
    jobs = list(_jobs(corpus.writes, [task.argument for task in formats.tasks]))
    tasks = [Task(write_both, job) for job in jobs]
    ends = [0]
    for job in jobs:
        ends.append(ends[-1] + len(job.parts))
    with ExitStack() as stack:
        seals = [stack.enter_context(file.follow()) for file in (corpus.json, corpus.csv)]
        followers = follow_all(formats, stack)

        def finished(task: int, _result: Any) -> None:
            for seal in seals:
                for part in range(ends[task], ends[task + 1]):
                    seal.complete(part)
            for each in followers:
                each.complete(task)

        items = ["the corpus and its formats"] * len(tasks)
        results = context.do_all("write", tasks, items, corpus.text, finished, corpus.rows)
    return AllWritten(
        [
            *(seal.written(corpus.rows) for seal in seals),
            *(file for result in results for file in result.parquet),
        ],
        [result.run for result in results],
        [each.written(0) for each in followers],
    )


def _jobs(parts: Sequence[WriteJob], runs: Sequence[RunJob]) -> Iterator[BothJob]:
    first = 0
    for run in runs:
        last = first + len(run.run.parts)
        yield BothJob(tuple(parts[first:last]), run)
        first = last
    assert first == len(parts), "a part of the corpus is in no run"

"""What a job works with: its worker pool, who hears of its progress, and who may stop it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mindcorpus.errors import MindcorpusError
from mindcorpus.execution.worker_pool import Finished, Task, WorkerPool
from mindcorpus.progress import Cancellation, Phase, Progress, Reporter

#: From so many bytes on looking at files is work for several processes.
_MUCH = 32 * 1024 * 1024


@dataclass(frozen=True)
class JobContext:
    """What a job works with; its steps share it."""

    pool: WorkerPool
    report: Reporter
    cancel: Cancellation

    def for_bytes(self, size: int) -> JobContext:
        """Give a context for work on so many bytes: workers cost more than they save on a few."""
        return self if size >= _MUCH else replace(self, pool=WorkerPool(1))

    def try_all(
        self,
        stage: Phase,
        tasks: Sequence[Task],
        items: Sequence[str],
        total: int,
        finished: Finished = lambda _task, _result: None,
        rows_total: int | None = None,
    ) -> list[Any]:
        """Run tasks, reporting under each one's item; errors stand among the results."""
        done = rows = 0

        def heard(task: int, new_rows: int, new_bytes: int) -> None:
            nonlocal done, rows
            rows += new_rows
            done += new_bytes
            self.report(Progress(stage, items[task], rows, done, total, rows_total=rows_total))

        return self.pool.run(tasks, heard, self.cancel, finished)

    def do_all(
        self,
        stage: Phase,
        tasks: Sequence[Task],
        items: Sequence[str],
        total: int,
        finished: Finished = lambda _task, _result: None,
        rows_total: int | None = None,
    ) -> list[Any]:
        """Run tasks as `try_all` does, and raise the first error among the results."""
        results = self.try_all(stage, tasks, items, total, finished, rows_total)
        for result in results:
            if isinstance(result, MindcorpusError):
                raise result
        return results

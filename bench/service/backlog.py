"""Merges that keep both workers at work, and a look at whether they are."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from bench.service.plan import renamed
from bench.service.stack import Stack, StackError

_LOOK = 0.25
AT_FIRST = 4  # merges
_WAITING = 6  # parts, below which another merge is submitted
_PSYCH = renamed("Psych-101")
_ROUND_LENGTH = 8_000
_BY_LOAD = 1_000_000


def merge_of(sources: Sequence[str], number: object | None = None) -> dict[str, Any]:
    """Give the body of a merge; merges with other numbers are other jobs, with parts of their own.

    The number is the length at which sessions are cut: it shapes the largest source's parts.
    """
    body: dict[str, Any] = {"force": True, "sources": list(sources)}
    if number is not None:
        body["options"] = {f"{_PSYCH}.max_chars": str(number)}
    return body


class Numbers:
    """Numbers for merges, each once: some for the bench's own, others for a client's."""

    def __init__(self) -> None:
        self._own = itertools.count(_ROUND_LENGTH + 1)
        self._batches = itertools.count(1)

    def next(self) -> int:
        """Give the next for a merge that is to be done."""
        return next(self._own)

    def batch(self) -> int:
        """Give the first of a million for a client."""
        return next(self._batches) * _BY_LOAD


class Backlog:
    """Keeps merges waiting for the workers, from `with` to the end of its block.

    Every look at whether both workers have a runner is counted.
    """

    def __init__(self, stack: Stack, sources: Sequence[str], numbers: Numbers) -> None:
        self._stack = stack
        self._sources = sources
        self._numbers = numbers
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="backlog", daemon=True)
        self._looks: list[bool] = []
        self.job_ids: list[str] = []

    def __enter__(self) -> Self:
        for _ in range(AT_FIRST):
            self._top_up()
        self._thread.start()
        self._stack.wait_until_busy()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()
        if error is None:
            self._refuse_failures()

    def begin(self) -> None:
        """Begin to count looks."""
        self._looks.clear()

    @property
    def working(self) -> float:
        """The share of looks, since `begin`, at which both workers had a runner."""
        return sum(self._looks) / max(1, len(self._looks))

    def _run(self) -> None:
        while not self._done.wait(_LOOK):
            self._looks.append(self._stack.working() >= 2)
            if self._stack.store.queue_stats().queues["part"] < _WAITING:
                self._top_up()

    def _refuse_failures(self) -> None:
        # Merges that fail at their first row would be no work.
        for job_id in self.job_ids:
            if (failure := self._stack.store.get(job_id).error) is not None:
                raise StackError(f"a merge of the backlog failed: {failure.title}")

    def _top_up(self) -> None:
        body = merge_of(self._sources, self._numbers.next())
        self.job_ids.append(self._stack.api().submit(body)["id"])

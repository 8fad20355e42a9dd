"""How long work tells where it stands, and how it is asked to stop."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from mindcorpus.errors import CancelledError

Phase = Literal["fetch", "read", "deduplicate", "write", "check", "publish"]
PHASES: tuple[Phase, ...] = get_args(Phase)


@dataclass(frozen=True)
class Progress:
    """One moment of a job: which stage, on what, and how far.

    `done` and `total` count bytes, `rows` and `rows_total` rows; totals are None while they are not
    known.
    `item` names the source being fetched or read, or the output being written. `note` says what
    is waited for, such as the next try of a request; it is "" as soon as the work goes on.
    `share` is how much of the whole job is done, of all its stages together, from 0 to 1; None
    where the work is no job of several stages.
    """

    stage: Phase
    item: str = ""
    rows: int = 0
    done: int = 0
    total: int | None = None
    note: str = ""
    rows_total: int | None = None
    share: float | None = None

    @property
    def of_stage(self) -> float:
        """How much of its stage is done, from 0 to 1; 0 while that is not known."""
        done, total = (
            (self.rows, self.rows_total) if self.rows_total else (self.done, self.total or 0)
        )
        return min(1.0, done / total) if total else 0.0


Reporter = Callable[[Progress], None]


Tick = Callable[[int, int], None]
"""Called with rows and bytes that were done since the last call."""


def silent(_progress: Progress) -> None:
    """Report to nobody."""


Stages = Mapping[Phase, tuple[float, float]]
"""From which to which share of a whole job each of its stages lasts."""

#: As measured on whole merges and prepares: about what share of the time a stage takes.
MERGE: Stages = {
    "fetch": (0.0, 0.15),
    "read": (0.15, 0.65),
    "deduplicate": (0.65, 0.68),
    "write": (0.68, 0.97),
    "publish": (0.97, 1.0),
}
BUILD: Stages = {
    "fetch": (0.0, 0.1),
    "read": (0.1, 0.5),
    "deduplicate": (0.5, 0.55),
    "write": (0.55, 0.97),
    "publish": (0.97, 1.0),
}
PREPARE: Stages = {"read": (0.0, 0.05), "write": (0.05, 0.95), "publish": (0.95, 1.0)}


class WholeJob:
    """A reporter that adds to what each stage tells how far the whole job is.

    That is never less than it was. With `since`, shares count from there on: what was done before
    others have told.
    """

    def __init__(self, report: Reporter, stages: Stages, since: float = 0.0) -> None:
        self._report = report
        self._stages = stages
        self._since = since
        self._share = 0.0

    def __call__(self, progress: Progress) -> None:
        """Pass a stage's progress on; what is published counts once it is, see `published`."""
        begin, end = self._stages[progress.stage]
        share = progress.of_stage if progress.share is None else progress.share
        if progress.stage == "publish" and progress.share is None:
            share = 0.0
        self._share = max(self._share, begin + (end - begin) * share - self._since)
        self._report(replace(progress, share=self._share))


def piece(report: Reporter, begin: float, end: float) -> Reporter:
    """Give a reporter for a piece of a stage, that lasts from one share of it to another."""

    def within(progress: Progress) -> None:
        share = progress.of_stage if progress.share is None else progress.share
        report(replace(progress, share=begin + (end - begin) * share))

    return within


def written(rows: int, size: int, *, published: bool = False) -> Progress:
    """Give the last stage's progress: all that was written, before and after it is published."""
    share = 1.0 if published else None
    return Progress("publish", "", rows, size, size, rows_total=rows, share=share)


class Pace:
    """How fast something counted goes, over the last seconds: what was long ago tells little."""

    def __init__(self, seconds: float = 20.0) -> None:
        self._seconds = seconds
        self._marks: deque[tuple[float, float]] = deque()

    def count(self, value: float) -> None:
        """Take note of where it is now; what goes down has begun anew."""
        now = time.monotonic()
        if self._marks and value < self._marks[-1][1]:
            self._marks.clear()
        self._marks.append((now, value))
        while len(self._marks) > 2 and self._marks[1][0] < now - self._seconds:
            self._marks.popleft()

    @property
    def rate(self) -> float:
        """How much a second; 0 while that is not known."""
        if not self._marks:
            return 0.0
        began, first = self._marks[0]
        seconds = time.monotonic() - began
        return (self._marks[-1][1] - first) / seconds if seconds > 0.5 else 0.0

    def left(self, total: float = 1.0) -> float | None:
        """Give the seconds until it comes to a total; None while that is not known."""
        rate = self.rate
        return max(0.0, total - self._marks[-1][1]) / rate if rate else None


class Cancellation:
    """A flag that any thread may set and that the work looks at several times a second."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def cancel(self) -> None:
        """Ask the work to stop."""
        self._asked.set()

    @property
    def asked(self) -> bool:
        """Whether somebody asked."""
        return self._asked.is_set()

    def check(self) -> None:
        """Raise `CancelledError` if somebody asked."""
        if self.asked:
            raise CancelledError("stopped before it was complete; nothing was published")

    def wait(self, seconds: float) -> None:
        """Pause, but no longer than until somebody asks; then raise `CancelledError`."""
        self._asked.wait(seconds)
        self.check()


def checking(item: str, total: int | None, report: Reporter, cancel: Cancellation) -> Tick:
    """Give a tick that reports how far the check of an artifact is, and stops it if asked."""
    done = 0

    def tick(_rows: int, size: int) -> None:
        nonlocal done
        cancel.check()
        done += size
        report(Progress("check", item, done=done, total=total))

    return tick

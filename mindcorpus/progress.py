"""How long work tells where it stands, and how it is asked to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
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
    """

    stage: Phase
    item: str = ""
    rows: int = 0
    done: int = 0
    total: int | None = None
    note: str = ""
    rows_total: int | None = None


Reporter = Callable[[Progress], None]


Tick = Callable[[int, int], None]
"""Called with rows and bytes that were done since the last call."""


def silent(_progress: Progress) -> None:
    """Report to nobody."""


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

"""Waiting in a thread of its own: a blocked read cannot be interrupted, a wait for it can."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import Generic, TypeVar

from mindcorpus.errors import CancelledError
from mindcorpus.progress import Cancellation

_LOOK = 0.1  # seconds between two looks at a cancellation
_AHEAD = 16  # items that are fetched before they are taken

T = TypeVar("T")


def relayed(
    items: Generator[T, None, None], cancel: Cancellation, end: Callable[[], None]
) -> Generator[T, None, None]:
    """Give items that a thread waits for.

    Raises what the items raise, and `CancelledError` within a tenth of a second. `end` is called
    when no more items are wanted; it makes the thread's wait return.
    """
    line: _Line[T] = _Line()
    thread = threading.Thread(target=line.fetch, args=(items,), name="relay", daemon=True)
    thread.start()
    try:
        while True:
            if cancel.asked:
                raise CancelledError("stopped before it was complete")
            for piece in line.take():
                if isinstance(piece, _End):
                    if piece.error is not None:
                        raise piece.error
                    return
                yield piece
    finally:
        line.leave()
        end()
        thread.join(1.0)


@dataclass(frozen=True)
class _End:
    """The end of the items, and why, if that was an error."""

    error: BaseException | None


class _Line(Generic[T]):
    """What leads from the thread that waits to the one that takes."""

    def __init__(self) -> None:
        self._pieces: Queue[T | _End] = Queue(_AHEAD)
        self._left = threading.Event()

    def fetch(self, items: Generator[T, None, None]) -> None:
        """Wait for all items and put them on the line, until nobody takes any more."""
        error = None
        try:
            with closing(items):
                for item in items:
                    if not self._put(item):
                        return
        except BaseException as caught:  # noqa: BLE001 - it is raised in the other thread
            error = caught
        self._put(_End(error))

    def take(self) -> list[T | _End]:
        """Give the next piece, none if there is none yet."""
        try:
            return [self._pieces.get(timeout=_LOOK)]
        except Empty:
            return []

    def leave(self) -> None:
        """Take no more."""
        self._left.set()

    def _put(self, piece: T | _End) -> bool:
        while not self._left.is_set():
            try:
                self._pieces.put(piece, timeout=_LOOK)
            except Full:
                continue
            return True
        return False

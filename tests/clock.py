"""A clock that tests move by hand, in the place of the `time` of one module."""

from __future__ import annotations


class Clock:
    """Stands still until it is set; or goes on by a step each time somebody looks."""

    def __init__(self, step: float = 0.0) -> None:
        self.now = 1024.0  # binary fractions of a second are added to it without rounding
        self._step = step

    def monotonic(self) -> float:
        """Tell the time, as `time.monotonic` does."""
        now = self.now
        self.now += self._step
        return now

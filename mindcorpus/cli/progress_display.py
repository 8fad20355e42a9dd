"""Progress as people see it: live lines on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Group
from rich.filesize import decimal
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from mindcorpus.progress import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, RenderableType

    from mindcorpus.progress import Cancellation, Phase, Progress

PLAIN_PAUSE = 5.0  # seconds between two plain lines
# Stage, item, bytes, rows, rate, time: what each needs, the item getting what is left.
_WIDTHS = (12, 0, 13, 14, 10, 12)
_BAR = 24
_ROOM_FOR_BAR = 120


class _Line:
    """How far one stage, or the fetch of one source, has come, and how fast."""

    def __init__(self, event: Progress) -> None:
        self.event = event
        self._began = time.monotonic()
        self._first = event.done
        self._pace = Pace()
        self._pace.count(event.done)

    def take(self, event: Progress) -> bool:
        """Go on to an event; False if it does not go on from here, but starts anew."""
        if event.note and event.item == self.event.item and event.done < self.event.done:
            # Waiting between two files: what is here already stays here.
            self.event = replace(self.event, note=event.note)
            return True
        if event.done < self.event.done:
            return False
        self.event = event
        self._pace.count(event.done)
        return True

    @property
    def complete(self) -> bool:
        """Whether all bytes are done."""
        return self.event.total is not None and self.event.done >= self.event.total

    def cells(self, *, over: bool = False) -> list[str]:
        """Give stage, item, bytes, rows, rate and the time left or, when it is over, taken.

        Of a job of several stages the time left is told of the whole job alone.
        """
        event, seconds = self.event, time.monotonic() - self._began
        mean = (event.done - self._first) / seconds if seconds > 0.5 else 0.0
        rate = mean if over else self._pace.rate
        size = decimal(event.done) if event.done else ""
        if event.total and not over:
            size += f" {event.done / event.total:.0%}"
        spent = _clock(seconds) if over else ""
        left = self._pace.left(event.total) if event.total else None
        if left is not None and event.share is None and not over:
            spent = f"{_clock(left)} left"
        return [
            event.stage,
            "" if over and event.stage != "fetch" else event.item,
            size,
            f"{event.rows:,} row{'s' * (event.rows != 1)}" if event.rows else "",
            f"{decimal(int(rate))}/s" if rate else "",
            spent,
        ]


class _Whole:
    """How far a whole job is, where it tells that."""

    def __init__(self) -> None:
        self.share: float | None = None
        self._pace = Pace()

    def take(self, event: Progress) -> None:
        """Go on to an event."""
        self.share = event.share
        if event.share is not None:
            self._pace.count(event.share)

    @property
    def words(self) -> str:
        """Say how much of it is done, and how long it will take; "" where nobody knows."""
        if self.share is None:
            return ""
        left = self._pace.left()
        told = f", {_clock(left)} left" if left is not None and self.share < 1 else ""
        return f"{self.share:.0%} of the whole job{told}"


class LiveDisplay:
    """On a terminal: what is done stays above, what goes on moves at the bottom."""

    def __init__(self, console: Console, cancel: Cancellation) -> None:
        self._console = console
        self._cancel = cancel
        self._lines: dict[tuple[Phase, str], _Line] = {}
        self._whole = _Whole()
        self._waits = ""
        self._lock = threading.Lock()
        blocks = console.encoding.startswith("utf")
        self._spinner = Spinner("dots" if blocks else "line")
        self._done = Text("✓" if blocks else "+", "green")

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the display; what is still open at the end is done, unless there was an error."""
        with Live(
            get_renderable=self._render, console=self._console, transient=True, refresh_per_second=8
        ):
            yield
            self._finish(lambda _stage, _line: True)

    def restore(self) -> None:
        """Give the terminal its cursor back, whatever state this process is in."""
        os.write(self._console.file.fileno(), b"\x1b[?25h\n")

    def report(self, event: Progress) -> None:
        """Take note of an event; a new stage ends those before it."""
        # Only fetching counts by item; in other stages the item is what is worked on just now.
        key = event.stage, event.item if event.stage == "fetch" else ""
        with self._lock:
            self._whole.take(event)
            # What nobody works on just now has no line.
            unnamed = event.stage == "fetch" and not event.item
            self._waits = event.note if unnamed else ""
            if unnamed:
                return
            line = self._lines.get(key)
            if line is None or not line.take(event):
                self._lines[key] = _Line(event)
        if line is None:
            self._finish(
                lambda stage, old: stage != event.stage or (stage == "fetch" and old.complete)
            )

    def _finish(self, over: Callable[[Phase, _Line], bool]) -> None:
        with self._lock:
            lines = {key: line for key, line in self._lines.items() if over(key[0], line)}
            for key in lines:
                del self._lines[key]
        for line in lines.values():
            table = self._grid()
            table.add_row(self._done, *line.cells(over=True))
            self._console.print(table)

    def _render(self) -> RenderableType:
        table = self._grid()
        said: list[str] = []
        with self._lock:
            for line in self._lines.values():
                table.add_row(self._spinner, *line.cells(), *self._bar(line.event))
                if line.event.note:
                    said.append(noted(line.event))
            if self._waits:
                said.append(self._waits)
            words, share = self._whole.words, self._whole.share
        if self._cancel.asked:
            said.append("Stopping; Ctrl-C again ends it at once.")
        whole: list[RenderableType] = []
        if share is not None:
            whole = [ProgressBar(1.0, share, width=_BAR, complete_style="cyan"), Text(words)]
        return Group(table, *whole, *(Text(text, "yellow") for text in said))

    @property
    def _wide(self) -> bool:
        return self._console.width >= _ROOM_FOR_BAR

    def _bar(self, event: Progress) -> list[RenderableType]:
        if not self._wide or not event.total or event.share is not None:
            return []
        return [
            ProgressBar(event.total, event.done, width=_BAR, complete_style="cyan"),
        ]

    def _grid(self) -> Table:
        gap, bar = (2, _BAR) if self._wide else (1, 0)
        item = self._console.width - sum(_WIDTHS) - bar - gap * len(_WIDTHS) - 3
        table = Table.grid(padding=(0, gap, 0, 0))
        table.add_column(width=1)
        for at, width in enumerate(_WIDTHS):
            table.add_column(
                width=width or max(8, min(40, item)),
                no_wrap=True,
                overflow="ellipsis",
                justify="right" if at > 1 else "left",
            )
        if self._wide:
            table.add_column(width=bar)
        return table


class PlainDisplay:
    """Where there is no terminal: a plain line now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._line: _Line | None = None
        self._whole = _Whole()
        self._lock = threading.Lock()
        self._next = 0.0

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show what is reported."""
        yield

    def restore(self) -> None:
        """Leave everything as it is."""

    def report(self, event: Progress) -> None:
        """Take note of an event, and say it if the last line is old enough."""
        with self._lock:
            self._whole.take(event)
            line = self._line
            waits = bool(event.note) and (line is None or line.event.note != event.note)
            if line is None or line.event.stage != event.stage or not line.take(event):
                self._line = line = _Line(event)
            now = time.monotonic()
            if waits:
                # A pause may outlast many lines: why there is none is said at once.
                self._console.print(noted(event))
            elif now >= self._next:
                self._next = now + PLAIN_PAUSE
                self._console.print(
                    "  ".join(cell for cell in (*line.cells(), self._whole.words) if cell)
                )


def noted(event: Progress) -> str:
    """Say what a piece of work waits for."""
    return f"{event.item}: {event.note}" if event.item else event.note


def _clock(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"

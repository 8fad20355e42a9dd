"""The terminal: results on standard output; prompts, progress and errors on standard error.

Without a terminal the same is said in plain lines, and nothing is asked.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import termios
import tty
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console, RenderableType
from rich.prompt import Confirm
from rich.text import Text

from mindcorpus.cli.progress_display import LiveDisplay, PlainDisplay
from mindcorpus.errors import ExistsError
from mindcorpus.progress import Cancellation, Reporter
from mindcorpus.remedies import Replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

_UNFOLDED = 1_000_000  # columns, where a program may read along


def print_json(value: Any) -> None:
    """Write a value to standard output as JSON, in ASCII: valid whatever the locale."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


class Terminal:
    """The two streams, and whether a person sits before them."""

    def __init__(self) -> None:
        self._out = _console(sys.stdout)
        self._error = _console(sys.stderr)
        self.pages = sys.stdin.isatty() and self._out.is_terminal
        """Whether results can be paged through."""
        self.asks = sys.stdin.isatty() and self._error.is_terminal
        """Whether a question would be seen, and could be answered."""
        self.full = "█" if self._out.encoding.startswith("utf") else "#"
        """What a full bar is made of."""

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines of the terminal that results go to."""
        return self._out.width, self._out.height

    def show(self, *parts: RenderableType) -> None:
        """Write results to standard output."""
        _write(self._out, parts)

    def say(self, *parts: RenderableType) -> None:
        """Write a word to the user to standard error."""
        _write(self._error, parts)

    def clear(self) -> None:
        """Clear the terminal that results go to."""
        self._out.clear()

    @contextmanager
    def keys(self) -> Iterator[Iterator[str]]:
        """Give the keys that are pressed, each at once and unechoed; only where `pages` is true."""
        keyboard = sys.stdin.fileno()
        before = termios.tcgetattr(keyboard)
        try:
            # Now: what was typed ahead counts, and Ctrl-C is still Ctrl-C.
            tty.setcbreak(keyboard, termios.TCSANOW)
            yield _pressed(keyboard)
        finally:
            termios.tcsetattr(keyboard, termios.TCSADRAIN, before)

    def confirm(self, there: Sequence[str]) -> None:
        """Say what is there, and ask for a yes before it is replaced.

        Raises `ExistsError` for a no, and where there is nobody to ask.
        """
        if not self.asks:
            raise ExistsError("; ".join(there), remedy=Replace())
        self.say(*(f"{one}." for one in there))
        question = Text("Replace it?" if len(there) == 1 else "Replace them?")
        try:
            agreed = Confirm.ask(question, console=self._error, default=False)
        except EOFError:
            agreed = False
        if not agreed:
            raise ExistsError("not replaced: everything is as it was", remedy=Replace())

    @contextmanager
    def watch(self) -> Iterator[tuple[Reporter, Cancellation]]:
        """Show the progress of some work; Ctrl-C or SIGTERM asks it to stop, a second ends it."""
        cancel = Cancellation()
        display = (
            LiveDisplay(self._error, cancel)
            if self._error.is_terminal
            else PlainDisplay(self._error)
        )
        with _stopping(cancel, display.restore), display.shown():
            yield display.report, cancel


def _pressed(keyboard: int) -> Iterator[str]:
    while typed := os.read(keyboard, 64).decode(errors="replace"):
        if typed.startswith("\x1b"):
            yield typed  # an arrow, say, is one key of several characters
        else:
            yield from typed.lower()


def _console(stream: TextIO) -> Console:
    seen = stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")
    return Console(
        file=stream,
        force_terminal=seen,
        force_interactive=seen,
        width=None if seen else _UNFOLDED,
        markup=False,
        emoji=False,
        highlight=False,
    )


def _write(console: Console, parts: tuple[RenderableType, ...]) -> None:
    if console.is_terminal:
        console.print(*parts, sep="\n")
        return
    with console.capture() as captured:
        console.print(*parts, sep="\n")
    # Tables are padded to their full width, which only a terminal does not show.
    lines = (line.rstrip() for line in captured.get().split("\n"))
    console.file.write("\n".join(lines))


@contextmanager
def _stopping(cancel: Cancellation, restore: Callable[[], None]) -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        if cancel.asked:
            restore()
            os._exit(130)  # worker processes end with their parent; staged files are swept later
        cancel.cancel()

    before = {
        number: signal.signal(number, stop)
        for number in (signal.SIGINT, signal.SIGTERM)
        # Started with nohup, or in the background of a script: it stays deaf.
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

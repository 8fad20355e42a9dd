"""What a progress display shows while work waits."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from clock import Clock
from rich.console import Console

from mindcorpus.cli import progress_display
from mindcorpus.cli.progress_display import LiveDisplay, PlainDisplay
from mindcorpus.progress import Cancellation, Progress

NOTE = "the hub answered 429; trying again in 12 s (try 2 of 6)"
FETCH = Progress("fetch", "TRACE", done=500, total=1000)


def test_the_plain_board_says_a_line_every_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, out = Clock(), io.StringIO()
    monkeypatch.setattr(progress_display, "time", clock)
    board = PlainDisplay(Console(file=out, width=200))
    for rows in range(1, 26):
        board.report(replace(FETCH, done=0, total=None, rows=rows))
        clock.now += 1
    assert re.findall(r"(\d+) rows?", out.getvalue()) == ["1", "6", "11", "16", "21"]


@pytest.mark.parametrize("done", [500, 0])
def test_the_plain_board_says_at_once_and_once_what_is_waited_for(
    done: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_display, "time", Clock())
    out = io.StringIO()
    display = PlainDisplay(Console(file=out, width=200))
    for event in (FETCH, *[replace(FETCH, done=done, note=NOTE)] * 2, replace(FETCH, done=501)):
        display.report(event)
    first, *others = out.getvalue().splitlines()
    assert first.startswith("fetch  TRACE")
    assert others == [f"TRACE: {NOTE}"]


def test_the_live_board_shows_what_is_waited_for_until_it_goes_on() -> None:
    out = io.StringIO()
    console = Console(file=out, width=100, force_terminal=True)
    display = LiveDisplay(console, Cancellation())
    with display.shown():
        display.report(FETCH)
        display.report(replace(FETCH, done=0, note=NOTE))
        with console.capture() as captured:
            console.print(display._render())
        assert NOTE in captured.get()
        assert "50%" in captured.get()
        display.report(replace(FETCH, done=501))
        with console.capture() as captured:
            console.print(display._render())
        assert NOTE not in captured.get()

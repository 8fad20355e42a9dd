"""What happened to a job, line by line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from web.pages.filters import plural
from web.pages.job_view import PHASE_WORDS, STATE_WORDS
from workers.jobs.job_store import Event

_MOST_LINES = 200


@dataclass(frozen=True)
class Line:
    """One line of a job's log."""

    at: float
    words: str
    kind: str
    number: int = 0
    """Counted from the oldest, so that it stays the line's own."""


def describe_events(events: Iterable[Event]) -> list[Line]:
    """Put a job's events into lines, newest first: many of one stage and source are one line."""
    lines: list[Line] = []
    last: tuple[Any, ...] = ()
    for event in events:
        data = event.data
        if data["type"] == "state":
            words = _state_line(data)
            if data["state"] == "queued" and lines:
                words = "Queued again" if data["attempt"] else "Parts are made; queued to join them"
            lines.append(Line(data["at"], words, data["state"]))
            last = ()
            continue
        if data["type"] == "webhook":
            lines.append(Line(data["at"], _webhook_line(data), "webhook"))
            last = ()
            continue
        if data["note"]:
            this: tuple[Any, ...] = (data["source"], data["note"])
            words = f"{data['source']}: {data['note']}" if data["source"] else data["note"]
            kind = "note"
        else:
            this = (data["stage"], data["source"])
            words, kind = _progress_line(data), "progress"
        if this == last:
            # The line stays where the stage began, and tells how far it came.
            lines[-1] = Line(lines[-1].at, words, kind)
        else:
            lines.append(Line(data["at"], words, kind))
        last = this
    return [replace(line, number=number) for number, line in enumerate(lines)][-_MOST_LINES:][::-1]


def _state_line(data: dict[str, Any]) -> str:
    state = data["state"]
    words = STATE_WORDS[state] if state != "waiting" else "Begun, in parts"
    if state == "running" and data["attempt"] > 1:
        words += f", attempt {data['attempt']}"
    error = data.get("error")
    return f"{words}: {error['title']}" if error else words


def _webhook_line(data: dict[str, Any]) -> str:
    answer = f"answered {data['status']}" if data["status"] else "no answer"
    rest = "; will be tried again" if data["again"] else ""
    return f"Called {data['to']} back, try {data['attempt']}: {answer}{rest}"


def _progress_line(data: dict[str, Any]) -> str:
    words = PHASE_WORDS.get(data["stage"], "")
    if data["source"]:
        words = f"{words} {data['source']}".strip()
    if data["rows"]:
        words += f", {plural(data['rows'], 'row')}"
    return words or "In work"

"""A record as a page shows it: turns of a conversation, two answers side by side, long text cut."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_CUT = 1200  # characters that are shown of a long text
_SLACK = 300  # no cut for so little more
#: How the adapter of conversations writes those that came before the last turn.
_TURN = re.compile(r"(?:^|\n\n)(User|Assistant): ")


@dataclass(frozen=True)
class Text:
    """One text: its beginning, and the rest if it is long."""

    head: str
    rest: str

    @property
    def characters(self) -> int:
        """How long it is."""
        return len(self.head) + len(self.rest)


@dataclass(frozen=True)
class Turn:
    """What one side said."""

    speaker: str
    text: Text


@dataclass(frozen=True)
class Shown:
    """One record."""

    row: int
    source: str
    type: str
    tags: list[str]
    words: int
    turns: list[Turn]
    """The input: one turn, or several."""
    response: Text | None
    rejected: Text | None


def view_of(record: dict[str, Any]) -> Shown:
    """Prepare a record for a page."""
    return Shown(
        row=record["row"],
        source=record["source"],
        type=record["type"],
        tags=record["tags"],
        words=len(record["input"].split()) + len(record["response"].split()),
        turns=_turns(record["input"]),
        response=_text(record["response"]) if record["response"] else None,
        rejected=_text(record["rejected_response"]) if record["rejected_response"] else None,
    )


def _turns(text: str) -> list[Turn]:
    marks = list(_TURN.finditer(text))
    # One mark alone, or text before the first, is how somebody happened to write.
    if len(marks) < 2 or marks[0].start() != 0:
        return [Turn("Input", _text(text))]
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    return [
        Turn(mark[1], _text(text[mark.end() : end])) for mark, end in zip(marks, ends, strict=True)
    ]


def _text(text: str) -> Text:
    if len(text) <= _CUT + _SLACK:
        return Text(text, "")
    # At a blank, if there is one near: words stay whole.
    at = text.rfind(" ", _CUT - 100, _CUT)
    at = at if at > 0 else _CUT
    return Text(text[:at], text[at:])

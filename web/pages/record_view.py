"""A record as a page shows it: its turns, a pair's two sides, what is long cut until asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mindcorpus.corpus.transcript import Said

_CUT = 1200  # characters that are shown of a long text
_SLACK = 300  # no cut for so little more
#: Turns that are shown of a conversation among others; its own page has them all.
GLIMPSE = 6


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
class Call:
    """A tool that is called."""

    name: str
    arguments: Text


@dataclass(frozen=True)
class Turn:
    """What one side said; who that is comes from the data, whatever its text looks like."""

    role: str
    label: str
    name: str
    remarks: tuple[str, ...]
    answers: str
    text: Text | None
    calls: tuple[Call, ...]
    reasoning: Text | None


@dataclass(frozen=True)
class Shown:
    """One record."""

    row: int
    source: str
    type: str
    tags: list[str]
    words: int
    said: int
    """How many turns a conversation has; 0 for a record that is none."""
    turns: list[Turn]
    """Of a preference pair the beginning that both sides share."""
    sides: list[list[Turn]]
    """Of a preference pair: how the preferred one goes on, and how the rejected one does."""
    left_out: int
    """Turns that are not shown here."""
    answered: bool
    tools: Text | None
    parallel: bool | None
    metadata: Text | None


def view_of(record: dict[str, Any], most: int | None = None) -> Shown:
    """Prepare a record for a page, with at most so many turns."""
    from mindcorpus.corpus.transcript import transcript_of  # late: it loads numpy

    found = transcript_of(record)
    said = len(record["messages"] or ())
    left_out = 0
    turns, sides = found.turns, found.sides
    if most is not None and said > most:
        # Of a pair the sides go as a whole: one cut short would look like the answer.
        turns, sides = turns[:most], ()
        left_out = said - len(turns)
    return Shown(
        row=record["row"],
        source=record["source"],
        type=record["type"],
        tags=record["tags"],
        words=len(record["input"].split()) + len(record["response"].split()),
        said=said,
        turns=[_turn(each) for each in turns],
        sides=[[_turn(each) for each in side] for side in sides],
        left_out=left_out,
        answered=bool(record["response"]),
        tools=_json(record["tools"]),
        parallel=record["parallel_tool_calls"],
        metadata=_json(record["metadata"]),
    )


def _turn(said: Said) -> Turn:
    return Turn(
        said.role,
        said.label,
        said.name,
        said.remarks,
        said.answers,
        _text(said.text) if said.text else None,
        tuple(Call(call.name, _text(call.arguments)) for call in said.calls),
        _text(said.reasoning) if said.reasoning else None,
    )


def _json(value: Any) -> Text | None:
    return None if value is None else _text(json.dumps(value, ensure_ascii=False, indent=2))


def _text(text: str) -> Text:
    if len(text) <= _CUT + _SLACK:
        return Text(text, "")
    # At a blank, if there is one near: words stay whole.
    at = text.rfind(" ", _CUT - 100, _CUT)
    at = at if at > 0 else _CUT
    return Text(text[:at], text[at:])

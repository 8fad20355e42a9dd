"""A record as people read it: who said what, in which order, and where a pair parts.

Who speaks is taken from the data alone, never from a text: «Assistant:» inside one is text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mindcorpus.conversations import Turn, last_answer, named_call

_LABELS = {
    "system": "System",
    "developer": "Developer",
    "user": "User",
    "assistant": "Assistant",
    "tool": "Tool",
}
_PREFERRED, _REJECTED = "preferred", "rejected"


@dataclass(frozen=True)
class Call:
    """A tool that is called."""

    name: str
    arguments: str
    """JSON text."""


@dataclass(frozen=True)
class Said:
    """What one side said: a turn, or a text of a record that is no conversation."""

    role: str
    """A role of `conversations.Role`, or `input`, `response`, `rejected`."""
    label: str
    text: str
    remarks: tuple[str, ...] = ()
    """What is to be known of it, such as that nobody learns from it."""
    name: str = ""
    answers: str = ""
    """The id of the call that it answers."""
    calls: tuple[Call, ...] = ()
    reasoning: str = ""


@dataclass(frozen=True)
class Transcript:
    """All of a record, in the order in which it was said."""

    turns: tuple[Said, ...]
    """Of a preference pair the beginning that both sides share."""
    sides: tuple[tuple[Said, ...], ...] = ()
    """Of a preference pair: how the preferred one goes on, and how the rejected one does."""
    is_conversation: bool = False


def transcript_of(record: Mapping[str, Any]) -> Transcript:
    """Give the transcript of a record, as `reader.Records` has it."""
    messages, rejected = record["messages"], record["rejected_messages"]
    if messages is None:
        return _of_texts(record)
    # Without a response, as where the only answer is a bad one, all turns are what was asked.
    end = last_answer(_turns(messages)) if record["response"] else -1
    if rejected is not None:
        shared = _shared(messages, rejected)
        lost = _said(rejected, shared, last_answer(_turns(rejected)), _REJECTED)
    elif record["rejected_response"]:
        shared = max(end, 0)
        lost = (_rejected_text(record["rejected_response"]),)
    else:
        return Transcript(_said(messages, 0, end), is_conversation=True)
    return Transcript(
        _said(messages, 0, end)[:shared],
        (_said(messages, shared, end, _PREFERRED), lost),
        is_conversation=True,
    )


def _of_texts(record: Mapping[str, Any]) -> Transcript:
    asked = Said("input", "Input", record["input"])
    pair = bool(record["rejected_response"])
    response = record["response"]
    remarks = (_PREFERRED,) if pair else ()
    answer = (Said("response", "Response", response, remarks),) if response else ()
    if not pair:
        return Transcript((asked, *answer))
    return Transcript((asked,), (answer, (_rejected_text(record["rejected_response"]),)))


def _rejected_text(text: str) -> Said:
    return Said("rejected", "Rejected response", text)


def _shared(one: Sequence[Any], other: Sequence[Any]) -> int:
    """Count the turns with which both begin."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _said(
    messages: Sequence[Mapping[str, Any]], first: int, end: int, side: str | None = None
) -> tuple[Said, ...]:
    """Give the turns from one on; `end` is the place of the last answer, -1 if there is none."""
    return tuple(
        _turn(message, (side,) if side else (), later=0 <= end < first + at)
        for at, message in enumerate(messages[first:])
    )


def _turn(message: Mapping[str, Any], side: tuple[str, ...], *, later: bool) -> Said:
    remarks = [*side]
    if message.get("weight") == 0:
        remarks.append("not learnt from")
    if later:
        remarks.append("after the last answer")
    return Said(
        message["role"],
        _LABELS[message["role"]],
        message["content"] or "",
        tuple(remarks),
        message.get("name", ""),
        message.get("tool_call_id", ""),
        tuple(Call(*named_call(call)) for call in message.get("tool_calls", ())),
        message.get("reasoning_content", ""),
    )


def _turns(messages: Sequence[Mapping[str, Any]]) -> list[Turn]:
    """Give as much of the turns as tells which is the last answer."""
    return [
        Turn(
            message["role"],
            message["content"],
            weight=message.get("weight"),
            tool_calls="[]" if "tool_calls" in message else None,
        )
        for message in messages
    ]

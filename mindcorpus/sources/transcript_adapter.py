"""The adapter for conversations that are one text, each turn under the heading of its role."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from mindcorpus.conversations import Conversation, Role, Turn
from mindcorpus.sources.adapters import Kept, RowAdapter, Wrong, tags_of, text_of
from mindcorpus.sources.chat_record import chat_record
from mindcorpus.sources.chat_turns import NAMES_OF_ROLES, Changes

_SPEAKING: tuple[Role, ...] = ("system", "user", "assistant")
#: Headings `### Name:`, as instructions are written; an input goes on with what was asked.
_INSTRUCTIONS: Mapping[str, Role] = {
    "instruction": "user",
    "input": "user",
    "response": "assistant",
}
#: The names that are headings also where they do not begin a line.
_WITHIN = ("User", "Human", "Client", "Patient", "Assistant", "AI", "Bot", "Therapist", "Counselor")


@dataclass(frozen=True)
class Transcript(RowAdapter):
    """A text with a heading before each turn: `User: …`, `### Response: …`."""

    text: str
    headings: Mapping[str, Role] | None = None
    """The headings and their roles, in place of the usual names of roles."""

    @cached_property
    def _known(self) -> Mapping[str, Role]:
        return {name.lower(): role for name, role in (self.headings or _usual()).items()}

    def adapt(self, number: int, row: dict[str, Any]) -> Kept:
        """Make the record of one row, or raise `Wrong`."""
        changes: Changes = {}
        text = text_of(row, self.text, changes)
        marks = _marks(text, tuple(self._known), within=self.headings is None, changes=changes)
        if not marks:
            raise Wrong("no-heading", "no line begins with the heading of a role")
        turns = tuple(self._turns(text, marks, changes))
        tags = tags_of(row, self.tag_columns)
        return chat_record(number, Conversation(turns), tags, changes)

    def _turns(self, text: str, marks: list[re.Match[str]], changes: Changes) -> Iterator[Turn]:
        opening = text[: marks[0].start()].strip()
        if opening:
            changes["opening-text-as-system"] = None
            yield Turn("system", opening)
        ends = [mark.start() for mark in marks[1:]]
        asked = ""
        for mark, end in zip(marks, [*ends, len(text)], strict=True):
            name, said = mark["name"].lower(), text[mark.end() : end].strip()
            role = self._known[name]
            if name == "instruction" and self.headings is None:
                asked = said
                continue
            if name == "input" and self.headings is None:
                said, asked = "\n\n".join(part for part in (asked, said) if part), ""
            elif asked:
                yield Turn("user", asked)
                asked = ""
            yield Turn(role, said)
        if asked:
            yield Turn("user", asked)


def is_transcript(text: str) -> bool:
    """Tell whether a text has the usual headings of a user and of an assistant."""
    marks = _marks(text, tuple(_usual()), within=True, changes={})
    return {"user", "assistant"} <= {_usual()[mark["name"].lower()] for mark in marks}


@cache
def _usual() -> Mapping[str, Role]:
    names = {name: role for role in _SPEAKING for name in NAMES_OF_ROLES[role]}
    return {**names, **_INSTRUCTIONS}


def _marks(
    text: str, names: tuple[str, ...], *, within: bool, changes: Changes
) -> list[re.Match[str]]:
    """Find the headings: those of the form that the first has, else any within lines."""
    marks = list(_at_lines(names).finditer(text))
    if marks and marks[0]["sharp"]:
        return [mark for mark in marks if mark["sharp"]]
    if within:
        # Without sharps these are words that begin lines of any text.
        marks = [mark for mark in marks if mark["name"].lower() not in _INSTRUCTIONS]
        if len(marks) < 2 and len(inner := list(_within_lines().finditer(text))) > len(marks):
            changes["headings-within-lines"] = None
            return inner
    return [mark for mark in marks if not mark["sharp"]]


@cache
def _at_lines(names: tuple[str, ...]) -> re.Pattern[str]:
    any_name = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.compile(
        rf"^[ \t]*(?P<sharp>#{{1,6}}[ \t]*)?(?P<name>{any_name})[ \t]*:",
        re.IGNORECASE | re.MULTILINE,
    )


@cache
def _within_lines() -> re.Pattern[str]:
    return re.compile(rf"(?<!\S)(?P<name>{'|'.join(_WITHIN)}):(?!\S)")

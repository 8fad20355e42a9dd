"""What a table's layout is, by some of its rows: which adapter reads it, with which options.

Only layouts that are well known are told, and only where nothing else could be meant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mindcorpus.sources.adapters import looks_like_a_name, scalar_text
from mindcorpus.sources.chat_turns import CONTENT_KEYS, ROLE_KEYS
from mindcorpus.sources.pairs import messages_in_cell
from mindcorpus.sources.transcript_adapter import is_transcript

#: How many rows are enough to tell.
FIRST_ROWS = 20
#: Names of a column of messages, that of the field first, for where there are several such columns.
_CHATS = ("messages", "conversations", "conversation", "dialogue", "dialog", "chat", "turns")
_PROMPTS = ("prompt", "question", "query", "instruction", "input")
#: What stands on either side of a table of questions and answers, in small letters.
_QUESTIONS = (
    *("question", "questiontext", "query", "prompt", "input", "context"),
    *("user", "human", "patient", "client"),
)
_ANSWERS = (
    *("answer", "answertext", "response", "output", "completion", "reply"),
    *("assistant", "bot", "therapist", "counselor", "counsellor"),
)
_SYSTEMS = ("system", "system_prompt")
#: Columns that say whether an answer is a good one.
_LABELS = ("label", "kto_tag")
#: Columns that change what a row says, wherever they stand beside what a layout reads.
_TELLING = frozenset((*_SYSTEMS, *_LABELS, "rejected", "rejected_response", "tools"))
#: And those of instructions.
_OF_INSTRUCTIONS = frozenset(("input", "context"))
#: The options whose columns a row need not have: JSON leaves out what has no value.
_OPTIONAL = ("system", "instruction", "rejected_response")
_TRUTH = frozenset(("true", "false"))
_TRUTH_IN_NUMBERS = _TRUTH | frozenset(("1", "0", "1.0", "0.0"))


@dataclass(frozen=True)
class Layout:
    """A layout that was seen: what it is called, and what of an entry would say so."""

    name: str
    """Such as «messages», «preference pairs» or «questions and answers»."""
    adapter: str
    options: Mapping[str, Any]
    columns: tuple[str, ...]
    """The columns that it reads."""
    reason: str
    """What shows it: columns and keys, never text of a row."""
    unseen: frozenset[str] = frozenset()
    """Columns that would change what a row says, and that none of these rows has."""

    @property
    def optional(self) -> tuple[str, ...]:
        """The columns that a row need not have."""
        names = [*_OPTIONAL, *(["input"] if "instruction" in self.options else [])]
        return tuple(self.options[name] for name in names if name in self.options)

    def as_dict(self) -> dict[str, Any]:
        """Give it as JSON values."""
        return {
            "name": self.name,
            "adapter": self.adapter,
            "options": dict(self.options),
            "reason": self.reason,
        }


def detect(rows: Sequence[Mapping[str, Any]]) -> Layout | None:
    """Tell the layout of a table by some of its first rows; None if it is none that is known.

    The same rows give the same layout, in whatever order their columns stand.
    """
    table = _Table(rows)
    for find in (_preference, _messages, _kto, _alpaca, _questions, _transcript):
        if (layout := find(table)) is not None:
            return replace(layout, unseen=_unseen(layout, table))
    return None


def _unseen(layout: Layout, table: _Table) -> frozenset[str]:
    telling = _TELLING | (_OF_INSTRUCTIONS if "instruction" in layout.columns else frozenset())
    # Tools are read wherever chats are.
    telling -= {*layout.columns, *(() if layout.adapter == "columns" else ("tools",))}
    return frozenset(column for column in telling if not table.values(column))


def advice(row: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """Tell which adapter and options would read a row, if they are others than it is read by.

    `options` are those it is read by; "" where nothing is known, or nothing better.
    """
    layout = detect([row])
    # No two adapters have the same options, so that these tell the adapter as well.
    if layout is None or layout.options.items() <= options.items():
        return ""
    said = [f"{option} = {column!r}" for option, column in layout.options.items()]
    return f"; it looks like {layout.name}: adapter = {layout.adapter!r}, {', '.join(said)}"


class _Table:
    """Some rows, and what their columns hold."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rows = rows
        self.columns = tuple(sorted({column for row in rows for column in row}))

    def values(self, column: str) -> list[Any]:
        """Give what a column holds, nulls left out."""
        return [row[column] for row in self._rows if row.get(column) is not None]

    def label(self, words: frozenset[str] = _TRUTH) -> str | None:
        """Give the column that says whether answers are good, if it says so in these words."""
        for column in _LABELS:
            labels = {str(value).strip().lower() for value in self.values(column)}
            if labels and labels <= words:
                return column
        return None

    def holds_messages(self, column: str) -> bool:
        """Tell whether a column has messages in every row."""
        values = self.values(column)
        return len(values) == len(self._rows) > 0 and all(map(messages_in_cell, values))

    def holds_texts(self, column: str) -> bool:
        """Tell whether a column holds texts, or what is written as text, and some of it."""
        values = self.values(column)
        return bool(values) and all(scalar_text(value) is not None for value in values)

    def holds_sides(self, *columns: str) -> bool:
        """Tell whether there are these columns, each with texts or with messages."""
        return all(
            column in self.columns and (self.holds_texts(column) or self.holds_messages(column))
            for column in columns
        )

    def first_of(self, names: Sequence[str]) -> str | None:
        """Give the first of some columns that is there and holds texts."""
        return next((name for name in names if self.holds_texts(name)), None)

    def named(self, names: Sequence[str]) -> list[str]:
        """Give the columns with texts whose names, in small letters, are among these."""
        return [
            column
            for column in self.columns
            if column.lower().replace("_", "") in names and self.holds_texts(column)
        ]

    def keys_of(self, column: str) -> str:
        """Name the keys of role and text in a column's messages."""
        messages = messages_in_cell(self.values(column)[0]) or [{}]
        found = [
            next((key for key in keys if messages[0].get(key) is not None), keys[0])
            for keys in (ROLE_KEYS, CONTENT_KEYS)
        ]
        return f"messages with the keys {found[0]!r} and {found[1]!r}"


def _layout(name: str, adapter: str, options: Mapping[str, str | None], reason: str) -> Layout:
    given = {option: column for option, column in options.items() if column is not None}
    return Layout(name, adapter, given, tuple(dict.fromkeys(given.values())), reason)


def _preference(table: _Table) -> Layout | None:
    if not table.holds_sides("chosen", "rejected"):
        return None
    lists = table.holds_messages("chosen")
    prompt = next((name for name in _PROMPTS if table.holds_sides(name)), None)
    prompt = prompt or next((name for name in _CHATS if table.holds_messages(name)), None)
    if prompt is None and not lists:
        return None
    shape = table.keys_of("chosen") if lists else "texts"
    options = {
        "chosen": "chosen",
        "rejected": "rejected",
        "prompt": prompt,
        "system": table.first_of(_SYSTEMS),
    }
    return _layout(
        "preference pairs", "preference", options, f"'chosen' and 'rejected' hold {shape}"
    )


def _messages(table: _Table) -> Layout | None:
    sides = {"prompt", "completion"}
    found = [
        column
        for column in table.columns
        if column not in sides
        and looks_like_a_name(column)
        and table.holds_messages(column)
        and not _is_object(table.values(column)[0])
    ]
    named = [name for name in _CHATS if name in found]
    if not named and len(found) != 1:
        return None
    column = (named or found)[0]
    options = {
        "messages": column,
        "label": table.label(),
        "system": table.first_of(_SYSTEMS),
    }
    return _layout("messages", "messages", options, f"{column!r} holds {table.keys_of(column)}")


def _is_object(value: Any) -> bool:
    """Tell whether a value is an object, or its JSON text: one message is no conversation."""
    return isinstance(value, dict) or (isinstance(value, str) and value[:1] == "{")


def _kto(table: _Table) -> Layout | None:
    if not table.holds_sides("prompt", "completion"):
        return None
    label = table.label(_TRUTH_IN_NUMBERS)
    if label is None and any(map(table.values, _LABELS)):
        return None  # what says of an answer that it is a bad one must not be passed over
    options = {
        "input": "prompt",
        "response": "completion",
        "label": label,
        "system": table.first_of(_SYSTEMS),
    }
    columns = f"'prompt', 'completion' and {label!r}" if label else "'prompt' and 'completion'"
    return _layout("prompt and completion", "columns", options, f"there are columns {columns}")


def _alpaca(table: _Table) -> Layout | None:
    answers = [name for name in ("output", "response") if table.holds_texts(name)]
    if not table.holds_texts("instruction") or len(answers) != 1:
        return None
    inputs = [name for name in ("input", "context") if name in table.columns]
    if len(inputs) > 1:
        return None
    options = {
        "input": inputs[0] if inputs else "instruction",
        "response": answers[0],
        "instruction": "instruction" if inputs else None,
        "label": table.label(),
        "system": table.first_of(_SYSTEMS),
    }
    columns = ", ".join(map(repr, ["instruction", *inputs, *answers]))
    return _layout("instructions", "columns", options, f"there are columns {columns}")


def _questions(table: _Table) -> Layout | None:
    questions, answers = table.named(_QUESTIONS), table.named(_ANSWERS)
    if len(questions) != 1 or len(answers) != 1:
        return None
    if (questions, answers) == (["prompt"], ["completion"]):
        return None  # labelled in a way that is not known: see `_kto`
    rejected = "rejected_response" if "rejected_response" in table.columns else None
    options = {
        "input": questions[0],
        "response": answers[0],
        "rejected_response": rejected,
        "label": table.label(),
        "system": table.first_of(_SYSTEMS),
    }
    reason = f"there are columns {questions[0]!r} and {answers[0]!r}"
    return _layout("questions and answers", "columns", options, reason)


def _transcript(table: _Table) -> Layout | None:
    found = [
        column
        for column in table.columns
        if looks_like_a_name(column)
        and all(isinstance(value, str) and is_transcript(value) for value in table.values(column))
        and table.values(column)
    ]
    if len(found) != 1:
        return None
    return _layout(
        "text with headings", "transcript", {"text": found[0]}, f"{found[0]!r} holds role headings"
    )

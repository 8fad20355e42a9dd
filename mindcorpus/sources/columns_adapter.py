"""The adapter for tables: a column for each side of a record, by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from mindcorpus.conversations import Conversation, Turn
from mindcorpus.records import is_blank
from mindcorpus.sources.adapters import Kept, RowAdapter, Wrong, look_up, tags_of, text_of
from mindcorpus.sources.chat_adapter import with_system
from mindcorpus.sources.chat_record import tools_of
from mindcorpus.sources.chat_turns import Changes, TurnReader
from mindcorpus.sources.pairs import (
    Turns,
    is_good,
    messages_in_cell,
    pair_record,
    rejected_record,
    side,
)
from mindcorpus.sources.patterns import Pattern, cut_at
from mindcorpus.sources.readers import Drop, Row

_READER = TurnReader()
_OPENING = ("[", "{")


@dataclass(frozen=True)
class Columns(RowAdapter):
    """Columns by name. Without a `response` column, records have none, and none is expected."""

    input: str
    response: str | None = None
    rejected_response: str | None = None
    instruction: str | None = None
    """Put before the input with a blank line between them; either may be blank."""
    system: str | None = None
    """A system prompt, which becomes a turn."""
    label: str | None = None
    """Whether the response is a good one; else it becomes the rejected response."""
    input_fallback: str | None = None
    """Used where `input` is blank, unless it begins with `input_fallback_unless`."""
    input_fallback_unless: str | None = None
    cut_response_at: Pattern | None = None
    """A regular expression of RE2, which takes no longer for a text than the text is long; what it
    matches, and all behind it, is cut off and counted."""
    drop_if_response_holds: str | None = None

    def __call__(self, rows: Iterable[Row | Drop]) -> Iterator[Kept | Drop]:
        """Adapt the rows of one shard."""
        adapted = super().__call__
        if not self._is_of_two_texts():
            yield from adapted(rows)
            return
        asked, answered = self.input, self.response
        for row in rows:
            if isinstance(row, Row) and type(row.value) is dict:
                input_, response = row.value.get(asked), row.value.get(answered)
                # As nearly all rows are; `adapt` gives the same of these.
                if (
                    type(input_) is str
                    and type(response) is str
                    and not is_blank(input_)
                    and not is_blank(response)
                    and not response.startswith(_OPENING)
                    and not input_.startswith(_OPENING)
                ):
                    yield Kept(row.number, input_, response)
                    continue
            yield from adapted((row,))

    def _is_of_two_texts(self) -> bool:
        """Tell whether nothing is asked for but an input and a response, each as it is."""
        mine = (self.input, self.response)
        # The input's own name means more where it is that of an instruction.
        return self.response is not None and self.input != "instruction" and self == Columns(*mine)

    def adapt(self, number: int, row: dict[str, Any]) -> Kept:
        """Make the record of one row, or raise `Wrong`."""
        try:
            record = self._of_texts(number, row)
        except Wrong:
            if self._holds_messages(row):
                return self._of_messages(number, row)
            raise
        # Of texts only those that may be JSON are looked at.
        may_be = record[1].startswith(_OPENING) or record[2].startswith(_OPENING)
        return self._of_messages(number, row) if may_be and self._holds_messages(row) else record

    def _of_texts(self, number: int, row: dict[str, Any]) -> Kept:
        changes: Changes = {}
        input_ = text_of(row, self.input, changes)
        if self.instruction is not None or self.input == "instruction":
            input_ = self._joined(row, input_, changes)
        if is_blank(input_):
            input_ = self._fallback(row, changes)
        response = self._response(row, changes) if self.response is not None else ""
        rejected = ""
        if self.rejected_response is not None:
            rejected = text_of(row, self.rejected_response, changes)
            if is_blank(rejected):
                rejected = ""
        if self.label is not None and not is_good(row, self.label):
            response, rejected = "", response
        chat = None
        if self.system is not None:
            chat = self._instructed(row, (input_, response, rejected), changes)
        tags = tags_of(row, self.tag_columns)
        return Kept(number, input_, response, rejected, tags, tuple(changes), conversation=chat)

    def _joined(self, row: dict[str, Any], text: str, changes: Changes) -> str:
        if row.get("history"):
            # Turns before these, as the field's tools write them beside instructions.
            changes["history-column-left-out"] = None
        if self.instruction is not None:
            before = text_of(row, self.instruction, changes)
            return "\n\n".join(part for part in (before, text) if not is_blank(part))
        # The usual second half of such a prompt, which the entry does not ask for.
        other = row.get("input")
        if isinstance(other, str) and not is_blank(other):
            changes["input-column-left-out"] = None
        return text

    def _fallback(self, row: dict[str, Any], changes: Changes) -> str:
        if self.input_fallback:
            text = text_of(row, self.input_fallback, changes)
            unless = self.input_fallback_unless
            if not is_blank(text) and not (unless and text.lstrip().startswith(unless)):
                return text
        raise Wrong("blank-input")

    def _response(self, row: dict[str, Any], changes: Changes) -> str:
        response = text_of(row, self.response or "", changes)
        if self.cut_response_at and (cut := cut_at(self.cut_response_at, response)) is not None:
            response = response[:cut]
            changes["run-on-cut"] = None
        if is_blank(response):
            raise Wrong("blank-response")
        if self.drop_if_response_holds and self.drop_if_response_holds in response:
            raise Wrong("embedded-data", f"the response holds {self.drop_if_response_holds!r}")
        return response

    def _instructed(
        self, row: dict[str, Any], texts: tuple[str, str, str], changes: Changes
    ) -> Conversation | None:
        """Give the turns of a record that has a system prompt."""
        system = text_of(row, self.system or "", changes)
        if is_blank(system):
            return None
        before = (Turn("system", system), Turn("user", texts[0]))
        chosen, rejected = ((*before, Turn("assistant", text)) for text in texts[1:])
        return Conversation(chosen if texts[1] else before, rejected if texts[2] else ())

    def _holds_messages(self, row: dict[str, Any]) -> bool:
        """Tell whether a side is no text but messages, as those of pairs and completions may be."""
        if self.response is None or self.instruction or self.cut_response_at:
            return False  # these are of texts alone
        if self.drop_if_response_holds:
            return False
        columns = (self.input, self.response, self.rejected_response)
        return any(messages_in_cell(look_up(row, column)) for column in columns if column)

    def _of_messages(self, number: int, row: dict[str, Any]) -> Kept:
        changes: Changes = {}
        prompt = side(row, self.input, "user", _READER, changes)
        sides: list[Turns] = [
            side(row, column, "assistant", _READER, changes) if column else ()
            for column in (self.response, self.rejected_response)
        ]
        if self.system is not None:
            prompt = with_system(prompt, text_of(row, self.system, changes))
        tools, tags = tools_of(row, changes), tags_of(row, self.tag_columns)
        if self.label is not None and not is_good(row, self.label):
            return rejected_record(number, prompt, sides[0], tools, tags, changes)
        return pair_record(number, prompt, (sides[0], sides[1]), tools, tags, changes)

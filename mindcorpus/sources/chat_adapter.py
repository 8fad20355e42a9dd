"""The adapter for chats: a list of messages, or its JSON text, makes a whole conversation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mindcorpus.conversations import INSTRUCTING, Conversation, Role, Turn
from mindcorpus.records import is_blank
from mindcorpus.sources.adapters import Kept, RowAdapter, Wrong, look_up, names_of, tags_of, text_of
from mindcorpus.sources.chat_record import chat_record, tools_of
from mindcorpus.sources.chat_turns import Changes, TurnReader, parsed
from mindcorpus.sources.pairs import is_good, rejected_record


@dataclass(frozen=True)
class Messages(RowAdapter):
    """A list of messages: what came before the last answer to learn from, and that one.

    With one user message before it the input is that message; with more turns, all of them under
    the headings `User:`, `Assistant:` and `Tool:`. All turns stand beside them as they are.
    """

    messages: str
    role_key: str = ""
    """The key of a message's role; the usual ones are known."""
    content_key: str = ""
    """The key of a message's text; the usual ones are known."""
    roles: Mapping[str, Role] | None = None
    """What roles are called, beside the usual names."""
    system: str = ""
    """A column beside the messages that holds a system prompt, for those without one."""
    label: str = ""
    """Whether the last answer is a good one; else it becomes the rejected response."""

    @cached_property
    def _reader(self) -> TurnReader:
        return TurnReader(self.role_key, self.content_key, self.roles)

    def adapt(self, number: int, row: dict[str, Any]) -> Kept:
        """Make the record of one row, or raise `Wrong`."""
        changes: Changes = {}
        turns = self._reader.read(messages_in(row, self.messages), changes)
        if self.system:
            turns = with_system(turns, text_of(row, self.system, changes))
        tools, parallel = tools_of(row, changes)
        chat = Conversation(turns, (), tools, parallel)
        tags = tags_of(row, self.tag_columns)
        if self.label and not is_good(row, self.label):
            return rejected_record(number, (), turns, (tools, parallel), tags, changes)
        return chat_record(number, chat, tags, changes)


def with_system(turns: tuple[Turn, ...], text: str) -> tuple[Turn, ...]:
    """Put a system turn first, unless there is no text for it, or turns that instruct already."""
    if is_blank(text) or any(turn.role in INSTRUCTING for turn in turns):
        return turns
    return (Turn("system", text), *turns)


def messages_in(row: Mapping[str, Any], column: str) -> list[Any]:
    """Give the list of messages in a column, or in its JSON text; raises `Wrong` for none."""
    messages = look_up(row, column)
    if messages is None and column in row:
        raise Wrong("wrong-type", f"{column!r} is null, not a list")
    if messages is None:
        raise Wrong("missing-column", f"there is no {column!r}; the row has {names_of(row)}")
    if isinstance(messages, str):
        messages = parsed(messages, repr(column))
    if not isinstance(messages, list):
        raise Wrong("wrong-type", f"{column!r} is {type(messages).__name__}, not a list")
    return messages

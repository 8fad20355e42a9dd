"""The adapter for preference pairs: a chosen and a rejected answer, as texts or as messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mindcorpus.conversations import Role
from mindcorpus.sources.adapters import Kept, RowAdapter, tags_of, text_of
from mindcorpus.sources.chat_adapter import with_system
from mindcorpus.sources.chat_record import tools_of
from mindcorpus.sources.chat_turns import Changes, TurnReader
from mindcorpus.sources.pairs import pair_record, side


@dataclass(frozen=True)
class Preference(RowAdapter):
    """A chosen and a rejected answer to one prompt, which may stand in a column or within them.

    Each of the three may be a text, a message, a list of messages or its JSON text. An answer may
    repeat the prompt, or go on from it.
    """

    chosen: str
    rejected: str
    prompt: str = ""
    """The prompt's column; without one both answers hold it."""
    system: str = ""
    """A column that holds a system prompt, for those without one."""
    role_key: str = ""
    content_key: str = ""
    roles: Mapping[str, Role] | None = None

    @cached_property
    def _reader(self) -> TurnReader:
        return TurnReader(self.role_key, self.content_key, self.roles)

    def adapt(self, number: int, row: dict[str, Any]) -> Kept:
        """Make the record of one row, or raise `Wrong`."""
        changes: Changes = {}
        prompt = side(row, self.prompt, "user", self._reader, changes) if self.prompt else ()
        chosen, rejected = (
            side(row, column, "assistant", self._reader, changes)
            for column in (self.chosen, self.rejected)
        )
        if self.system:
            prompt = with_system(prompt, text_of(row, self.system, changes))
        tools = tools_of(row, changes)
        tags = tags_of(row, self.tag_columns)
        return pair_record(number, prompt, (chosen, rejected), tools, tags, changes)

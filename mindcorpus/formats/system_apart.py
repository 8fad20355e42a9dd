"""What formats share that hold instructions apart: one system text, then users and assistants."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from mindcorpus.conversations import INSTRUCTING, Conversation
from mindcorpus.corpus.row_facts import Numbers, RowFacts
from mindcorpus.formats.chats import ChatEncoder, Text


class Said(NamedTuple):
    """A turn: who says it, user or assistant, and its text."""

    role: str
    text: str


class SystemApart(ChatEncoder):
    """Encodes chats of a system text and of turns; knows sizes where all are plain records.

    It is given none with another turn that instructs than the first.
    """

    def __init__(self, system_prompt: str, policy: str) -> None:
        super().__init__()
        self._policy = policy
        self._prompt = system_prompt if policy != "none" else None

    @abstractmethod
    def value(self, system: str | None, turns: Sequence[Said]) -> dict[str, Any]:
        """Give what a line holds."""

    def sizes(self, rows: RowFacts) -> Numbers | None:
        """Give the bytes of each corpus row's line, shape (rows,); None where one has turns."""
        if rows.turns_json.any():
            return None
        nothing = Text("", b'""')
        frame = len(self.plain(nothing, nothing)) - 2 * len(nothing.json)
        sizes: Numbers = rows.input_json + rows.response_json + frame
        return sizes

    def plain(self, input_: Text, response: Text) -> bytes:
        """Give the line of a record that its two texts say."""
        said = [Said("user", input_.plain), Said("assistant", response.plain)]
        return self._line(self._prompt, said)

    def chat(self, chat: Conversation) -> tuple[bytes, Sequence[str]]:
        """Give the line of a conversation."""
        own = [turn.content or "" for turn in chat.turns if turn.role in INSTRUCTING]
        system = own[0] if own and self._policy == "own" else self._prompt
        said = [
            Said(turn.role, turn.content or "")
            for turn in chat.turns
            if turn.role not in INSTRUCTING
        ]
        return self._line(system, said), ()

    def _line(self, system: str | None, turns: Sequence[Said]) -> bytes:
        return orjson.dumps(self.value(system, turns), option=orjson.OPT_APPEND_NEWLINE)

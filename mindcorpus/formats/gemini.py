"""Gemini tuning JSON lines: a system instruction, and contents of users and the model.

Source: https://cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-supervised-tuning-prepare,
as it stood on 2025-09-04.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mindcorpus.formats.chats import ChatFormat
from mindcorpus.formats.lines import Lines
from mindcorpus.formats.system_apart import Said, SystemApart

_ROLES = {"user": "user", "assistant": "model"}


class Contents(SystemApart):
    """Encodes chats as contents of one part each."""

    def value(self, system: str | None, turns: Sequence[Said]) -> dict[str, Any]:
        """Give what a line holds."""
        contents = [{"role": _ROLES[turn.role], "parts": [{"text": turn.text}]} for turn in turns]
        if system is None:
            return {"contents": contents}
        instruction = {"role": "system", "parts": [{"text": system}]}
        return {"systemInstruction": instruction, "contents": contents}


class Gemini(ChatFormat):
    """A folder with a file for each part, a chat a line."""

    def lines(self) -> Sequence[Lines]:
        """Give what encodes them."""
        return [Lines(Contents, (self.settings["system_prompt"], self.settings["system_policy"]))]


FORMAT = Gemini

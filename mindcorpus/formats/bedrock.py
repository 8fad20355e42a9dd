"""Bedrock customisation JSON lines: `bedrock-conversation-2024`, as Amazon Nova is tuned with it.

Source: https://docs.aws.amazon.com/nova/latest/userguide/fine-tune-prepare-data-understanding.html,
seen in 2026-11: one system text, the first turn is a user's, the last the assistant's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mindcorpus.formats.base import Made
from mindcorpus.formats.chats import ChatFormat, Encoded
from mindcorpus.formats.lines import LineFile, Lines
from mindcorpus.formats.system_apart import Said, SystemApart
from mindcorpus.storage.files import Written
from mindcorpus.warning import DataWarning

#: A job fails at a system text or a user's turn with one of these.
RESERVED = ("User:", "Bot:", "Assistant:", "System:", "<image>", "<video>", "[EOS]")


class BedrockConversations(SystemApart):
    """Encodes chats as messages of one text each, and counts what a job would fail at."""

    def __init__(self, system_prompt: str, policy: str) -> None:
        super().__init__(system_prompt, policy)
        self._reserved = 0

    def value(self, system: str | None, turns: Sequence[Said]) -> dict[str, Any]:
        """Give what a line holds."""
        asked = [system or "", *(turn.text for turn in turns if turn.role == "user")]
        self._reserved += any(word in text for text in asked for word in RESERVED)
        instruction = {} if system is None else {"system": [{"text": system}]}
        messages = [{"role": turn.role, "content": [{"text": turn.text}]} for turn in turns]
        return {
            "schemaVersion": "bedrock-conversation-2024",
            **instruction,
            "messages": messages,
        }

    def result(self) -> Encoded:
        """Give what was done to conversations, and in how many there is a reserved word."""
        return Encoded(self._changed, self._reserved)


class Bedrock(ChatFormat):
    """A folder with a file for each part, a chat a line."""

    def lines(self) -> Sequence[Lines]:
        """Give what encodes them."""
        settings = self.settings["system_prompt"], self.settings["system_policy"]
        return [Lines(BedrockConversations, settings)]

    def describe(
        self,
        files: Sequence[LineFile],
        outputs: Sequence[Written],
        encoded: Sequence[Sequence[Any]],
    ) -> Made:
        """Tell what was done to conversations, and of which of them a job would fail."""
        reserved = sum(run.checked for run in encoded[0])
        warning = DataWarning(
            "reserved-words",
            f"{reserved:,} of the rows hold a word that the provider reserves, in a user's turn or "
            f"a system text ({', '.join(RESERVED)}): its job fails at such rows.",
        )
        made = super().describe(files, outputs, encoded)
        return replace(made, warnings=[warning] if reserved else [])


FORMAT = Bedrock

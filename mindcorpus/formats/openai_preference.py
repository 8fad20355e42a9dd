"""OpenAI preference JSON lines: an input of messages, a preferred and a non-preferred answer."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from mindcorpus.chat_messages import messages_of
from mindcorpus.formats.base import PAIRS
from mindcorpus.formats.chats import ChatFormat
from mindcorpus.formats.lines import Lines
from mindcorpus.formats.pairs import Message, Pair, PairEncoder, Turns


class PreferenceLines(PairEncoder):
    """Encodes pairs in the provider's schema, which has one assistant message a side."""

    def messages(self, turns: Turns) -> list[Message]:
        """Give turns as messages of the schema; what is not learnt has no weight."""
        return messages_of([turn._replace(weight=None) for turn in turns])

    def encode(self, pair: Pair) -> bytes:
        """Give the line of a pair."""
        prompt, chosen, rejected = map(orjson.dumps, pair[:3])
        return b"".join(
            (
                *(b'{"input":{"messages":', prompt, pair.tools),
                *(b'},"preferred_output":', chosen),
                *(b',"non_preferred_output":', rejected, b"}\n"),
            )
        )


class OpenAIPreference(ChatFormat):
    """A folder with a file for each part, a pair a line."""

    sections = (PAIRS,)

    def lines(self) -> Sequence[Lines]:
        """Give what encodes them."""
        settings = self.settings["system_prompt"], self.settings["system_policy"]
        return [Lines(PreferenceLines, settings)]


FORMAT = OpenAIPreference

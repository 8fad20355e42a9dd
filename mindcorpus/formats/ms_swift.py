"""A folder for ms-swift: the lines of `chat`, and pairs as a chat with the rejected answer beside.

As its own loader reads them (4.6, `dataset/preprocessor/core.py`): it takes an empty
`rejected_response` for an answer, so only real pairs are there; it deletes rows with a developer's
turn, and leaves weights and names out without a word.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from mindcorpus.formats.base import Section
from mindcorpus.formats.chats import ChatFormat
from mindcorpus.formats.lines import Lines
from mindcorpus.formats.openai import ChatLines
from mindcorpus.formats.pairs import ONE_TEXT, Pair, PairEncoder


class RejectedBeside(PairEncoder):
    """Encodes pairs as the chosen conversation, and the text of the rejected answer."""

    def encode(self, pair: Pair) -> bytes:
        """Give the line of a pair, each of whose sides is one message."""
        (rejected,) = pair.rejected
        value = {
            "messages": [*pair.prompt, *pair.chosen],
            "rejected_response": rejected["content"],
        }
        return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


class MsSwift(ChatFormat):
    """A folder with the files of both."""

    sections = (
        Section("sft", refuses=("developer",)),
        Section("dpo", "pairs", carries=ONE_TEXT),
    )

    def lines(self) -> Sequence[Lines]:
        """Give what encodes them: chats are the lines of the format `chat`."""
        settings = self.settings["system_prompt"], self.settings["system_policy"]
        return [Lines(ChatLines, settings, "sft"), Lines(RejectedBeside, settings, "dpo")]


FORMAT = MsSwift

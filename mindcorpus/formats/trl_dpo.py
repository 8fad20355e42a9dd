"""TRL's preference JSON lines: prompt, chosen and rejected, each a list of messages."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from mindcorpus.formats.base import PAIRS
from mindcorpus.formats.chats import ChatFormat
from mindcorpus.formats.lines import Lines
from mindcorpus.formats.pairs import Pair, PairEncoder


class PromptChosenRejected(PairEncoder):
    """Encodes pairs as three lists of messages."""

    def encode(self, pair: Pair) -> bytes:
        """Give the line of a pair."""
        value = {"prompt": pair.prompt, "chosen": pair.chosen, "rejected": pair.rejected}
        return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


class TrlDpo(ChatFormat):
    """A folder with a file for each part, a pair a line."""

    sections = (PAIRS,)

    def lines(self) -> Sequence[Lines]:
        """Give what encodes them."""
        settings = self.settings["system_prompt"], self.settings["system_policy"]
        return [Lines(PromptChosenRejected, settings)]


FORMAT = TrlDpo

"""TRL's unpaired JSON lines: each pair's chosen answer as a good one, the other as a bad one."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from mindcorpus.formats.base import PAIRS
from mindcorpus.formats.chats import ChatFormat
from mindcorpus.formats.lines import Lines
from mindcorpus.formats.pairs import Pair, PairEncoder


class PromptCompletionLabel(PairEncoder):
    """Encodes each pair as two lines, the chosen answer first."""

    per_record = 2
    prompts = 2

    def encode(self, pair: Pair) -> bytes:
        """Give the lines of a pair."""
        return b"".join(
            orjson.dumps(
                {"prompt": pair.prompt, "completion": completion, "label": label},
                option=orjson.OPT_APPEND_NEWLINE,
            )
            for completion, label in ((pair.chosen, True), (pair.rejected, False))
        )


class TrlKto(ChatFormat):
    """A folder with a file for each part, two lines a pair."""

    sections = (PAIRS,)

    def lines(self) -> Sequence[Lines]:
        """Give what encodes them."""
        settings = self.settings["system_prompt"], self.settings["system_policy"]
        return [Lines(PromptCompletionLabel, settings)]


FORMAT = TrlKto

"""ShareGPT JSON lines: `conversations` of turns {from, value}, in a train and a validation file.

The keys are those that Unsloth's `standardize_sharegpt` and LLaMA-Factory's `sharegpt` read. The
former fails for any but system, human and gpt; the latter leaves out rows in which users and
assistants do not take turns: such records are not in these files.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from mindcorpus.conversations import INSTRUCTING, Conversation, Turn
from mindcorpus.corpus.row_facts import Numbers, RowFacts
from mindcorpus.formats.chats import ChatEncoder, ChatFormat, Text
from mindcorpus.formats.lines import Lines

_HEAD = b'{"conversations":[{"from":"human","value":'
_MIDDLE = b'},{"from":"gpt","value":'
_END = b"}]}\n"
_FROM = {"system": "system", "developer": "system", "user": "human", "assistant": "gpt"}


class Conversations(ChatEncoder):
    """Encodes records as conversations; knows their sizes where all are plain records."""

    def __init__(self, system_prompt: str, policy: str) -> None:
        super().__init__()
        self._policy = policy
        self._prompt = Turn("system", system_prompt)

    def sizes(self, rows: RowFacts) -> Numbers | None:
        """Give the bytes of each corpus row's line, shape (rows,); None where one has turns."""
        if rows.turns_json.any():
            return None
        frame = len(_HEAD) + len(_MIDDLE) + len(_END)
        sizes: Numbers = rows.input_json + rows.response_json + frame
        return sizes

    def plain(self, input_: Text, response: Text) -> bytes:
        """Give the line of a record that its two texts say."""
        return b"".join((_HEAD, input_.json, _MIDDLE, response.json, _END))

    def chat(self, chat: Conversation) -> tuple[bytes, Sequence[str]]:
        """Give the line of a conversation."""
        turns = [
            {"from": _FROM[turn.role], "value": turn.content or ""}
            for turn in self._with_policy(chat.turns)
        ]
        return orjson.dumps({"conversations": turns}, option=orjson.OPT_APPEND_NEWLINE), ()

    def _with_policy(self, turns: Sequence[Turn]) -> Sequence[Turn]:
        """Keep a record's own instructions, or put the prompt in their place, or none."""
        if self._policy == "own":
            return turns
        others = [turn for turn in turns if turn.role not in INSTRUCTING]
        replaced = self._policy == "replace" and len(others) < len(turns)
        return [self._prompt, *others] if replaced else others


class ShareGPT(ChatFormat):
    """A folder with a file for each part, a conversation a line."""

    def lines(self) -> Sequence[Lines]:
        """Give what encodes them."""
        settings = self.settings["system_prompt"], self.settings["system_policy"]
        return [Lines(Conversations, settings)]


FORMAT = ShareGPT

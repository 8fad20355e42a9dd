"""A folder for LLaMA-Factory: chats, pairs, and the `dataset_info.json` that describes them.

As its own loader reads it (0.9.5, `data/converter.py`): of a pair each side is one message, not a
list; a row whose users and assistants do not take turns behind one system turn is left out of
training without a word, and so is one of another role.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from mindcorpus.formats.base import PARTS, Section
from mindcorpus.formats.chats import ChatFormat
from mindcorpus.formats.lines import LineFile, Lines
from mindcorpus.formats.openai import ChatLines
from mindcorpus.formats.pairs import Pair, PairEncoder

_TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "system_tag": "system",
    "observation_tag": "observation",
    "function_tag": "function_call",
}
_COLUMNS: dict[str, dict[str, Any]] = {
    "sft": {"columns": {"messages": "messages"}},
    "dpo": {
        "ranking": True,
        "columns": {"messages": "prompt", "chosen": "chosen", "rejected": "rejected"},
    },
}


class OneMessageEach(PairEncoder):
    """Encodes pairs as a list of messages and two messages."""

    def encode(self, pair: Pair) -> bytes:
        """Give the line of a pair, each of whose sides is one message."""
        (chosen,), (rejected,) = pair.chosen, pair.rejected
        value = {"prompt": pair.prompt, "chosen": chosen, "rejected": rejected}
        return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


class LlamaFactory(ChatFormat):
    """A folder with the files of both, an entry for each part of each."""

    sections = (
        Section("sft", refuses=("developer",)),
        Section("dpo", "pairs", carries=("turns", "system")),
    )

    def lines(self) -> Sequence[Lines]:
        """Give what encodes them: chats are the lines of the format `chat`."""
        settings = self.settings["system_prompt"], self.settings["system_policy"]
        return [Lines(ChatLines, settings, "sft"), Lines(OneMessageEach, settings, "dpo")]

    def extras(self, files: Sequence[LineFile]) -> Mapping[str, str]:
        """Give `dataset_info.json`: `mindcorpus_sft`, `mindcorpus_sft_validation` and so on."""
        entries: dict[str, Any] = {
            f"mindcorpus_{file.lines.section}" + f"_{file.part}" * (file.part != PARTS[0]): {
                "file_name": file.name,
                "formatting": "sharegpt",
                **_COLUMNS[file.lines.section],
                "tags": _TAGS,
            }
            for file in files
        }
        return {"dataset_info.json": json.dumps(entries, indent=2) + "\n"}


FORMAT = LlamaFactory

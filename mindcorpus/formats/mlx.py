"""A folder for mlx-lm: the lines of `chat` under the names that it looks for.

Source: mlx-lm 0.32.2, `tuner/datasets.py`, `load_local_dataset`.
"""

from __future__ import annotations

from collections.abc import Sequence

from mindcorpus.formats.chats import ChatFormat
from mindcorpus.formats.lines import Lines
from mindcorpus.formats.openai import ChatLines


class Mlx(ChatFormat):
    """A folder with `train.jsonl` and `valid.jsonl`."""

    def lines(self) -> Sequence[Lines]:
        """Give what encodes them."""
        return [Lines(ChatLines, (self.settings["system_prompt"], self.settings["system_policy"]))]

    def file_name(self, section: str, part: str) -> str:
        """Give the name of the file of a part."""
        return super().file_name(section, {"validation": "valid"}.get(part, part))


FORMAT = Mlx

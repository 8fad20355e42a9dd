"""A folder for Axolotl: the lines of `chat` and `trl-dpo`, and a configuration over each.

As its own loader reads them (0.21, `prompt_strategies/chat_template.py`, `…/dpo/chat_template.py`):
of a pair's side it takes the last message alone, so pairs with more are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mindcorpus.formats.base import PARTS, Section
from mindcorpus.formats.chats import ChatFormat
from mindcorpus.formats.lines import LineFile, Lines
from mindcorpus.formats.openai import ChatLines
from mindcorpus.formats.pairs import ONE_TEXT
from mindcorpus.formats.trl_dpo import PromptChosenRejected

#: What each configuration says of a file, beside its path.
_READING = {
    "sft": {
        "ds_type": "json",
        "split": "train",
        "type": "chat_template",
        "field_messages": "messages",
        # A turn of weight 0 would be trained on without it.
        "message_field_training": "weight",
    },
    "dpo": {
        "split": "train",
        "type": "chat_template.default",
        "field_messages": "prompt",
        "field_chosen": "chosen",
        "field_rejected": "rejected",
    },
}
_HEAD = """# Paths are relative: run it in here, `axolotl train {section}.yml --base-model MODEL`.
{more}chat_template: tokenizer_default
"""
#: What the user may well change; without them it does not start, or cuts at 512 tokens.
_TRAINING = """output_dir: ./out
sequence_len: 4096
micro_batch_size: 1
gradient_accumulation_steps: 8
num_epochs: 1
learning_rate: {rate}
optimizer: adamw_torch
"""
_RATES = {"sft": "0.00002", "dpo": "0.000005"}


class Axolotl(ChatFormat):
    """A folder with the files of both, and `sft.yml` and `dpo.yml`."""

    sections = (Section("sft"), Section("dpo", "pairs", carries=ONE_TEXT))

    def lines(self) -> Sequence[Lines]:
        """Give what encodes them."""
        settings = self.settings["system_prompt"], self.settings["system_policy"]
        return [Lines(ChatLines, settings, "sft"), Lines(PromptChosenRejected, settings, "dpo")]

    def extras(self, files: Sequence[LineFile]) -> Mapping[str, str]:
        """Give a configuration for each kind of training."""
        return {
            f"{section.name}.yml": _configuration(section.name, mine)
            for section in self.sections
            if (mine := [file for file in files if file.lines.section == section.name])
        }


def _configuration(section: str, files: Sequence[LineFile]) -> str:
    text = _HEAD.format(section=section, more="rl: dpo\n" if section == "dpo" else "")
    for key, part in (("datasets", PARTS[0]), ("test_datasets", PARTS[1])):
        named = [file.name for file in files if file.part == part]
        if named:
            said = "\n    ".join(f"{name}: {value}" for name, value in _READING[section].items())
            text += f"{key}:\n  - path: {named[0]}\n    {said}\n"
    return text + _TRAINING.format(rate=_RATES[section])


FORMAT = Axolotl

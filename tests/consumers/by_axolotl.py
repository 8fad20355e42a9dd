"""Reads with Axolotl's own configuration check, loader and chat-template strategies.

Its rows are rendered texts or tokens: a template that is all marks, and a tokenizer of bytes, let
the messages be read back from them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import reading
import yaml
from bytes_tokenizer import END, START, tokenizer
from stand_in import stand_in

stand_in(
    *("torch", "peft", "trl", "accelerate", "numba", "posthog"),
    *("transformers.trainer", "transformers.trainer_pt_utils", "transformers.modeling_utils"),
)


def _config(file: Path, base_model: str) -> Any:
    from axolotl.utils.config import validate_config
    from axolotl.utils.dict import DictDefault

    given = {
        "base_model": base_model,
        "learning_rate": 1e-5,
        "micro_batch_size": 1,
        "gradient_accumulation_steps": 1,
        "sequence_len": 1_000_000,
    }
    config = validate_config(DictDefault({**yaml.safe_load(file.read_text("utf-8")), **given}))
    config.tokenizer_config = base_model
    config.dataset_num_proc = None
    config.dataset_prepared_path = str(Path(os.environ["TMPDIR"]) / f"axolotl-{file.stem}")
    return config


def _parsed(text: str) -> list[reading.Turn]:
    """Read turns back from what the template made of them."""
    messages = []
    for piece in text.split(START)[1:]:
        role, _, said = piece.partition("\n")
        said = said.partition(END)[0]
        # Of a prompt the last is the beginning of an answer; beside calls there may be no text.
        if said:
            messages.append({"role": role, "content": said})
    return reading.turns(messages)


def _answers(config: Any, split: str) -> list[reading.Row]:
    from axolotl.utils.data.sft import _load_raw_datasets

    files = config.datasets if split == "train" else config.test_datasets
    loaded, _ = _load_raw_datasets(config, files, tokenizer(), split)
    rows = []
    for value in loaded:
        learnt = tokenizer().decode([each for each in value["labels"] if each >= 0])
        turns = _parsed(tokenizer().decode(value["input_ids"]))
        rows.append({"turns": turns, "learnt": learnt.split(END)[:-1]})
    return rows


def _pairs(config: Any, split: str) -> list[reading.Row]:
    from axolotl.utils.data.rl import _load_split

    return [
        {
            "prompt": _parsed(value["prompt"]),
            "chosen": [["assistant", value["chosen"].removesuffix(END)]],
            "rejected": [["assistant", value["rejected"].removesuffix(END)]],
        }
        for value in _load_split(config, split)
    ]


def _folder(folder: Path) -> reading.Files:
    own = Path(os.environ["TMPDIR"]) / "axolotl-model"
    tokenizer().save_pretrained(own)
    (own / "config.json").write_text(json.dumps({"model_type": "llama"}), "utf-8")
    # Paths in its files are relative to where it is started.
    os.chdir(folder)
    found: reading.Files = {}
    for file in sorted(folder.glob("*.yml")):
        config = _config(file, str(own))
        rows = _pairs if config.rl else _answers
        for split, files in (("train", config.datasets), ("test", config.test_datasets)):
            for each in files or []:
                found[each.path] = rows(config, split)
    return found


# It starts processes, which import this module again.
if __name__ == "__main__":
    reading.read_all({"axolotl": _folder})

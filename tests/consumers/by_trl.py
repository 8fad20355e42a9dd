"""Reads with datasets and TRL: what it calls conversational, and what its chat templates make.

SFT, DPO (and ORPO, CPO, reward) and KTO all begin with these two functions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import reading
from bytes_tokenizer import tokenizer
from stand_in import stand_in

stand_in("torch", "accelerate", "peft")

_KEYS = ("messages", "prompt", "chosen", "rejected", "completion", "label")


def _folder(folder: Path) -> reading.Files:
    from trl.data_utils import apply_chat_template, is_conversational

    found: reading.Files = {}
    for name in reading.files_in(folder):
        rows = []
        for value in datasets.load_dataset("json", data_files=str(folder / name))["train"]:
            assert is_conversational(value), name
            texts = apply_chat_template(value, tokenizer(), tools=value.get("tools"))
            for side, text in texts.items():
                assert side == "label" or text.strip(), (name, side)
            rows.append(reading.row(_given(value)))
        found[name] = rows
    return found


def _given(value: dict[str, Any]) -> dict[str, Any]:
    return {key: value[key] for key in _KEYS if key in value}


if __name__ == "__main__":
    reading.read_all({"*": _folder})

"""Reads ShareGPT files with Unsloth's `standardize_sharegpt`, and chats as it takes them."""

from __future__ import annotations

from pathlib import Path

import datasets
import reading
from stand_in import package_without_its_start, stand_in

stand_in("torch", "trl", "transformers", "tyro", "peft", "accelerate")
# Its start looks for a GPU.
package_without_its_start("unsloth_zoo")


def _folder(folder: Path) -> reading.Files:
    # `unsloth.chat_templates.standardize_sharegpt` is this function under its older name.
    from unsloth_zoo.dataset_utils import standardize_data_formats

    found: reading.Files = {}
    for name in reading.files_in(folder):
        loaded = datasets.load_dataset("json", data_files=str(folder / name))["train"]
        found[name] = [reading.row(value) for value in standardize_data_formats(loaded)]
    return found


if __name__ == "__main__":
    reading.read_all({"*": _folder})

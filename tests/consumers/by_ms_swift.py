"""Reads with ms-swift's `load_dataset`, as `swift sft --dataset FILE` does."""

from __future__ import annotations

from pathlib import Path

import reading
from stand_in import stand_in

stand_in("torch", "peft", "trl", "accelerate", "transformers", "json_repair", "PIL")


def _folder(folder: Path) -> reading.Files:
    from swift.dataset import load_dataset

    found: reading.Files = {}
    for name in reading.files_in(folder):
        loaded, _ = load_dataset([str(folder / name)], strict=True)
        found[name] = [reading.row(value) for value in loaded]
    return found


if __name__ == "__main__":
    reading.read_all({"*": _folder})

"""Reads a folder with mlx-lm's `load_dataset`, as `mlx_lm.lora --data FOLDER` does."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import reading
from bytes_tokenizer import tokenizer
from stand_in import package_without_its_start, stand_in

stand_in("mlx", "mlx_lm.cli_ui")
package_without_its_start("mlx_lm")
package_without_its_start("mlx_lm.tuner")


def _folder(folder: Path) -> reading.Files:
    from mlx_lm.tuner.datasets import load_dataset

    asked = SimpleNamespace(data=str(folder), train=True, test=False, hf_dataset=False)
    train, valid, _ = load_dataset(asked, tokenizer())
    found: reading.Files = {}
    for name, loaded in (("train.jsonl", train), ("valid.jsonl", valid)):
        found[name] = [reading.row(loaded[at]) for at in range(len(loaded))]
        assert all(loaded.process(loaded[at])[0] for at in range(len(loaded))), name
    return found


if __name__ == "__main__":
    reading.read_all({"mlx": _folder})

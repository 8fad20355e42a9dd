"""Reads with LLaMA-Factory's own parser, loader and converter: folders with a dataset_info.json.

A row that its converter calls abnormal comes out without a prompt; it is told as it came.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import reading
from stand_in import stand_in

# It has a word of its own for an environment without the packages that training needs.
os.environ["DISABLE_VERSION_CHECK"] = "1"
stand_in("torch", "torchaudio", "peft", "trl", "accelerate")

_SHAREGPT = {"formatting": "sharegpt", "columns": {"messages": "conversations"}}


def _entry(name: str, folder: Path, *, ranking: bool) -> list[reading.Row]:
    from llamafactory.data.loader import _get_merged_dataset
    from llamafactory.hparams.data_args import DataArguments

    arguments = DataArguments(dataset_dir=str(folder), template="default")
    model = SimpleNamespace(cache_dir=None, hf_hub_token=None)
    training = SimpleNamespace(local_process_index=0, seed=1, dataloader_num_workers=0)
    stage = "rm" if ranking else "sft"
    loaded = _get_merged_dataset([name], model, arguments, training, stage, return_dict=True)
    return [_row(value, ranking=ranking) for value in loaded[name]]


def _row(value: dict[str, Any], *, ranking: bool) -> reading.Row:
    system = [{"role": "system", "content": value["_system"]}] if value["_system"] else []
    prompt = reading.turns([*system, *value["_prompt"]])
    answers = reading.turns(value["_response"])
    if not ranking:
        return {"turns": [*prompt, *answers]}
    chosen, rejected = answers
    return {"prompt": prompt, "chosen": [chosen], "rejected": [rejected]}


def _folder(folder: Path) -> reading.Files:
    entries = json.loads((folder / "dataset_info.json").read_text("utf-8"))
    return {
        entry["file_name"]: _entry(name, folder, ranking=entry.get("ranking", False))
        for name, entry in entries.items()
    }


def _sharegpt(folder: Path) -> reading.Files:
    """Read files that the user names in a dataset_info.json, as the format's card says."""
    own = Path(os.environ["TMPDIR"]) / "llama-factory-sharegpt"
    own.mkdir(exist_ok=True)
    names = reading.files_in(folder)
    entries = {name: {"file_name": str(folder / name), **_SHAREGPT} for name in names}
    (own / "dataset_info.json").write_text(json.dumps(entries), "utf-8")
    return {name: _entry(name, own, ranking=False) for name in names}


if __name__ == "__main__":
    reading.read_all({"llama-factory": _folder, "sharegpt": _sharegpt})

"""Reads every published folder as `datasets.load_dataset(FOLDER)` does, by its card's configs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import datasets
import reading
import yaml


def _configs(folder: Path) -> list[Mapping[str, Any]]:
    """Give what the head of the card says: it tells which file a split is."""
    _, head, _ = (folder / "README.md").read_text("utf-8").split("---\n", 2)
    found: list[Mapping[str, Any]] = yaml.safe_load(head)["configs"]
    return found


def _file(path: str) -> str:
    """Give the file or folder that a pattern of a card stands for."""
    return path.partition("/*")[0]


def _folder(folder: Path) -> reading.Files:
    found: reading.Files = {}
    for config in _configs(folder):
        loaded = datasets.load_dataset(str(folder), config["config_name"])
        for each in config["data_files"]:
            rows = loaded[each["split"]]
            found[_file(each["path"])] = [reading.row(value) for value in rows]
    return found


def _saved(folder: Path) -> reading.Files:
    """Read the folder both ways that its card names; both must give the same."""
    found = _folder(folder)
    for name, rows in datasets.load_from_disk(str(folder)).items():
        assert found[name] == [reading.row(value) for value in rows], name
    return found


def _corpus(folder: Path) -> reading.Files:
    (config,) = _configs(folder)
    loaded = datasets.load_dataset(str(folder), config["config_name"])["train"]
    texts = ("input", "response", "rejected_response", "source", "type")
    return {"": [reading.columns(value, texts) for value in loaded]}


if __name__ == "__main__":
    reading.read_all({"*": _folder, "huggingface": _saved, "corpus": _corpus})

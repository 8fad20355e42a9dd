"""What a consumer should give: said anew from the corpus' Parquet and an export's lineage."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from environments import CORPUS
from reading import Row, Turn, columns, turns

NAME = "merged_mental_health_dataset"
_TEXTS = ("input", "response", "rejected_response", "source", "type")
_ANNOTATION = {"argilla", "label-studio"}
#: Formats that have a row for each side of a pair.
_KTO = "trl-kto"
_PAIRS = {"openai-preference", "trl-dpo", _KTO}
#: Files of pairs, where a format has answers as well.
_PAIR_FILES = ("dpo_", "preference_", "pairs_")


class Corpus:
    """A corpus with its exports, as they are published."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._rows = pq.read_table(data_dir / f"{NAME}.parquet").to_pylist()

    def folder(self, name: str, without: Collection[str] = ()) -> Path:
        """Give the folder of a format, or of the corpus.

        `without` are words for what rows must not hold: then it is a copy of JSON lines.
        """
        if name == CORPUS:
            return (self._data_dir / "artifacts" / CORPUS).resolve()
        folder = (self._data_dir / "artifacts" / name).resolve()
        if not without:
            return folder
        copy = self._data_dir / "without" / name
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir(parents=True)
        for file in sorted(folder.glob("*.jsonl")):
            kept = self._lines(name, file.name, without)
            lines = file.read_text("utf-8").splitlines(keepends=True)
            text = "".join(lines[each["line"] - 1] for each in kept)
            (copy / file.name).write_text(text, "utf-8")
        shutil.copy(folder / "README.md", copy)
        return copy

    def lineage(self, name: str) -> Path:
        """Give the lineage of an export."""
        return self.folder(name) / "lineage.parquet"

    def expected(self, name: str, without: Collection[str] = ()) -> dict[str, list[Row]]:
        """Give the rows that each file of a format should have."""
        if name == CORPUS:
            return {"": [columns(row, _TEXTS) for row in self._rows]}
        files = {each["file"] for each in pq.read_table(self.lineage(name)).to_pylist()}
        # The table that the guide promises beside its two parts holds their rows again.
        files.discard("dataset.csv")
        return {
            file: [
                self._row(name, file, each["corpus_row"], first=first)
                for each, first in self._with_place(name, file, without)
            ]
            for file in sorted(files)
        }

    def not_to_learn(self) -> set[str]:
        """Give the answers that no model is to learn: those of weight 0."""
        turns = (turn for row in self._rows for turn in row["messages"] or [])
        return {turn["content"] for turn in turns if turn["weight"] == 0}

    def without_prompt(self, name: str, row: Row) -> Row:
        """Take out the system prompt that a format puts before what has none of its own."""
        if name == CORPUS:
            return row
        settings = json.loads((self.folder(name) / "manifest.json").read_text("utf-8"))["settings"]
        prompt = ["system", settings.get("system_prompt")]
        return {
            side: value[1:] if isinstance(value, list) and value[:1] == [prompt] else value
            for side, value in row.items()
            if side != "learnt"
        }

    def holds(self, number: int) -> set[str]:
        """Give words for what a record holds that some readers do not take."""
        row = self._rows[number]
        messages = row["messages"] or []
        found = set()
        if row["tools"] is not None or any(turn["tool_calls"] for turn in messages):
            found.add("tools")
        if any(turn["role"] == "developer" for turn in messages):
            found.add("developer")
        if any(turn["name"] is not None for turn in messages):
            found.add("names")
        if any(turn["weight"] is not None for turn in messages):
            found.add("weights")
        return found

    def _lines(self, name: str, file: str, without: Collection[str]) -> list[dict[str, Any]]:
        lines = pq.read_table(self.lineage(name)).to_pylist()
        found = [each for each in lines if each["file"] == file]
        return [each for each in found if not self.holds(each["corpus_row"]) & {*without}]

    def _with_place(
        self, name: str, file: str, without: Collection[str]
    ) -> list[tuple[dict[str, Any], bool]]:
        """Give each line with whether it is the first of its record."""
        lines = self._lines(name, file, without)
        seen: set[int] = set()
        found = []
        for each in lines:
            found.append((each, each["corpus_row"] not in seen))
            seen.add(each["corpus_row"])
        return found

    def _row(self, name: str, file: str, number: int, *, first: bool) -> Row:
        row = self._rows[number]
        if name == "huggingface":
            return columns({**row, "output": row["response"]}, ("input", "output", "source"))
        if name in _ANNOTATION:
            return columns(row, ("input", "response", "source"))
        if name not in _PAIRS and not file.startswith(_PAIR_FILES):
            return {"turns": _answered(row)}
        prompt, chosen, rejected = _sides(row)
        if name != _KTO:
            return {"prompt": prompt, "chosen": chosen, "rejected": rejected}
        return {"prompt": prompt, "completion": chosen if first else rejected, "label": first}


def _answered(row: dict[str, Any]) -> list[Turn]:
    """Give a record's turns up to the last answer that is to be learnt from."""
    if row["messages"] is None:
        return [["user", row["input"]], ["assistant", row["response"]]]
    messages = row["messages"]
    last = max(
        at
        for at, turn in enumerate(messages)
        if turn["role"] == "assistant"
        and turn["weight"] != 0
        and (turn["tool_calls"] or (turn["content"] or "").strip())
    )
    return turns(messages[: last + 1])


def _sides(row: dict[str, Any]) -> tuple[list[Turn], list[Turn], list[Turn]]:
    """Give what both sides of a pair begin with, and the rest of each."""
    chosen = _answered(row)
    if row["rejected_messages"] is None:
        return chosen[:-1], chosen[-1:], [["assistant", row["rejected_response"]]]
    rejected = turns(row["rejected_messages"])
    shared = 0
    while chosen[shared] == rejected[shared]:
        shared += 1
    return chosen[:shared], chosen[shared:], rejected[shared:]

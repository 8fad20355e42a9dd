"""The script one would write today for chats: `datasets.map`, and a file of each kind.

Ordinary calls with a process a core, nothing slowed down and no tricks:
`python -m bench.chat_script IN OUT`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict, load_dataset

from bench.contestant import in_and_out
from bench.pandas_script import INSTRUCTION, SYSTEM_PROMPT

_HEADINGS = {"user": "User", "assistant": "Assistant"}


def to_record(row: dict[str, Any]) -> dict[str, Any]:
    """Make the normalised record of a chat: what came before its last answer, and that one."""
    *before, answer = row["messages"]
    input_ = "\n\n".join(f"{_HEADINGS[turn['role']]}: {turn['content']}" for turn in before)
    return {
        "input": input_,
        "response": answer["content"],
        "rejected_response": "",
        "source": "Chats",
        "type": "conversation",
        "tags": [],
        "messages": row["messages"],
    }


def is_new(row: dict[str, Any], seen: set[tuple[str, str]]) -> bool:
    """Tell whether no row before said the same."""
    pair = row["input"], row["response"]
    if pair in seen:
        return False
    seen.add(pair)
    return True


def to_chat(row: dict[str, Any]) -> dict[str, Any]:
    """Make a line of the chat file."""
    chat = {"messages": [{"role": "system", "content": SYSTEM_PROMPT}, *row["messages"]]}
    return {"chat": json.dumps(chat, ensure_ascii=False)}


def to_example(row: dict[str, Any]) -> dict[str, Any]:
    """Make a row of the table."""
    return {
        "instruction": INSTRUCTION,
        "input": row["input"],
        "output": row["response"],
        "source": row["source"],
        "tags": row["tags"],
    }


def merge(corpus: Path, out: Path) -> Dataset:
    """Read, map, drop what was said before, and save as JSON, CSV and Parquet."""
    files = [str(path) for path in sorted(corpus.iterdir())]
    rows = load_dataset("json", data_files=files, split="train", cache_dir=str(out / "cache"))
    merged = rows.map(to_record, num_proc=os.cpu_count())
    seen: set[tuple[str, str]] = set()
    merged = merged.filter(lambda row: is_new(row, seen))
    flat = merged.remove_columns("messages")
    name = "merged_mental_health_dataset"
    flat.to_pandas().to_json(out / f"{name}.json", orient="records", force_ascii=False)
    flat.to_csv(out / f"{name}.csv", index=False)
    merged.to_parquet(out / f"{name}.parquet")
    return merged


def main() -> None:
    """Run as a program."""
    corpus, out = in_and_out("bench.chat_script", __doc__)
    merged = merge(corpus, out)
    chats = merged.map(to_chat, num_proc=os.cpu_count(), remove_columns=merged.column_names)
    with (out / "mental_health_openai.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in chats["chat"])
    table = merged.map(to_example, num_proc=os.cpu_count(), remove_columns=merged.column_names)
    splits = table.train_test_split(0.2, seed=42)
    folder = out / "mental_health_huggingface"
    DatasetDict(train=splits["train"], validation=splits["test"]).save_to_disk(folder)
    table.to_csv(folder / "dataset.csv", index=False)


if __name__ == "__main__":
    main()

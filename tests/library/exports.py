"""Exports as they are read back: each line beside the row of the corpus that its lineage names.

What of a row should be there is said here anew, in plain words over the corpus' Parquet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from chats import is_answer, lines
from corpora import NAME, read_parquet

from mindcorpus.conversations import message_of
from mindcorpus.corpus.turns import turns_of
from mindcorpus.preparing.prepare import PrepareResult

Record = dict[str, Any]
Message = dict[str, Any]


class Traced(NamedTuple):
    """A line of an export, and where it came from."""

    file: str
    part: str
    corpus_row: int
    value: Any
    record: Record


def corpus_of(data_dir: Path) -> list[Record]:
    """Read the records of a corpus; what is JSON text there stays so."""
    folder = data_dir / f"{NAME}.parquet"
    tables = [pq.read_table(path) for path in sorted(folder.iterdir())]
    records = read_parquet(folder)
    for name in ("messages", "rejected_messages"):
        sides = [each for table in tables for each in turns_of(table.column(name))]
        for record, side in zip(records, sides, strict=True):
            record[name] = None if side is None else [message_of(turn) for turn in side]
    return records


def traced(made: PrepareResult, corpus: Sequence[Record]) -> list[Traced]:
    """Read every line of an export, in the order of its lineage, which must name them all once."""
    rows = read_parquet(made.path / "lineage.parquet")
    files = {row["file"]: _values(made.path / row["file"]) for row in rows}
    places = [(row["file"], row["line"]) for row in rows]
    assert sorted(places) == sorted(
        (file, at) for file, values in files.items() for at in range(1, len(values) + 1)
    )
    return [
        Traced(
            row["file"],
            row["part"],
            row["corpus_row"],
            files[row["file"]][row["line"] - 1],
            corpus[row["corpus_row"]],
        )
        for row in rows
    ]


def _values(path: Path) -> list[Any]:
    if path.suffix == ".json":
        found: list[Any] = json.loads(path.read_text("utf-8"))
        return found
    return lines(path)


def chosen(record: Mapping[str, Any]) -> list[Message]:
    """Give what is said in a record, up to the answer to learn from."""
    if record["messages"] is None:
        return _asked_and_said(record["input"], record["response"])
    return _until_answer(record["messages"])


def rejected(record: Mapping[str, Any]) -> list[Message]:
    """Give the same of a pair's other side."""
    if record["rejected_messages"] is None:
        return _asked_and_said(record["input"], record["rejected_response"])
    return _until_answer(record["rejected_messages"])


def _asked_and_said(asked: str, said: str) -> list[Message]:
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]


def _until_answer(messages: Sequence[Message]) -> list[Message]:
    last = max(at for at, message in enumerate(messages) if is_answer(message))
    return [
        message
        for message in messages[: last + 1]
        if message["content"] or "tool_calls" in message or message["role"] == "tool"
    ]


def said(messages: Sequence[Message]) -> list[tuple[str, str]]:
    """Give who says what, without those that instruct."""
    return [
        (each["role"], each["content"] or "")
        for each in messages
        if each["role"] not in ("system", "developer")
    ]


def files_in(made: PrepareResult) -> set[str]:
    """Name what an export holds, beside what every export has."""
    own = {"README.md", "LICENSE.md", "manifest.json", "lineage.parquet", "croissant.json"}
    return {path.name for path in made.path.iterdir()} - own

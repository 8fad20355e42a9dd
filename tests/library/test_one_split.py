"""One split for all: a record is in the same part of every format, and traced to its corpus row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from chats import chat, chat_source
from corpora import merge_own, own_rows, read_parquet

from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing.prepare import PrepareResult, prepare
from mindcorpus.settings import Settings
from mindcorpus.storage.store import Store
from mindcorpus.verify import verify

CORPUS = "merged_mental_health_dataset"
#: What each format takes here: all of it, or some, so that the shares of some are not the split's.
TAKES: Mapping[str, Mapping[str, Any]] = {
    "openai": {},
    "huggingface": {},
    "chat": {"caps": {"plain": 20}, "mix": {"chats": 2.5}},
    "sharegpt": {"exclude": ("plain",), "min_words": 2},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PrepareResult]:
    """Formats of plain records, pairs and conversations, each of a selection of its own."""
    folder = tmp_path_factory.mktemp("split")
    own, data = folder / "own", folder / "data"
    plain = [{"q": f"plain {n // 2}", "a": f"answer {n}"} for n in range(60)]
    pairs = [{"q": f"pair {n // 3}", "a": f"yes {n // 2}", "r": f"no {n}"} for n in range(30)]
    chats = [
        chat(
            ("system", "Be kind."),
            ("user", f"chat {n // 2}"),
            ("assistant", "Go on."),
            ("user", f"more {n}"),
            ("assistant", f"I see {n}."),
        )
        for n in range(40)
    ]
    merge_own(
        data,
        own_rows(own, "plain", [*plain, {"q": "no answer", "a": ""}]),
        own_rows(own, "pairs", pairs, options='rejected_response = "r"\n'),
        chat_source(own, "chats", chats),
    )
    settings = Settings(data_dir=data, workers=2)
    result: dict[str, PrepareResult] = {}
    for name, taken in TAKES.items():
        request = PrepareRequest(format=name, test_share=0.15 if not result else None, **taken)
        result |= prepare(request, settings)
    return result


def data_of(made: Mapping[str, PrepareResult]) -> Path:
    return made["openai"].path.parent


def split_of(made: Mapping[str, PrepareResult]) -> list[str | None]:
    table = pq.read_table(data_of(made) / f"{CORPUS}.split.parquet")
    parts: list[str | None] = table["part"].to_pylist()
    return parts


def lineage_of(made: Mapping[str, PrepareResult], name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(
        data_of(made) / "artifacts" / name / "lineage.parquet"
    ).to_pylist()
    return rows


def test_each_record_with_a_response_has_a_part(made: dict[str, PrepareResult]) -> None:
    records = read_parquet(data_of(made) / f"{CORPUS}.parquet")
    parts = split_of(made)
    assert len(parts) == len(records)
    for record, part in zip(records, parts, strict=True):
        assert (part is None) == (not record["response"])
    manifest = Store(data_of(made)).manifest("split")
    counts = {part: parts.count(part) for part in ("train", "validation", "test")}
    assert {name: part["rows"] for name, part in manifest["split"]["parts"].items()} == counts
    assert manifest["group_keys"] == ["input", "opening", "group"]


def test_a_record_is_in_the_same_part_of_every_format(made: dict[str, PrepareResult]) -> None:
    parts = split_of(made)
    seen: dict[int, set[str]] = {}
    for name in TAKES:
        assert made[name].manifest["split_id"] == Store(data_of(made)).manifest("split")["id"]
        for row in lineage_of(made, name):
            assert row["part"] == parts[row["corpus_row"]]
            seen.setdefault(row["corpus_row"], set()).add(name)
    assert {frozenset(names) for names in seen.values()} > {frozenset(TAKES)}


def said(name: str, row: Any) -> tuple[str, str]:
    """Give what was said first by a user, and last by the assistant, in a row of a format."""
    if name == "huggingface":
        return row["input"], row["output"]
    if name == "sharegpt":
        turns = [(turn["from"], turn["value"]) for turn in row["conversations"]]
    else:
        turns = [(turn["role"], turn["content"]) for turn in row["messages"]]
    first = next(text for who, text in turns if who in ("user", "human"))
    return first, turns[-1][1]


def rows_of(folder: Path, file: str) -> list[Any]:
    """Read a file, or the Arrow files of a folder in the order of their names, as they are."""
    path = folder / file
    if path.is_file():
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    rows: list[Any] = []
    for each in sorted(path.glob("*.arrow")):
        with pa.OSFile(str(each)) as raw, pa.ipc.open_stream(raw) as stream:
            rows += stream.read_all().to_pylist()
    return rows


@pytest.mark.parametrize("name", TAKES)
def test_each_line_is_that_of_its_corpus_row(name: str, made: dict[str, PrepareResult]) -> None:
    folder = data_of(made) / "artifacts" / name
    records = read_parquet(data_of(made) / f"{CORPUS}.parquet")
    traced: dict[str, list[dict[str, Any]]] = {}
    for row in lineage_of(made, name):
        traced.setdefault(row["file"], []).append(row)
    traced.pop("dataset.csv", None)
    for file, rows in traced.items():
        there = rows_of(folder, file)
        assert [row["line"] for row in rows] == list(range(1, len(there) + 1))
        for row, held in zip(rows, there, strict=True):
            record = records[row["corpus_row"]]
            first, last = record["input"], record["response"]
            if name != "huggingface" and record["messages"]:
                first = record["messages"][1]["content"]
            assert said(name, held) == (first, last)
            assert row["source"] == record["source"]
    held_rows = sum(len(rows) for rows in traced.values())
    assert held_rows == made[name].rows


def test_the_table_of_a_folder_is_traced_too(made: dict[str, PrepareResult]) -> None:
    rows = [row for row in lineage_of(made, "huggingface") if row["file"] == "dataset.csv"]
    assert len(rows) == made["huggingface"].rows
    assert [row["corpus_row"] for row in rows] == sorted({row["corpus_row"] for row in rows})


def test_what_trains_in_one_format_is_held_out_in_none(made: dict[str, PrepareResult]) -> None:
    places: dict[str, set[str]] = {}
    for name in ("huggingface", "chat", "sharegpt"):
        for part in ("train", "validation", "test"):
            folder = data_of(made) / "artifacts" / name
            file = part if name == "huggingface" else f"{part}.jsonl"
            for row in rows_of(folder, file):
                first, _ = said(name, row)
                if name == "huggingface" and "chat " in first:
                    continue  # it has what was said before as one text
                places.setdefault(first, set()).add(part)
    assert {frozenset(parts) for parts in places.values()} == {
        frozenset({part}) for part in ("train", "validation", "test")
    }


def test_a_card_says_the_share_that_a_selection_has(made: dict[str, PrepareResult]) -> None:
    for name, result in made.items():
        if result.split is None:
            continue
        counts = result.split["parts"]
        share = counts["validation"]["rows"] / result.rows
        assert result.split["share"] == round(share, 6)
        due = abs(share - 0.2) > 0.02
        assert due == bool(result.split["note"]) == (result.split["note"] in result.warnings)
        if due:
            card = (data_of(made) / "artifacts" / name / "README.md").read_text("utf-8")
            assert f"{share:.1%}" in card


def test_all_of_it_is_whole(made: dict[str, PrepareResult]) -> None:
    assert verify(data_of(made)) == []

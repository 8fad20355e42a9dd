"""Croissant as MLCommons' own reader takes it: valid, and with the rows that went in."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlcroissant
import pyarrow.parquet as pq
import pytest
from corpora import digests, merge_own, merge_sample, own_rows, read_json
from sample_numbers import READ

from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing.prepare import prepare
from mindcorpus.settings import Settings
from mindcorpus.storage.croissant_columns import json_columns

if TYPE_CHECKING:
    from made_sample import Made

pytest_plugins = ("made_sample",)
# The reader's own use of rdflib, pandas and a logger.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

_CHATS = Path(__file__).parents[1] / "chat_sample"


def opened(folder: Path) -> mlcroissant.Dataset:
    """Open the description of a folder; raises if it is not valid."""
    dataset = mlcroissant.Dataset((folder / "croissant.json").resolve())
    assert dataset.metadata.ctx.conforms_to.value == "http://mlcommons.org/croissant/1.1"
    assert not dataset.metadata.ctx.issues.errors
    return dataset


def text_of(value: Any) -> Any:
    """Give what a reader gave, with text as text and names without the record set's."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list):
        return [text_of(each) for each in value]
    if isinstance(value, Mapping):
        return {name.rpartition("/")[2]: text_of(each) for name, each in value.items()}
    return value


def rows_of(dataset: mlcroissant.Dataset, table: str) -> list[dict[str, Any]]:
    """Read a record set."""
    return [text_of(row) for row in dataset.records(table)]


def test_the_corpus_is_read_whole_and_every_row_has_its_licence(sample: Made) -> None:
    dataset = opened(sample.data_dir / "artifacts/corpus")
    licences = {each["name"]: each["licence"]["id"] for each in sample.merged.manifest["sources"]}
    records = rows_of(dataset, "train")
    expected = read_json(sample.merged.json_path)
    assert [{name: row[name] for name in expected[0]} for row in records] == expected
    assert [row["licence"] for row in records] == [licences[row["source"]] for row in expected]


def test_the_lineage_is_read_as_a_table_of_its_own(sample: Made) -> None:
    dataset = opened(sample.data_dir / "artifacts/corpus")
    lineage = rows_of(dataset, "lineage")
    expected = pq.read_table(sample.merged.lineage_path).to_pylist()
    assert len(lineage) == READ
    for name in ("source", "file", "revision", "licence", "row", "status", "corpus_row", "reason"):
        assert [row[name] for row in lineage] == [row[name] for row in expected], name


def test_the_sources_are_listed_with_what_they_gave(sample: Made) -> None:
    listed = rows_of(opened(sample.data_dir / "artifacts/corpus"), "sources")
    assert {row["name"]: row["rows"] for row in listed} == Counter(
        record["source"] for record in read_json(sample.merged.json_path)
    )


def test_chats_are_read_turn_by_turn(sample: Made) -> None:
    made = sample.prepared["openai"]
    rows = rows_of(opened(sample.data_dir / "artifacts/openai"), "train")
    lines = [json.loads(line) for line in made.path.read_text("utf-8").splitlines()]
    assert rows == lines


def test_the_table_of_the_hugging_face_folder_is_read_with_licences(sample: Made) -> None:
    folder = sample.data_dir / "artifacts/huggingface"
    rows = rows_of(opened(folder), "dataset")
    with (folder / "dataset.csv").open(encoding="utf-8", newline="") as file:
        expected = list(csv.DictReader(file))
    # pandas, with which the reader opens a CSV, takes this text for a missing value.
    assert [row["input"] for row in expected].count("NA") == 1
    read: list[dict[str, Any]] = [
        {**row, "input": None if row["input"] == "NA" else row["input"]} for row in expected
    ]
    assert [{name: row[name] for name in expected[0]} for row in rows] == read
    assert {row["licence"] for row in rows} >= {"MIT", "CC-BY-NC-4.0"}


def test_conversations_with_tools_and_pairs_are_described_as_far_as_readers_reach(
    tmp_path: Path,
) -> None:
    settings = Settings(data_dir=tmp_path, workers=1)
    merge_sample(tmp_path, sources=("Talks", "Pairs"), catalogs=(str(_CHATS / "catalog.toml"),))
    prepare(PrepareRequest(format="openai"), settings)
    records = rows_of(opened(tmp_path / "artifacts/corpus"), "train")
    stored = pq.read_table(tmp_path / "merged_mental_health_dataset.parquet").to_pylist()
    assert any(row["messages"] for row in stored)
    for row, expected in zip(records, stored, strict=True):
        for side in ("messages", "rejected_messages"):
            turns = [turn for turn in row[side] if turn["role"] is not None]
            assert turns == (expected[side] or []), side
    chats = rows_of(opened(tmp_path / "artifacts/openai"), "train")
    lines = (tmp_path / "mental_health_openai.jsonl").read_text("utf-8").splitlines()
    assert [[turn["role"] for turn in row["messages"]] for row in chats] == [
        [turn["role"] for turn in json.loads(line)["messages"]] for line in lines
    ]


@pytest.mark.parametrize(
    ("row", "names"),
    [
        ({"prompt": [{"role": "user", "content": "a"}], "label": True},
         {"prompt": None, "prompt/role": "a", "prompt/content": "a", "label": "a"}),
        ({"input": {"messages": [{"role": "user"}]}, "preferred_output": [{"role": "x"}]},
         {"input/messages": None, "input/messages/role": ("messages", "role"),
          "preferred_output": None, "preferred_output/role": ("role",)}),
        ({"contents": [{"role": "user", "parts": [{"text": "a"}]}]},
         {"contents": None, "contents/role": ("role",), "contents/parts": ("parts[*].text",)}),
        ({"tools": [{"function": {"name": "f"}}], "n": 1, "x": 1.5, "tags": ["a"], "none": None},
         {"n": (), "x": (), "tags": ()}),
        # What Python's own writer makes, and strict readers refuse.
        ({"x": float("nan"), "half": "\ud83d", "n": 1}, {"x": (), "half": (), "n": ()}),
    ],
)  # fmt: skip
def test_lines_are_taken_apart_as_deep_as_readers_reach(
    row: dict[str, Any], names: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "train.jsonl"
    file.write_text(json.dumps(row) + "\n")
    columns = json_columns(file)
    found = {each.name: each.inside for top in columns for each in (top, *top.members)}
    assert set(found) == set(names)
    assert all(found[name] == path for name, path in names.items() if isinstance(path, tuple))


def test_every_file_is_named_with_its_checksum_and_nothing_of_this_machine(sample: Made) -> None:
    for kind in ("corpus", *sample.prepared):
        folder = sample.data_dir / "artifacts" / kind
        document = json.loads((folder / "croissant.json").read_text("utf-8"))
        found = digests(folder)
        named = {
            each["@id"]: each["sha256"]
            for each in document["distribution"]
            if each["@type"] == "cr:FileObject"
        }
        assert named == {name: found[name] for name in named}
        assert found.keys() - named.keys() == {"manifest.json", "README.md", "croissant.json"}
        assert str(sample.data_dir) not in json.dumps(document)


def test_two_runs_write_the_same_description(tmp_path: Path) -> None:
    digest = []
    for run in ("first", "second"):
        result = merge_sample(tmp_path / run, sources=("TRACE",), workers=1 + (run == "second"))
        described = result.json_path.with_name("merged_mental_health_dataset.croissant.json")
        digest.append(hashlib.sha256(described.read_bytes()).hexdigest())
    assert digest[0] == digest[1]


def test_a_corpus_without_conversations_is_described_as_well(tmp_path: Path) -> None:
    entry = own_rows(tmp_path / "own", "mine", [{"q": "Grüß dich?", "a": "Hello. 🌧"}])
    merge_own(tmp_path / "data", entry)
    (row,) = rows_of(opened(tmp_path / "data/artifacts/corpus"), "train")
    assert (row["input"], row["response"], row["licence"]) == (
        "Grüß dich?",
        "Hello. 🌧",
        "CC0-1.0",
    )

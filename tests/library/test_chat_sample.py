"""A sample of chats, from files to each export: every turn, tool, weight and pair is there."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import datasets
import pytest
from chats import exported, lines
from corpora import KEYS, NAME, digests, read_json, read_parquet

from mindcorpus.conversations import message_of
from mindcorpus.corpus.turns import turns_of
from mindcorpus.formats.chat_file import check_chat_file
from mindcorpus.job_requests import MergeRequest, PrepareRequest
from mindcorpus.merging.merge import MergeResult, merge
from mindcorpus.preparing.prepare import PrepareResult, prepare
from mindcorpus.settings import SYSTEM_PROMPT, Settings
from mindcorpus.verify import verify

SAMPLE = Path(__file__).parents[1] / "chat_sample"
CHATS: list[Any] = lines(SAMPLE / "chats.jsonl")
PAIRS: list[Any] = lines(SAMPLE / "pairs.jsonl")
FORMATS = ("openai", "huggingface", "sharegpt")


class Made:
    """The corpus of the sample, and what was prepared of it."""

    def __init__(self, data_dir: Path, workers: int) -> None:
        self.data_dir = data_dir
        settings = Settings(data_dir=data_dir, workers=workers)
        asked = MergeRequest(sources=("Talks", "Pairs"), catalogs=(str(SAMPLE / "catalog.toml"),))
        self.merged: MergeResult = merge(asked, settings)
        self.formats: dict[str, PrepareResult] = prepare(PrepareRequest(formats=FORMATS), settings)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("chats"), 1)


def test_the_corpus_keeps_every_turn_tool_weight_and_pair(made: Made) -> None:
    rows = read_parquet(made.merged.parquet_path)
    assert len(rows) == len(CHATS) + len(PAIRS)
    for row, source in zip(rows, CHATS, strict=False):
        assert [message_of(turn) for turn in _turns(made, row)] == source["messages"]
        assert (None if row["tools"] is None else json.loads(row["tools"])) == source.get("tools")
        assert row["parallel_tool_calls"] == source.get("parallel_tool_calls")
    for row, source in zip(rows[len(CHATS) :], PAIRS, strict=True):
        sides = row["input"], row["response"], row["rejected_response"]
        assert sides == (source["prompt"], source["chosen"], source["rejected"])
        assert row["messages"] is None


def _turns(made: Made, row: dict[str, Any]) -> Any:
    import pyarrow.parquet as pq  # the rows above are plain values; turns are read as we do

    table = pq.read_table(made.merged.parquet_path)
    texts = table.column("input").to_pylist()
    return list(turns_of(table.column("messages")))[texts.index(row["input"])]


def test_the_flat_view_has_no_answer_that_is_not_to_be_learnt(made: Made) -> None:
    records = read_json(made.merged.json_path)
    assert all(list(record) == KEYS for record in records)
    flat = {record["response"]: record["input"] for record in records}
    weighted = flat["You are right, I am sorry. That sounds lonely."]
    assert "Assistant: Cheer up!" in weighted
    assert not {"Cheer up!", "Bye!"} & {*flat}
    assert flat["No. Many people know “flat” days."] == "Is it odd to feel flat on a good day?"
    assert "555-0100" in flat["You can call 555-0100, day and night."]


def test_openai_has_the_turns_and_the_provider_s_rules_hold(made: Made) -> None:
    result = made.formats["openai"]
    written = lines(result.path)
    configured = {"role": "system", "content": SYSTEM_PROMPT}
    for row, source in zip(written, CHATS, strict=False):
        own = source["messages"][0]["role"] == "system"
        assert row["messages"] == [*([] if own else [configured]), *exported(source)]
        assert row.get("tools") == source.get("tools")
    # Two pairs of one question and one answer are one example.
    assert len(written) == len(CHATS) + 1
    assert result.skipped == {"same-answer": 1}
    assert result.changed == {"later-turns-left-out": 1}
    found = check_chat_file(result.path).counts
    assert set(found) == {"too-few-examples"}


def test_sharegpt_has_the_turns_that_it_can_carry(made: Made) -> None:
    result = made.formats["sharegpt"]
    said = Counter(
        turn["value"]
        for side in ("train", "validation")
        if (made.formats["sharegpt"].path / f"{side}.jsonl").exists()
        for row in lines(result.path / f"{side}.jsonl")
        for turn in row["conversations"]
    )
    assert said["Três semanas."] == 1
    assert said["You listen. You do not diagnose."] == 1
    assert not any("User:" in text or "Assistant:" in text for text in said)
    assert not {"Cheer up!", "Bye!"} & {*said}
    assert result.skipped == {
        "cannot-carry-weights": 1,
        "cannot-carry-tools": 1,
        "same-answer": 1,
    }


def test_the_flat_table_says_that_it_is_flat_and_no_session_is_on_both_sides(made: Made) -> None:
    result = made.formats["huggingface"]
    assert any("4 of the 5 rows are conversations made flat" in text for text in result.warnings)
    assert result.split is not None
    assert (result.split["overlap"], result.split["group_overlap"]) == (0, 0)
    sides = datasets.load_from_disk(str(result.path))
    # Both of session a1 on one side: no patient stands on two.
    starts = [
        side for side in sides for text in sides[side]["input"] if "sleep" in text or "odd" in text
    ]
    assert len(starts) == 2
    assert len(set(starts)) == 1


def test_two_runs_give_equal_bytes_whatever_the_number_of_workers(
    made: Made, tmp_path: Path
) -> None:
    again = Made(tmp_path, 2)
    made_again, before = (each.data_dir / "artifacts" for each in (again, made))
    assert digests(made_again) == digests(before)
    assert verify(again.data_dir) == verify(made.data_dir) == []
    assert (again.data_dir / f"{NAME}.json").is_file()

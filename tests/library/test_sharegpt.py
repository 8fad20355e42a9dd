"""ShareGPT JSON lines: each record a conversation, on one side only, as its consumers read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from chats import chat, merge_chats
from corpora import merge_own, merge_sample, own_rows, read_parquet
from registered import FORMATS
from sample_numbers import ANSWERED

from mindcorpus import prepare_all_formats, prepare_for, prepared_datasets_exist
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing import runs
from mindcorpus.preparing.prepare import prepare
from mindcorpus.settings import Settings
from mindcorpus.verify import verify


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def conversation(record: dict[str, Any]) -> dict[str, Any]:
    own = [turn for turn in record["messages"] or [] if turn["role"] == "system"]
    return {
        "conversations": [
            *({"from": "system", "value": turn["content"]} for turn in own),
            {"from": "human", "value": record["input"]},
            {"from": "gpt", "value": record["response"]},
        ]
    }


@pytest.mark.parametrize("workers", [1, 2])
def test_every_answered_record_is_one_conversation_on_the_side_of_its_input(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_RUN_BYTES", 1)  # several runs, even of the sample
    merged = merge_sample(tmp_path)
    settings = Settings(data_dir=tmp_path, workers=workers)
    made = prepare(PrepareRequest(formats=("sharegpt", "huggingface")), settings)["sharegpt"]
    train, validation = (lines(made.path / f"{name}.jsonl") for name in ("train", "validation"))
    rows = read_parquet(merged.parquet_path)
    expected = [conversation(row) for row in rows if row["response"]]
    assert sorted(map(json.dumps, train + validation)) == sorted(map(json.dumps, expected))
    # In the order of the corpus, each side by itself.
    places = {json.dumps(each): at for at, each in enumerate(expected)}
    for side in (train, validation):
        found = [places[json.dumps(each)] for each in side]
        assert found == sorted(found)
    inputs = [{each["conversations"][-2]["value"] for each in side} for side in (train, validation)]
    assert not inputs[0] & inputs[1]
    assert made.split is not None
    assert made.split["parts"]["validation"]["rows"] == len(validation)
    assert made.rows == len(expected) == ANSWERED
    assert verify(tmp_path) == []


def test_a_side_without_rows_has_no_file(tmp_path: Path) -> None:
    merge_own(tmp_path, own_rows(tmp_path, "mine", [{"q": "q", "a": "a"}]))
    made = prepare_for("sharegpt", tmp_path)
    assert not (made.path / "validation.jsonl").exists()
    assert len(lines(made.path / "train.jsonl")) == 1
    assert verify(tmp_path) == []


def test_it_opens_with_datasets_and_is_no_part_of_all(tmp_path: Path) -> None:
    import datasets

    merge_sample(tmp_path)
    made = prepare_for("sharegpt", tmp_path)
    files = {name: str(made.path / f"{name}.jsonl") for name in ("train", "validation")}
    opened = datasets.load_dataset("json", data_files=files, cache_dir=str(tmp_path / "cache"))
    assert sum(opened.num_rows.values()) == made.rows
    assert set(prepare_all_formats(tmp_path)) == set(FORMATS)
    assert prepared_datasets_exist(tmp_path) == {**dict.fromkeys(FORMATS, True), "sharegpt": True}


def test_what_its_readers_fail_for_is_left_out_under_its_name(tmp_path: Path) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    calling = {"role": "assistant", "content": None, "tool_calls": [call]}
    answer = {"role": "tool", "content": "ok", "tool_call_id": "c"}
    rows = [
        chat(("user", "¿Qué?"), ("assistant", "Esto 😀."), ("user", "¿Y?"), ("assistant", "Sí.")),
        chat(("system", "s"), ("user", "1"), ("assistant", "a")),
        chat(("user", "2"), calling, answer, ("assistant", "a")),
        chat(("user", "3"), ("user", "4"), ("assistant", "a")),
        chat(("user", "5"), ("assistant", "a"), ("system", "s"), ("user", "b"), ("assistant", "c")),
    ]
    merge_chats(tmp_path, rows)
    made = prepare_for("sharegpt", tmp_path)
    found = [row for path in made.path.glob("*.jsonl") for row in lines(path)]
    said = sorted([turn["value"] for turn in row["conversations"]] for row in found)
    assert said == [["s", "1", "a"], ["¿Qué?", "Esto 😀.", "¿Y?", "Sí."]]
    assert made.skipped == {
        "cannot-carry-tools": 1,
        "cannot-carry-uneven-turns": 1,
        "cannot-carry-late-system": 1,
    }

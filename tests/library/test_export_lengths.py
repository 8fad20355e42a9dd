"""Lengths of exports in tokens: what a manifest tells is what its lines count, and none is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chats import chat, lines, merge_chats

from mindcorpus.errors import SettingsError
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing.prepare import PrepareResult, prepare
from mindcorpus.settings import Settings
from mindcorpus.tokens.chats import chat_tokens
from mindcorpus.tokens.tokenizer import tokenizer

#: Answers of so many turns, the later ones longer; every second one in another script.
TALKS = [
    chat(
        *[("system", f"Be kind, {n}.")] * (n % 3 == 0),
        *(
            turn
            for at in range(1 + n % 5)
            for turn in (
                ("user", f"Question {n}.{at}, “¿qué?” " + "and more " * at * at),
                (
                    "assistant",
                    f"Reply {n}.{at}: " + ("ответ 😀 " if n % 2 else "yes, so ") * at * 4,
                ),
            )
        ),
        *[("user", "Never answered.")] * (n % 4 == 0),
    )
    for n in range(40)
]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lengths")
    merge_chats(folder, TALKS)
    return folder


def made(data_dir: Path, workers: int = 1, **asked: Any) -> Mapping[str, PrepareResult]:
    request = PrepareRequest(formats=("openai", "huggingface"), force=True, **asked)
    return prepare(request, Settings(data_dir=data_dir, workers=workers))


def messages_of(result: PrepareResult) -> list[list[dict[str, Any]]]:
    return messages_in(result.path)


def messages_in(path: Path) -> list[list[dict[str, Any]]]:
    return [line["messages"] for line in lines(path)]


def counted(chats: Sequence[Sequence[dict[str, Any]]], spec: str) -> list[int]:
    counter = tokenizer(spec)
    return [chat_tokens(counter, each) for each in chats]


@pytest.mark.parametrize("spec", ["o200k", "cl100k", "estimate"])
@pytest.mark.parametrize("policy", ["own", "replace", "none"])
def test_the_manifest_tells_what_the_lines_count(data_dir: Path, spec: str, policy: str) -> None:
    result = made(data_dir, tokenizer=spec, system_policy=policy)["openai"]
    counts = counted(messages_of(result), spec)
    told = result.manifest["tokens"]
    assert (told["tokenizer"], told["exact"]) == (spec, spec != "estimate")
    assert told["lengths"]["all"] == {
        "rows": 40,
        "mean": round(sum(counts) / 40, 1),
        "p50": int(np.percentile(counts, 50, method="lower")),
        "p95": int(np.percentile(counts, 95, method="lower")),
        "max": max(counts),
        "total": sum(counts),
    }


@pytest.mark.parametrize("asked", [{}, {"max_tokens": 60, "over_length": "cut-turns"}])
def test_each_part_is_told_and_what_training_costs(data_dir: Path, asked: dict[str, Any]) -> None:
    request = PrepareRequest(
        formats=("openai", "chat"), force=True, tokenizer="o200k", mix={"chats": 2.0}, **asked
    )
    found = prepare(request, Settings(data_dir=data_dir, workers=2))
    parts = {
        part: counted(messages_in(found["chat"].path / f"{part}.jsonl"), "o200k")
        for part in ("train", "validation")
    }
    told = found["chat"].manifest["tokens"]["parts"]
    assert {part: (each["rows"], each["total"]) for part, each in told.items()} == {
        part: (len(counts), sum(counts)) for part, counts in parts.items()
    }
    price = Decimal("3.50")
    learnt = sum(parts["train"])
    assert found["chat"].training_cost(price, 3) == learnt * 3 * price / 1_000_000
    whole = learnt + sum(parts["validation"])
    assert found["openai"].training_cost(price) == whole * price / 1_000_000
    with pytest.raises(SettingsError, match="a price is 0 or more"):
        found["chat"].training_cost(Decimal(-1))


def test_without_a_tokenizer_lengths_are_an_estimate_and_called_one(data_dir: Path) -> None:
    result = made(data_dir)["openai"]
    told = result.manifest["tokens"]
    assert (told["tokenizer"], told["exact"]) == ("estimate", False)
    total = sum(counted(messages_of(result), "estimate"))
    assert total < told["lengths"]["all"]["total"] < 1.5 * total


def test_records_that_are_too_long_are_dropped_and_counted(data_dir: Path) -> None:
    whole = messages_of(made(data_dir)["openai"])
    fit = [each for each in whole if counted([each], "o200k")[0] <= 120]
    assert 5 < len(fit) < 35
    found = made(data_dir, max_tokens=120, tokenizer="o200k")["openai"]
    assert messages_of(found) == fit
    assert found.skipped == {"over-length": 40 - len(fit)}
    assert found.manifest["tokens"]["lengths"]["all"]["max"] <= 120


@pytest.mark.parametrize("workers", [1, 2])
def test_conversations_are_cut_at_an_answer_that_fits(data_dir: Path, workers: int) -> None:
    whole = messages_of(made(data_dir)["openai"])
    asked: dict[str, Any] = {
        "max_tokens": 60,
        "tokenizer": "o200k",
        "over_length": "cut-turns",
    }
    found = made(data_dir, workers, **asked)
    kept = messages_of(found["openai"])
    by_start = {str(each[:-1][:3]): each for each in whole}
    cut = 0
    for each in kept:
        (before,) = (one for one in whole if one[: len(each)] == each)
        assert each[-1]["role"] == "assistant"
        assert counted([each], "o200k")[0] <= 60
        if len(each) < len(before):
            cut += 1
            # The next answer would have been too much.
            assert counted([before[: len(each) + 2]], "o200k")[0] > 60
    assert 5 < cut < len(by_start)
    assert found["openai"].changed["turns-cut"] == cut
    left = [each for each in whole if not any(each[: len(one)] == one for one in kept)]
    assert found["openai"].skipped.get("over-length", 0) == len(left)
    told = found["openai"].manifest["tokens"]["lengths"]["all"]
    counts = counted(kept, "o200k")
    assert (told["rows"], told["total"], told["max"]) == (len(kept), sum(counts), max(counts))
    # A flat text cannot be cut.
    assert found["huggingface"].rows < len(kept)
    assert "turns-cut" not in found["huggingface"].changed


def test_cut_or_not_is_the_same_for_one_worker_and_two(data_dir: Path) -> None:
    asked: dict[str, Any] = {
        "max_tokens": 60,
        "tokenizer": "estimate",
        "over_length": "cut-turns",
    }
    one, two = (made(data_dir, workers, **asked)["openai"] for workers in (1, 2))
    assert one.manifest == two.manifest


def test_they_may_be_kept(data_dir: Path) -> None:
    asked: dict[str, Any] = {"max_tokens": 10, "over_length": "keep", "tokenizer": "estimate"}
    assert made(data_dir, **asked)["openai"].rows == 40


def test_what_cannot_be_counted_is_refused_and_nothing_is_made(data_dir: Path) -> None:
    before = made(data_dir)["openai"].manifest
    for spec in ("gpt-9", "file:/nowhere/tokenizer.json"):
        with pytest.raises(SettingsError) as caught:
            made(data_dir, tokenizer=spec)
        assert caught.value.field == "tokenizer"
    with pytest.raises(SettingsError, match="no record is left"):
        made(data_dir, max_tokens=1, tokenizer="estimate")
    assert made(data_dir)["openai"].manifest == before

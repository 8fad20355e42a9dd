"""Lengths of exports in tokens: what a manifest tells is what its lines count, and none is over."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from chat_counts import chat_tokens
from chats import chat, lines, merge_chats
from preference_pairs import merge_pairs
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

from mindcorpus.errors import SettingsError
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing.prepare import PrepareResult, prepare
from mindcorpus.preparing.standing import standings
from mindcorpus.settings import Settings
from mindcorpus.storage.store import Store
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


def sides_of(line: dict[str, Any]) -> list[list[dict[str, Any]]]:
    return [[*line["prompt"], *line[side]] for side in ("chosen", "rejected")]


@pytest.mark.parametrize("policy", ["own", "replace", "none"])
def test_of_a_pair_each_section_counts_what_it_writes(tmp_path: Path, policy: str) -> None:
    rows: list[dict[str, Any]] = [
        {"prompt": f"¿Q{n}?", "chosen": "yes " * (n + 1), "rejected": "no, 不 " * (2 * n + 1)}
        for n in range(20)
    ]
    said = [("system", "Be kind."), ("user", "Why? 😀"), ("assistant", "So."), ("user", "And?")]
    prompt = [{"role": role, "content": text} for role, text in said]
    rows += [
        {
            "prompt": prompt,
            "chosen": [{"role": "assistant", "content": f"Long {n} " * n}],
            "rejected": [{"role": "assistant", "content": f"No {n}"}],
        }
        for n in range(1, 20)
    ]
    merge_pairs(tmp_path, rows)
    request = PrepareRequest(
        formats=("chat", "trl-dpo"), tokenizer="o200k", system_policy=cast("Any", policy)
    )
    found = prepare(request, Settings(data_dir=tmp_path / "out", workers=1))
    chats = [each for path in found["chat"].path.glob("*.jsonl") for each in messages_in(path)]
    told = found["chat"].manifest["tokens"]["lengths"]["all"]
    assert (told["rows"], told["total"]) == (39, sum(counted(chats, "o200k")))
    pairs = [
        sides_of(line) for path in found["trl-dpo"].path.glob("*.jsonl") for line in lines(path)
    ]
    both = [counted(sides, "o200k") for sides in pairs]
    told = found["trl-dpo"].manifest["tokens"]["lengths"]["all"]
    assert (told["rows"], told["total"]) == (78, sum(map(sum, both)))
    limit = 60
    asked = request.model_copy(update={"max_tokens": limit, "force": True})
    found = prepare(asked, Settings(data_dir=tmp_path / "out", workers=1))
    assert found["trl-dpo"].rows == sum(max(sides) <= limit for sides in both)
    assert found["chat"].rows == sum(each <= limit for each in counted(chats, "o200k"))
    assert found["chat"].rows != found["trl-dpo"].rows


@pytest.mark.parametrize("policy", ["own", "replace", "none"])
def test_instructions_behind_what_is_cut_do_not_count(tmp_path: Path, policy: str) -> None:
    rows = [
        chat(
            *[("system", "Early. " * (n % 3))] * (n % 3 > 0),
            ("user", "q " * (n % 7 + 1)),
            ("assistant", "a " * (n % 5 + 1)),
            ("system", f"Late “{n}”. " * 4),
            ("user", f"Nun? {n}"),
            ("assistant", "So. " * n),
        )
        for n in range(1, 41)
    ]
    merge_chats(tmp_path, rows)
    for limit in (30, 40, 50, 70):
        request = PrepareRequest(
            format="openai",
            force=True,
            system_policy=cast("Any", policy),
            max_tokens=limit,
            tokenizer="o200k",
            over_length="cut-turns",
            system_prompt="You are a “kind” helper.",
        )
        found = prepare(request, Settings(data_dir=tmp_path, workers=1))["openai"]
        counts = counted(messages_of(found), "o200k")
        assert max(counts) <= limit
        told = found.manifest["tokens"]["lengths"]["all"]
        assert (told["total"], told["max"]) == (sum(counts), max(counts))
        assert found.rows + found.skipped.get("over-length", 0) == 40


def test_the_same_request_is_no_other_setting(tmp_path: Path) -> None:
    merge_chats(tmp_path, TALKS)
    asked = PrepareRequest(formats=("chat",), max_tokens=120, over_length="drop")
    settings = Settings(data_dir=tmp_path, workers=1)
    first = prepare(asked, settings)["chat"]
    assert first.manifest["settings"]["tokenizer"] == "o200k"
    merge_chats(tmp_path / "more", TALKS[:20])
    (tmp_path / "artifacts/corpus").unlink()
    (tmp_path / "artifacts/corpus").symlink_to(tmp_path / "more/artifacts/corpus")
    for request in (asked, PrepareRequest(formats=("chat",))):
        standing = standings(Store(tmp_path), request, settings, ("chat",))["chat"]
        assert (standing.state, standing.differences) == ("outdated", ())
    assert prepare(asked, settings)["chat"].rows < first.rows


def tokenizer_file(folder: Path) -> Path:
    """Write a tokenizer of bytes, and give its path."""
    tokens = {letter: at for at, letter in enumerate(sorted(ByteLevel.alphabet()))}
    trained = Tokenizer(BPE(tokens, []))
    trained.pre_tokenizer = ByteLevel(add_prefix_space=False)
    trained.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


def test_a_tokenizer_s_file_is_named_and_its_path_in_no_manifest(
    data_dir: Path, tmp_path: Path
) -> None:
    spec = f"file:{tokenizer_file(tmp_path)}"
    result = made(data_dir, tokenizer=spec, max_tokens=4000)["openai"]
    assert str(tmp_path) not in json.dumps(result.manifest)
    name = tokenizer(spec).name
    assert result.manifest["settings"]["tokenizer"] == name
    assert result.manifest["tokens"]["tokenizer"] == name
    with pytest.raises(SettingsError, match="one of a file, which is not known here"):
        tokenizer(name)

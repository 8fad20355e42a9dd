"""Formats of preference pairs: every pair of the corpus stands in each, prompt and both answers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from chats import chat, lines, merge_chats
from corpora import digests, merge_sample
from exports import Record, Traced, chosen, corpus_of, files_in, rejected, said, traced
from hypothesis import given
from hypothesis import settings as runs
from preference_pairs import KINDS, NO_PAIRS, Row, assistant, merge_pairs, pairs, system, user

from mindcorpus.errors import SettingsError
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing import runs as preparing_runs
from mindcorpus.preparing.prepare import PrepareResult, prepare
from mindcorpus.settings import SYSTEM_PROMPT, Settings
from mindcorpus.verify import verify

FORMATS = ("openai-preference", "trl-dpo", "trl-kto")
CONFIGURED = system(SYSTEM_PROMPT)
SAMPLE = Path(__file__).parents[1] / "chat_sample"
SCHEMAS = Path(__file__).parents[1] / "consumers" / "schemas"
KEYS = {
    "openai-preference": ["input", "preferred_output", "non_preferred_output"],
    "trl-dpo": ["prompt", "chosen", "rejected"],
    "trl-kto": ["prompt", "completion", "label"],
}
LEFT_OUT = {
    "openai-preference": {"two-prompts": 1, "answer-turns": 3},
    "trl-dpo": {"two-prompts": 1, "answer-weights": 1, "tools": 1, "names": 1},
    "trl-kto": {"two-prompts": 1, "answer-weights": 1, "tools": 1, "names": 1},
}


def make(data_dir: Path, workers: int = 1, **request: Any) -> dict[str, PrepareResult]:
    asked = PrepareRequest(**{"formats": FORMATS, "force": True, **request})
    return prepare(asked, Settings(data_dir=data_dir, workers=workers))


def all_kinds(folder: Path, workers: int = 1) -> Path:
    """Merge pairs of all kinds, and those that are none; give the data folder."""
    merge_pairs(folder, [*KINDS.values(), *NO_PAIRS.values()], workers)
    return folder / "out"


def sides(format_: str, value: Mapping[str, Any]) -> tuple[list[Any], list[Any] | None, Any]:
    """Give prompt, chosen and rejected of a line; None for what another line has."""
    if format_ == "openai-preference":
        found = value["input"]["messages"], value["preferred_output"]
        return *found, value["non_preferred_output"]
    if format_ == "trl-kto":
        completion, label = value["completion"], value["label"]
        return value["prompt"], completion if label else None, None if label else completion
    return value["prompt"], value["chosen"], value["rejected"]


def check(format_: str, line: Traced) -> None:
    """Compare a line with its corpus row: who says what, and where the answers begin."""
    prompt, good, bad = sides(format_, line.value)
    assert [*line.value] == KEYS[format_]
    assert prompt[-1]["role"] == "user"
    for side, whole in ((good, chosen(line.record)), (bad, rejected(line.record))):
        if side is not None:
            assert side
            assert side[0]["role"] == "assistant"
            assert said([*prompt, *side]) == said(whole)
    for message in prompt if format_ == "openai-preference" else [*prompt, *(good or bad)]:
        assert [*message] == ["role", "content"] or format_ == "openai-preference"
        assert "weight" not in message
    if good is not None and bad is not None:
        assert good != bad


@pytest.mark.parametrize("workers", [1, 2])
def test_every_pair_is_traced_to_its_corpus_row_and_says_the_same(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing_runs, "_RUN_BYTES", 1)  # several runs, even of the sample
    merge_sample(tmp_path, catalogs=(str(SAMPLE / "catalog.toml"),))
    corpus = corpus_of(tmp_path)
    paired = {
        at
        for at, record in enumerate(corpus)
        if record["response"].strip() and record["rejected_response"].strip()
    }
    made = make(tmp_path, workers, formats=(*FORMATS, "chat"))
    train = {line.corpus_row for line in traced(made["chat"], corpus) if line.part == "train"}
    for name in FORMATS:
        found = traced(made[name], corpus)
        assert made[name].rows == len(paired) > 70
        assert Counter(line.corpus_row for line in found) == dict.fromkeys(
            paired, 2 if name == "trl-kto" else 1
        )
        for line in found:
            check(name, line)
        # On the side on which its chosen answer is for those that learn from chats.
        ours = {line.corpus_row for line in found if line.part == "train"}
        twins = paired - {line.corpus_row for line in traced(made["chat"], corpus)}
        assert ours - twins == (paired & train)
        assert ours < paired
        assert files_in(made[name]) == {"train.jsonl", "validation.jsonl"}
    assert verify(tmp_path) == []


def test_pairs_of_all_kinds_are_there_or_left_out_by_a_reason_that_names_the_thing(
    tmp_path: Path,
) -> None:
    data_dir = all_kinds(tmp_path)
    corpus = corpus_of(data_dir)
    made = make(data_dir)
    schema = json.loads((SCHEMAS / "openai-preference.json").read_text("utf-8"))
    for value in lines(made["openai-preference"].path / "train.jsonl"):
        jsonschema_rs.validate(schema, value)
    for name in FORMATS:
        reasons = {f"cannot-carry-{what}": count for what, count in LEFT_OUT[name].items()}
        assert made[name].skipped == {"no-pair": len(NO_PAIRS), **reasons}
        assert made[name].rows == len(KINDS) - sum(reasons.values())
        for line in traced(made[name], corpus):
            if name != "openai-preference" or "t1" not in line.record["input"]:
                check(name, line)
    changed = made["trl-dpo"].changed
    assert changed["developer-as-system"] == changed["reasoning-left-out"] == 1
    assert changed["later-turns-left-out"] == changed["empty-turns-left-out"] == 1
    assert "rejected-side-left-out" not in changed
    assert verify(data_dir) == []


def found_by(text: str, made: PrepareResult) -> Any:
    (line,) = (
        line
        for name in sorted(files_in(made))
        for line in lines(made.path / name)
        if f'"{text}"' in str(line).replace("'", '"')
    )
    return line


def test_the_exact_lines_of_some_kinds(tmp_path: Path) -> None:
    made = make(all_kinds(tmp_path))
    trl, openai = made["trl-dpo"], made["openai-preference"]
    assert found_by("Bien, “gracias”.".replace('"', ""), trl) == {
        "prompt": [CONFIGURED, user("¿Qué tal? 😀")],
        "chosen": [assistant("Bien, “gracias”.")],
        "rejected": [assistant("No.")],
    }
    assert found_by("Warum?", openai) == {
        "input": {"messages": [system("Sei kurz."), user("Warum?")]},
        "preferred_output": [assistant("Darum 🙂")],
        "non_preferred_output": [assistant("Nein.")],
    }
    called = found_by("t1", openai)
    assert called["input"] == {
        "messages": [CONFIGURED, user("t1")],
        "tools": KINDS["tools"]["tools"],
        "parallel_tool_calls": False,
    }
    assert called["preferred_output"] == KINDS["tools"]["chosen"]
    assert found_by("dev q", openai)["input"]["messages"][0]["role"] == "developer"
    assert found_by("dev q", trl)["prompt"] == [system("Be kind."), user("dev q")]
    # Where both sides go on alike, that is part of the answer: a prompt ends with a question.
    assert found_by("b2", trl) == {
        "prompt": [CONFIGURED, user("b1")],
        "chosen": KINDS["answer of turns that begin alike"]["chosen"],
        "rejected": KINDS["answer of turns that begin alike"]["rejected"],
    }
    assert found_by("e2", trl)["prompt"] == [CONFIGURED, user("e1"), user("e2")]
    assert found_by("w2", trl)["prompt"][2] == assistant("w2")


@pytest.mark.parametrize(
    ("policy", "instructed"),
    [("own", "Sei kurz."), ("replace", SYSTEM_PROMPT), ("none", None)],
)
def test_a_policy_says_what_becomes_of_the_system_turns_of_prompts(
    policy: str, instructed: str | None, tmp_path: Path
) -> None:
    data_dir = all_kinds(tmp_path)
    for name, made in make(data_dir, system_policy=policy).items():
        prompts = [
            sides(name, value)[0] for file in files_in(made) for value in lines(made.path / file)
        ]
        (mine, *_) = (prompt for prompt in prompts if prompt[-1]["content"] == "Warum?")
        assert mine == [*([system(instructed)] if instructed else []), user("Warum?")]
        (late, *_) = (prompt for prompt in prompts if prompt[-1]["content"] == "l3")
        roles = [each["role"] for each in late]
        if policy == "own":
            assert roles == ["user", "assistant", "system", "user"]
        else:
            before = ["system"] if policy == "replace" else []
            assert roles == [*before, "user", "assistant", "user"]


def test_both_answers_of_a_pair_are_labelled_and_stand_together(tmp_path: Path) -> None:
    data_dir = all_kinds(tmp_path)
    made = make(data_dir)["trl-kto"]
    found = traced(made, corpus_of(data_dir))
    assert len(found) == 2 * made.rows
    for good, bad in zip(found[::2], found[1::2], strict=True):
        assert (good.value["label"], bad.value["label"]) == (True, False)
        assert (good.file, good.corpus_row) == (bad.file, bad.corpus_row)
        assert good.value["prompt"] == bad.value["prompt"]
    outputs = {each["path"]: each["rows"] for each in made.manifest["outputs"]}
    assert outputs["train.jsonl"] == len(lines(made.path / "train.jsonl"))


def test_without_pairs_none_is_made_and_the_others_are(tmp_path: Path) -> None:
    merge_pairs(tmp_path, [*NO_PAIRS.values()])
    data_dir = tmp_path / "out"
    with pytest.raises(SettingsError, match="the corpus holds no preference pairs"):
        make(data_dir, formats=("chat", "trl-dpo"))
    assert (data_dir / "mental_health_chat").exists()
    assert not (data_dir / "mental_health_trl_dpo").exists()
    assert verify(data_dir) == []


def test_pairs_that_no_format_of_pairs_can_carry_are_an_error_that_says_so(tmp_path: Path) -> None:
    merge_pairs(tmp_path, [KINDS["two prompts"]])
    with pytest.raises(SettingsError, match="no record is left for trl-dpo") as caught:
        make(tmp_path / "out", formats=("trl-dpo",))
    assert caught.value.hint == "No format of its kind can."
    merge_pairs(tmp_path, [KINDS["answer of turns"]])
    with pytest.raises(SettingsError, match="no record is left for openai-preference") as caught:
        make(tmp_path / "out", formats=("openai-preference",))
    assert caught.value.hint == "Formats that can: trl-dpo, trl-kto."


MANY = [
    {"prompt": f"q{at} 😀", "chosen": f"a{at}", "rejected": f"b{at}"}
    if at % 3
    else {
        "prompt": [system("s"), user(f"q{at}")],
        "chosen": [assistant(f"a{at}"), user("?"), assistant(f"é{at}")],
        "rejected": [assistant(f"b{at}")],
    }
    for at in range(60)
]


def test_a_mixture_repeats_what_trains_and_says_so(tmp_path: Path) -> None:
    merge_pairs(tmp_path, MANY)
    data_dir = tmp_path / "out"
    corpus = corpus_of(data_dir)
    made = make(data_dir, formats=("trl-dpo", "trl-kto"), mix={"pairs": 2.0})
    for name, per_record in (("trl-dpo", 1), ("trl-kto", 2)):
        found = traced(made[name], corpus)
        for line in found:
            check(name, line)
        counts = Counter(line.corpus_row for line in found)
        train = {line.corpus_row for line in found if line.part == "train"}
        assert len(counts) == len(MANY)
        assert {counts[row] for row in train} == {2 * per_record}
        assert {counts[row] for row in {*counts} - train} == {per_record}
        assert made[name].repeats == {"pairs": len(train)}
    assert verify(data_dir) == []


def test_a_test_part_has_a_file_of_its_own(tmp_path: Path) -> None:
    merge_pairs(tmp_path, MANY)
    data_dir = tmp_path / "out"
    made = make(data_dir, test_share=0.2)
    parts: dict[str, dict[int, str]] = {}
    for name in FORMATS:
        found = traced(made[name], corpus_of(data_dir))
        assert files_in(made[name]) == {"train.jsonl", "validation.jsonl", "test.jsonl"}
        assert all(line.file == f"{line.part}.jsonl" for line in found)
        parts[name] = {line.corpus_row: line.part for line in found}
    assert parts["trl-dpo"] == parts["trl-kto"]
    assert parts["openai-preference"].items() <= parts["trl-dpo"].items()
    assert verify(data_dir) == []


@pytest.mark.parametrize("rows", [MANY, MANY[1::3]])
def test_the_bytes_do_not_depend_on_workers_or_runs(
    rows: list[Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of texts alone the sizes are known beforehand, and all workers write one file in place.
    found = []
    for workers, size in ((1, 2**30), (2, 1)):
        monkeypatch.setattr(preparing_runs, "_RUN_BYTES", size)
        folder = tmp_path / str(workers)
        merge_pairs(folder, rows, workers, sources=2)
        make(folder / "out", workers)
        found.append(digests(folder / "out", ".jsonl"))
    assert found[0] == found[1]
    assert len(found[0]) == 2 * len(FORMATS)


def plain(record: Record) -> Record:
    """Give a corpus' pair as a row that makes it."""
    both = [chosen(record), rejected(record)]
    size = next(
        at
        for at in range(len(both[0]), 0, -1)
        if both[0][:at] == both[1][:at] and both[0][at - 1]["role"] == "user"
    )
    return {"prompt": both[0][:size], "chosen": both[0][size:], "rejected": both[1][size:]}


@runs(max_examples=25, deadline=None)
@given(found=pairs())
def test_any_pair_of_conversations_comes_back_from_trl_dpo(
    found: list[Row], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("pairs")
    merge_pairs(folder, found)
    made = make(folder / "out", formats=("trl-dpo",), system_policy="own", system_prompt="P")
    lines_ = traced(made["trl-dpo"], corpus_of(folder / "out"))
    assert len(lines_) == len(found)
    for line in lines_:
        expected = found[line.corpus_row]
        prompt = expected["prompt"]
        if prompt[0]["role"] != "system":
            prompt = [system("P"), *prompt]
        assert line.value == {**expected, "prompt": prompt}
        assert plain(line.record) == expected
    assert verify(folder / "out") == []


def test_chats_without_a_rejected_side_are_no_pairs(tmp_path: Path) -> None:
    merge_chats(tmp_path, [chat(("user", "q"), ("assistant", "a"))])
    with pytest.raises(SettingsError) as caught:
        make(tmp_path, formats=("trl-kto",))
    assert caught.value.title == "the corpus holds no preference pairs"

"""Chats in the schemas of Vertex AI and Bedrock: each line has the shape that the provider asks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from chats import chat, chat_source, lines, merge_chats
from corpora import digests, merge_own, merge_sample
from exports import chosen, corpus_of, said, traced

from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing import runs as preparing_runs
from mindcorpus.preparing.prepare import PrepareResult, prepare
from mindcorpus.settings import SYSTEM_PROMPT, Settings
from mindcorpus.verify import verify

FORMATS = ("gemini", "bedrock")
SAMPLE = Path(__file__).parents[1] / "chat_sample"


#: Written from the providers' pages, which they name.
SCHEMAS = Path(__file__).parents[1] / "consumers" / "schemas"
VALID: dict[str, Callable[[Any], None]] = {
    name: jsonschema_rs.validator_for(json.loads((SCHEMAS / f"{name}.json").read_text())).validate
    for name in FORMATS
}


def make(data_dir: Path, workers: int = 1, **request: Any) -> dict[str, PrepareResult]:
    asked = PrepareRequest(**{"formats": FORMATS, "force": True, **request})
    return prepare(asked, Settings(data_dir=data_dir, workers=workers))


def messages(format_: str, value: Any) -> list[dict[str, str]]:
    """Give what a line says as messages of role and content; each has one text, also a system's."""
    if format_ == "gemini":
        system = [value["systemInstruction"]] if "systemInstruction" in value else []
        turns = [(each["role"], each["parts"]) for each in (*system, *value["contents"])]
    else:
        turns = (
            [("system", each) for each in [value["system"]] if each] if "system" in value else []
        )
        turns += [(each["role"], each["content"]) for each in value["messages"]]
    return [
        {"role": {"model": "assistant"}.get(role, role), "content": text["text"]}
        for role, (text,) in turns
    ]


@pytest.mark.parametrize("workers", [1, 2])
def test_every_line_is_of_the_schema_and_says_what_its_corpus_row_says(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing_runs, "_RUN_BYTES", 1)
    merge_sample(tmp_path, catalogs=(str(SAMPLE / "catalog.toml"),))
    corpus = corpus_of(tmp_path)
    for name, made in make(tmp_path, workers).items():
        assert made.skipped.keys() == {
            *("no-response", "same-answer", "cannot-carry-weights", "cannot-carry-tools")
        }
        found = traced(made, corpus)
        assert len(found) == made.rows > 300
        for line in found:
            VALID[name](line.value)
            told = messages(name, line.value)
            assert said(told) == said(chosen(line.record))
            own = [each for each in line.record["messages"] or [] if each["role"] == "system"]
            assert told[0]["content"] == (own[0]["content"] if own else SYSTEM_PROMPT)
            roles = [role for role, _ in said(told)]
            assert roles == ["user", "assistant"] * (len(roles) // 2)
    assert verify(tmp_path) == []


@pytest.mark.parametrize(
    ("policy", "systems"),
    [("own", ["s", SYSTEM_PROMPT]), ("replace", [SYSTEM_PROMPT] * 2), ("none", [None] * 2)],
)
def test_a_policy_says_what_the_system_text_is(
    policy: str, systems: list[str | None], tmp_path: Path
) -> None:
    rows = [
        chat(("developer", "s"), ("user", "q1"), ("assistant", "a1")),
        chat(("user", "q2"), ("assistant", "a2"), ("user", "¿y?"), ("assistant", "é")),
    ]
    merge_chats(tmp_path, rows)
    for name, made in make(tmp_path, system_policy=policy).items():
        found = [
            messages(name, value)
            for part in ("train", "validation")
            if (made.path / f"{part}.jsonl").exists()
            for value in lines(made.path / f"{part}.jsonl")
        ]
        found.sort(key=lambda each: said(each)[0])
        firsts = [each[0] for each in found]
        assert [
            first["content"] if first["role"] == "system" else None for first in firsts
        ] == systems
        assert made.changed.get("developer-as-system", 0) == (policy == "own")


def test_words_that_bedrock_reserves_are_warned_about(tmp_path: Path) -> None:
    rows = [
        chat(("user", "User: hi"), ("assistant", "a1")),
        chat(("user", "q2"), ("assistant", "Assistant: fine in an answer")),
        chat(("system", "Say [EOS]."), ("user", "q3"), ("assistant", "a3")),
    ]
    merge_chats(tmp_path / "some", rows)
    (warning,) = (each for each in make(tmp_path / "some")["bedrock"].warnings if "[EOS]" in each)
    assert warning.startswith("2 of the rows hold a word that the provider reserves")
    merge_chats(tmp_path / "none", rows[1:2])
    assert not any("[EOS]" in each for each in make(tmp_path / "none")["bedrock"].warnings)


def test_the_bytes_do_not_depend_on_workers_or_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = [chat(("user", f"q{at} 😀"), ("assistant", f"a{at}")) for at in range(30)]
    more = [("user", "?"), ("assistant", "!")]
    turns = [chat(("user", f"q{at}"), ("assistant", f"a{at}"), *more) for at in range(30)]
    # Of texts alone sizes are known beforehand, and all workers write one file in place.
    for kind, rows in (("plain", plain), ("turns", turns)):
        found = []
        for workers, size in ((1, 2**30), (2, 1)):
            monkeypatch.setattr(preparing_runs, "_RUN_BYTES", size)
            folder = tmp_path / f"{kind}-{workers}"
            halves = (chat_source(folder / "own", f"half-{at}", rows[at::2]) for at in (0, 1))
            merge_own(folder, *halves, workers=workers)
            make(folder, workers)
            found.append({**digests(folder / "artifacts", ".jsonl")})
        assert found[0] == found[1]
        assert len(found[0]) == 2 * len(FORMATS)

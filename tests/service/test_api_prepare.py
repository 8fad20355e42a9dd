"""GET and POST /prepare: which training formats are there, and make them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from registered import FORMATS
from sample_numbers import ANSWERED

from mindcorpus.formats.registry import FORMATS as REGISTRY
from mindcorpus.tokens.tokenizer import default_tokenizer

if TYPE_CHECKING:
    import httpx2
    from playing import Player


def without(corpus: Path, kind: str) -> None:
    """Take a format away."""
    (corpus / "artifacts" / kind).unlink()


def test_formats_are_told_of(asking: httpx2.Client, corpus: Path) -> None:
    body = asking.get("/prepare").json()
    assert list(body["formats"]) == [*FORMATS]
    for entry in body["formats"].values():
        assert (entry["exists"], entry["outdated"], entry["rows"]) == (True, False, ANSWERED)
    assert body["job"] is None


def test_formats_of_another_corpus_are_outdated(asking: httpx2.Client, corpus: Path) -> None:
    manifest = corpus / "artifacts" / "corpus" / "manifest.json"
    manifest.write_text(manifest.read_text() + "\n")
    formats = asking.get("/prepare").json()["formats"]
    assert {entry["outdated_by"] for entry in formats.values()} == {"corpus-changed"}
    assert all(entry["outdated"] for entry in formats.values())


def test_outdated_formats_are_made_anew_unforced(asking: httpx2.Client, corpus: Path) -> None:
    manifest = corpus / "artifacts" / "corpus" / "manifest.json"
    manifest.write_text(manifest.read_text() + "\n")
    answer = asking.post("/prepare", json={"format": "openai"})
    assert answer.status_code == 202
    asked = answer.json()["request"]
    assert (asked["format"], asked["force"]) == ("openai", False)


def test_without_a_corpus_there_is_nothing_to_prepare(asking: httpx2.Client) -> None:
    answer = asking.post("/prepare")
    assert answer.status_code == 409
    problem = answer.json()
    assert problem["code"] == "no-corpus"
    assert "/merge" in problem["hint"]
    assert asking.get("/prepare").json()["formats"]["openai"]["exists"] is False


def test_formats_are_not_replaced_unasked(asking: httpx2.Client, corpus: Path) -> None:
    answer = asking.post("/prepare", json={"format": "openai"})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["exists"], body["job"], list(body["formats"])) == (True, None, ["openai"])
    assert body["formats"]["openai"]["differs"] == []
    assert asking.get("/jobs").json()["jobs"] == []
    forced = asking.post("/prepare", json={"format": "openai", "force": True})
    assert forced.status_code == 202
    assert forced.headers["Location"].endswith(forced.json()["id"])


@pytest.mark.parametrize(
    ("asked", "setting", "is_", "would_be"),
    [
        ({"caps": {"TRACE": 5}}, "caps", None, {"TRACE": 5}),
        ({"min_words": 3}, "min_words", None, 3),
        ({"seed": 7}, "seed", 42, 7),
        ({"test_share": 0.1}, "test_share", 0.0, 0.1),
    ],
)
def test_what_would_differ_is_told_and_stays(
    asking: httpx2.Client,
    corpus: Path,
    asked: dict[str, Any],
    setting: str,
    is_: object,
    would_be: object,
) -> None:
    answer = asking.post("/prepare", json=asked)
    assert answer.status_code == 200
    differs = [entry["differs"] for entry in answer.json()["formats"].values()]
    assert differs == [[{"setting": setting, "is": is_, "would_be": would_be}]] * len(FORMATS)
    forced = asking.post("/prepare", json={**asked, "force": True})
    assert (forced.status_code, forced.json()["request"][setting]) == (202, would_be)


def test_a_split_that_is_as_it_was_asks_for_nothing(asking: httpx2.Client, corpus: Path) -> None:
    asked = {"seed": 42, "validation_share": 0.2, "test_share": 0, "folds": 0}
    answer = asking.post("/prepare", json=asked)
    assert answer.status_code == 200
    assert all(entry["differs"] == [] for entry in answer.json()["formats"].values())


def test_several_formats_are_one_job(asking: httpx2.Client, corpus: Path) -> None:
    answer = asking.post("/prepare", json={"formats": ["chat", "openai", "sharegpt"]})
    assert answer.status_code == 202
    assert answer.json()["request"]["formats"] == ["chat", "sharegpt"]


def test_formats_are_offered_with_what_they_would_hold(asking: httpx2.Client, corpus: Path) -> None:
    found = {each["name"]: each for each in asking.get("/formats").json()["formats"]}
    assert list(found) == list(REGISTRY)
    assert all(found[name]["rows"] == ANSWERED for name in (*FORMATS, "chat", "sharegpt"))
    assert [name for name in found if found[name]["exists"]] == [*FORMATS]
    chat = found["chat"]
    assert chat["sections"] == [{"name": "default", "takes": "answers", "rows": ANSWERED}]
    assert (chat["path"], chat["outdated_by"]) == ("mental_health_chat", None)
    assert 'load_dataset("mental_health_chat")' in chat["snippet"]
    etag = asking.get("/formats").headers["ETag"]
    assert asking.get("/formats", headers={"If-None-Match": etag}).status_code == 304


def test_without_a_corpus_formats_would_hold_nothing_that_is_known(asking: httpx2.Client) -> None:
    found = asking.get("/formats").json()["formats"]
    assert [each["name"] for each in found] == list(REGISTRY)
    assert all((each["rows"], each["sections"]) == (None, []) for each in found)


def test_of_all_formats_those_that_lack_are_made(asking: httpx2.Client, corpus: Path) -> None:
    without(corpus, "huggingface")
    answer = asking.post("/prepare")
    assert answer.status_code == 202
    assert answer.json()["request"]["format"] == "huggingface"
    both = asking.post("/prepare", json={"force": True})
    assert both.json()["request"]["format"] == "all"


def test_choices_reach_the_job(asking: httpx2.Client, corpus: Path) -> None:
    body = {
        "format": "huggingface",
        "force": True,
        "exclude": ["TRACE"],
        "types": ["counseling"],
        "caps": {"Psych-101": 5},
        "seed": 7,
        "system_prompt": "Be kind.",
        "instruction": "Answer:",
        "validation_share": 0.3,
        "sources": ["Psych-101"],
        "tags": [],
        "min_words": 2,
        "max_words": 900,
        "max_tokens": 4000,
        "over_length": "cut-turns",
        "tokenizer": None,
        "mix": {"Psych-101": 0.5},
        "test_share": 0.1,
        "folds": 5,
    }
    assert asking.post("/prepare", json=body).json()["request"] == {
        **body,
        "formats": [],
        "system_policy": "replace",
        "tokenizer": default_tokenizer(),
    }
    plain = asking.post("/prepare", json={"force": True}).json()
    # What is unsaid of the split is as the last one was, or the settings are.
    assert (plain["request"]["seed"], plain["request"]["validation_share"]) == (42, 0.2)
    # What is unsaid keeps the turns of records' own, as `own` does.
    assert plain["request"]["system_policy"] is None


@pytest.mark.parametrize(
    "body",
    [
        {"format": "csv"},
        {"caps": {"TRACE": -1}},
        {"caps": {"TRACE": "5"}},
        {"seed": -1},
        {"seed": 1.5},
        {"validation_share": 1},
        {"system_prompt": ""},
        {"system_policy": "mine"},
        {"path": "/tmp"},
        {"formats": ["openai", "csv"]},
        {"format": "openai", "formats": ["chat"]},
        {"tokenizer": "file:/etc/passwd"},
        {"over_length": "drop"},
        {"mix": {"TRACE": 0}},
        {"min_words": 9, "max_words": 3},
        {"folds": 1},
    ],
)
def test_only_what_is_known_may_be_asked_for(
    asking: httpx2.Client, corpus: Path, body: dict[str, Any]
) -> None:
    answer = asking.post("/prepare", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"exclude": ["TRACE", "No-Such-Source"]}, "exclude"),
        ({"types": ["no-such-type"]}, "types"),
        ({"caps": {"No-Such-Source": 5}}, "caps"),
        ({"mix": {"No-Such-Source": 2}}, "mix"),
        ({"sources": ["No-Such-Source"]}, "sources"),
        ({"tags": ["no-such-tag"]}, "tags"),
    ],
)
@pytest.mark.parametrize("force", [True, False])
def test_names_are_checked_before_anything_is_queued(
    asking: httpx2.Client, corpus: Path, body: dict[str, Any], field: str, *, force: bool
) -> None:
    answer = asking.post("/prepare", json={**body, "force": force})
    assert (answer.status_code, answer.json()["code"]) == (422, "settings")
    assert answer.json()["field"] == field
    assert asking.get("/jobs").json()["jobs"] == []


def test_a_job_in_flight_is_shown_and_joined(asking: httpx2.Client, corpus: Path) -> None:
    first = asking.post("/prepare", json={"force": True}).json()
    assert asking.get("/prepare").json()["job"]["id"] == first["id"]
    joined = asking.post("/prepare", json={"force": True})
    assert (joined.status_code, joined.json()["id"]) == (202, first["id"])


def test_a_data_folder_that_is_gone_is_no_bug(asking: httpx2.Client, corpus: Path) -> None:
    shutil.rmtree(corpus)
    assert asking.get("/prepare").status_code == 200
    assert asking.get("/merge").status_code == 200


def test_a_key_still_gives_its_job_when_that_is_done(
    asking: httpx2.Client, playing: Player, corpus: Path, made_sample: Path
) -> None:
    without(corpus, "openai")
    key = {"Idempotency-Key": "lost-the-answer"}
    job = asking.post("/prepare", json={"format": "openai"}, headers=key).json()["id"]
    playing.take(job)
    playing.succeed(job)
    link = (made_sample / "artifacts" / "openai").readlink()
    (corpus / "artifacts" / "openai").symlink_to(link)
    again = asking.post("/prepare", json={"format": "openai"}, headers=key)
    assert (again.status_code, again.json()["id"]) == (200, job)
    assert asking.post("/prepare", json={"format": "openai"}).json()["exists"] is True
    other = asking.post("/prepare", json={}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")

"""GET and POST /merge: is there a corpus, and make one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sample_numbers import KEPT

from mindcorpus.storage.kinds import KINDS

if TYPE_CHECKING:
    import httpx2

CORPUS = KINDS["corpus"].path


def jobs(client: httpx2.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/jobs").json()["jobs"]
    return found


def test_there_is_no_corpus_at_first(asking: httpx2.Client) -> None:
    answer = asking.get("/merge")
    assert answer.status_code == 200
    body = answer.json()
    assert body["path"] == CORPUS
    assert {name: body[name] for name in ("exists", "rows", "manifest", "job")} == {
        "exists": False,
        "rows": None,
        "manifest": None,
        "job": None,
    }
    assert "Retry-After" not in answer.headers


def test_a_merge_becomes_a_job(asking: httpx2.Client) -> None:
    answer = asking.post("/merge", json={"sample": True, "exclude": ["TRACE"]})
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["Location"] == f"/api/ai/data/jobs/{job['id']}"
    assert (job["kind"], job["state"], job["result"]) == ("merge", "queued", None)
    assert job["request"]["sample"] is True
    assert job["request"]["exclude"] == ["TRACE"]
    in_flight = asking.get("/merge")
    assert in_flight.json()["job"]["id"] == job["id"]
    assert in_flight.headers["Retry-After"] == "1"


def test_a_body_may_be_left_out(asking: httpx2.Client) -> None:
    bare = asking.post("/merge")
    empty = asking.post("/merge", content=b"", headers={"Content-Type": "text/plain"})
    written = asking.post("/merge", json={})
    assert {answer.status_code for answer in (bare, empty, written)} == {202}
    # The same work: one job.
    assert len({answer.json()["id"] for answer in (bare, empty, written)}) == 1


def test_a_corpus_is_not_replaced_unasked(asking: httpx2.Client, corpus: Path) -> None:
    answer = asking.post("/merge", json={"sample": True})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["exists"], body["job"]) == (True, None)
    assert body["path"] == CORPUS
    assert (corpus / CORPUS).exists()
    assert body["statistics"]["records"] == KEPT
    assert jobs(asking) == []
    assert asking.post("/merge", json={"sample": True, "force": True}).status_code == 202


def test_the_corpus_is_told_of_with_its_sources(asking: httpx2.Client, corpus: Path) -> None:
    body = asking.get("/merge").json()
    assert (body["exists"], body["rows"], body["job"]) == (True, KEPT, None)
    assert body["bytes"] > 100_000
    assert any("non-commercial" in warning for warning in body["warnings"])
    trace = next(source for source in body["manifest"]["sources"] if source["name"] == "TRACE")
    assert trace["licence"]["id"] == "CC-BY-NC-4.0"
    assert "revision" in trace


def test_what_did_not_change_is_not_sent_again(asking: httpx2.Client, corpus: Path) -> None:
    first = asking.get("/merge")
    again = asking.get("/merge", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    asking.post("/merge", json={"sample": True, "force": True})
    changed = asking.get("/merge", headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200


def test_the_same_key_gives_the_same_job(asking: httpx2.Client) -> None:
    key = {"Idempotency-Key": "a-key"}
    first = asking.post("/merge", json={"sample": True}, headers=key)
    again = asking.post("/merge", json={"force": False, "sample": True}, headers=key)
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["Location"] == first.headers["Location"]


def test_a_key_is_for_one_request(asking: httpx2.Client, corpus: Path) -> None:
    key = {"Idempotency-Key": "a-key"}
    asking.post("/merge", json={"sample": True, "force": True}, headers=key)
    for path, body in (("/merge", {"force": True}), ("/prepare", {"force": True})):
        answer = asking.post(path, json=body, headers=key)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")


def test_a_key_belongs_to_its_token(asking: httpx2.Client, other: httpx2.Client) -> None:
    key = {"Idempotency-Key": "a-key"}
    mine = asking.post("/merge", json={"sample": True}, headers=key)
    theirs = other.post("/merge", json={"sample": True, "exclude": ["TRACE"]}, headers=key)
    assert (mine.status_code, theirs.status_code) == (202, 202)
    assert theirs.json()["id"] != mine.json()["id"]
    again = other.post("/merge", json={"sample": True, "exclude": ["TRACE"]}, headers=key)
    assert (again.status_code, again.json()["id"]) == (200, theirs.json()["id"])
    wrong = other.post("/merge", json={"sample": True}, headers=key)
    assert (wrong.status_code, wrong.json()["code"]) == (422, "idempotency-key-reused")


@pytest.mark.parametrize("key", ["", "ä", "two words", "x" * 256])
def test_a_key_is_visible_ascii(asking: httpx2.Client, key: str) -> None:
    answer = asking.post("/merge", headers={b"Idempotency-Key": key.encode()})
    assert (answer.status_code, answer.json()["field"]) == (422, "Idempotency-Key")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"paths": {"TRACE": "/etc/passwd"}}, "paths"),
        ({"catalogs": ["/etc/passwd"]}, "catalogs"),
        ({"froce": True}, "froce"),
        ({"force": "true"}, "force"),
        ({"sources": []}, "sources"),
        ({"sources": "TRACE"}, "sources"),
        ({"exclude": [7]}, "exclude.0"),
        ({"options": {"Psych-101.max_chars": 0}}, "options.Psych-101.max_chars"),
        ([], "body"),
    ],
)
def test_only_what_is_known_may_be_asked_for(asking: httpx2.Client, body: Any, field: str) -> None:
    answer = asking.post("/merge", json=body)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["code"], problem["field"]) == ("invalid-request", field)
    assert "/etc/passwd" not in answer.text
    assert jobs(asking) == []


@pytest.mark.parametrize(
    "body",
    [
        {"sources": ["No-Such-Source"]},
        {"exclude": ["No-Such-Source"]},
        {"revisions": {"No-Such-Source": "main"}},
        {"upgrade": ["No-Such-Source"]},
        {"options": {"TRACE.no_such_option": "1"}},
        {"sources": ["TRACE"], "exclude": ["TRACE"]},
        {"stages": ["no_such_stage"]},
    ],
)
def test_names_are_checked_before_anything_is_queued(
    asking: httpx2.Client, body: dict[str, Any]
) -> None:
    answer = asking.post("/merge", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "settings")
    assert jobs(asking) == []


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (b"{", "application/json", 400, "malformed-body"),
        (b"\xff", "application/json", 400, "malformed-body"),
        (b'{"force": NaN}', "application/json", 422, "invalid-request"),
        (
            b'{"sources": ' + b"[" * 20_000 + b"]" * 20_000,
            "application/json",
            400,
            "malformed-body",
        ),
        (b"force=true", "application/x-www-form-urlencoded", 415, "media-type"),
        (b'{"exclude": ["' + b"x" * 70_000 + b'"]}', "application/json", 413, "body-too-large"),
    ],
)
def test_a_body_is_json_and_short(
    asking: httpx2.Client, content: bytes, kind: str, status: int, code: str
) -> None:
    answer = asking.post("/merge", content=content, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_json_needs_no_content_type(asking: httpx2.Client) -> None:
    answer = asking.post("/merge", content=b'{"sample": true}')
    assert answer.json()["request"]["sample"] is True

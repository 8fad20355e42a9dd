"""/jobs: list them, look at one, stop it, try it again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playing import RESULT, Player
from registered import SOURCES

from mindcorpus.errors import DataError

if TYPE_CHECKING:
    import httpx2

UNKNOWN = "0" * 32


@pytest.fixture
def job(asking: httpx2.Client, corpus: Path) -> str:
    return prepare(asking)


def prepare(client: httpx2.Client, **body: Any) -> str:
    answer = client.post("/prepare", json={"force": True, **body})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def show(client: httpx2.Client, job: str) -> dict[str, Any]:
    shown: dict[str, Any] = client.get(f"/jobs/{job}").raise_for_status().json()
    return shown


def test_a_job_is_shown_from_its_first_moment_to_its_last(
    asking: httpx2.Client, playing: Player, job: str
) -> None:
    queued = show(asking, job)
    assert (queued["state"], queued["queue_position"], queued["owner"]) == ("queued", 1, None)
    playing.take(job)
    playing.report(job, 12)
    running = show(asking, job)
    assert (running["state"], running["stage"], running["attempt"]) == ("running", "write", 1)
    assert running["owner"] == {"host": "test-host", "pid": 4711}
    assert running["progress"]["rows"] == 12
    assert running["lease_until"] > running["updated"]
    playing.succeed(job)
    over = show(asking, job)
    assert (over["state"], over["result"], over["owner"]) == ("succeeded", RESULT, None)
    assert over["created"] <= over["started"] <= over["finished"]


def test_an_error_is_shown_in_full(asking: httpx2.Client, playing: Player, job: str) -> None:
    playing.take(job)
    playing.fail(job, DataError("line 3 is broken", hint="Mend it.", source="TRACE", row=3))
    failed = show(asking, job)
    assert failed["state"] == "failed"
    assert {name: failed["error"][name] for name in ("code", "title", "hint", "source")} == {
        "code": "bad-data",
        "title": "line 3 is broken",
        "hint": "Mend it.",
        "source": "TRACE",
    }
    assert failed["error"]["detail"]


def test_polling_is_told_when_to_come_again(
    asking: httpx2.Client, playing: Player, job: str
) -> None:
    first = asking.get(f"/jobs/{job}")
    assert first.headers["Retry-After"] == "1"
    same = asking.get(f"/jobs/{job}", headers={"If-None-Match": first.headers["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["Retry-After"] == "1"
    playing.take(job)
    playing.succeed(job)
    over = asking.get(f"/jobs/{job}", headers={"If-None-Match": first.headers["ETag"]})
    assert over.status_code == 200
    assert "Retry-After" not in over.headers
    listed = asking.get("/jobs")
    assert "Retry-After" not in listed.headers
    again = asking.get("/jobs", headers={"If-None-Match": listed.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("job_id", [UNKNOWN, "x", "%00", "..", "%F0%9F%98%80", "a:b", "a" * 4000])
@pytest.mark.parametrize(
    ("method", "below"), [("GET", ""), ("DELETE", ""), ("POST", "/retry"), ("GET", "/events")]
)
def test_an_unknown_job_is_not_found(
    asking: httpx2.Client, method: str, below: str, job_id: str
) -> None:
    if (job_id, below) == ("..", ""):
        pytest.skip("the client resolves it")
    answer = asking.request(method, f"/jobs/{job_id}{below}")
    assert answer.status_code in (404, 405)
    if job_id == UNKNOWN:
        assert answer.json()["code"] == "job-not-found"


def test_jobs_are_listed_newest_first_in_pages(asking: httpx2.Client, corpus: Path) -> None:
    made = [prepare(asking, seed=seed) for seed in range(5)]
    made.append(asking.post("/merge", json={"sample": True, "force": True}).json()["id"])
    found: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = asking.get("/jobs", params=query).json()
        assert len(page["jobs"]) == 2
        found += [each["id"] for each in page["jobs"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert found == made[::-1]


def test_jobs_are_filtered(asking: httpx2.Client, playing: Player, corpus: Path) -> None:
    merge = asking.post("/merge", json={"sample": True, "force": True}).json()["id"]
    waits, runs = prepare(asking, seed=1), prepare(asking, seed=2)
    playing.take(runs)

    def listed(**query: str) -> list[str]:
        return [each["id"] for each in asking.get("/jobs", params=query).json()["jobs"]]

    assert listed(kind="merge") == [merge]
    assert listed(kind="prepare") == [runs, waits]
    assert listed(state="running") == [runs]
    assert listed(state="running", kind="merge") == []
    assert listed(kind="prepare", limit="1") == [runs]


@pytest.mark.parametrize(
    "query",
    [
        "kind=part",
        "state=busy",
        "limit=0",
        "limit=101",
        "limit=1.0",
        "limit=%2B1",
        "limit=",
        "cursor=",
        "colour=red",
        "limit=1&limit=2",
        "cursor=nowhere",
        "cursor=%00",
    ],
)
def test_a_query_is_checked(asking: httpx2.Client, query: str) -> None:
    answer = asking.get(f"/jobs?{query}")
    assert answer.status_code == 422
    assert answer.json()["field"] == query.partition("=")[0]


def test_a_job_that_waits_is_cancelled_at_once(asking: httpx2.Client, job: str) -> None:
    answer = asking.delete(f"/jobs/{job}")
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")


def test_to_cancel_what_is_cancelled_changes_nothing(asking: httpx2.Client, job: str) -> None:
    cancelled = asking.delete(f"/jobs/{job}").json()
    again = asking.delete(f"/jobs/{job}")
    assert (again.status_code, again.json()) == (200, cancelled)


def test_a_job_that_others_asked_for_too_ends_with_the_last_of_them(
    asking: httpx2.Client, other: httpx2.Client, job: str
) -> None:
    assert prepare(other) == job
    first = asking.delete(f"/jobs/{job}")
    assert (first.status_code, first.json()["code"]) == (409, "job-shared")
    assert show(asking, job)["state"] == "queued"
    last = other.delete(f"/jobs/{job}")
    assert (last.status_code, last.json()["state"]) == (200, "cancelled")


def test_who_did_not_ask_for_a_job_stops_it_for_all(
    asking: httpx2.Client, other: httpx2.Client, job: str
) -> None:
    assert (other.delete(f"/jobs/{job}").status_code, show(asking, job)["state"]) == (
        200,
        "cancelled",
    )


def test_a_job_run_again_is_shared_as_well(
    asking: httpx2.Client, other: httpx2.Client, job: str
) -> None:
    asking.delete(f"/jobs/{job}")
    again = asking.post(f"/jobs/{job}/retry").json()["id"]
    joined = other.post(f"/jobs/{job}/retry")
    assert (joined.status_code, joined.json()["id"]) == (202, again)
    assert other.delete(f"/jobs/{again}").json()["code"] == "job-shared"
    assert asking.delete(f"/jobs/{again}").status_code == 200


def test_a_job_that_runs_is_asked_to_stop(asking: httpx2.Client, playing: Player, job: str) -> None:
    playing.take(job)
    answer = asking.delete(f"/jobs/{job}")
    assert (answer.status_code, answer.json()["state"]) == (202, "cancelling")
    assert playing.report(job, 1) == "cancel"
    again = asking.delete(f"/jobs/{job}")
    assert again.status_code == 202
    playing.stop(job)
    assert show(asking, job)["state"] == "cancelled"


def test_a_job_that_is_over_cannot_be_cancelled(
    asking: httpx2.Client, playing: Player, job: str
) -> None:
    playing.take(job)
    playing.succeed(job)
    answer = asking.delete(f"/jobs/{job}")
    assert (answer.status_code, answer.json()["code"]) == (409, "job-finished")
    assert "succeeded" in answer.json()["title"]


def test_a_failed_job_is_tried_again_as_a_new_one(
    asking: httpx2.Client, playing: Player, job: str
) -> None:
    playing.take(job)
    playing.fail(job, DataError("broken"))
    answer = asking.post(f"/jobs/{job}/retry")
    assert answer.status_code == 202
    new = answer.json()
    assert answer.headers["Location"] == f"/api/ai/data/jobs/{new['id']}"
    assert (new["state"], new["retry_of"]) == ("queued", job)
    assert new["request"] == show(asking, job)["request"]
    assert new["id"] != job


def test_a_cancelled_merge_is_tried_again(asking: httpx2.Client) -> None:
    job = asking.post("/merge", json={"sample": True}).json()["id"]
    asking.delete(f"/jobs/{job}")
    again = asking.post(f"/jobs/{job}/retry").json()
    assert (again["kind"], again["retry_of"]) == ("merge", job)
    assert len(again["progress"]["sources"]) == len(SOURCES)


def test_what_is_not_over_or_went_well_is_not_tried_again(
    asking: httpx2.Client, playing: Player, job: str
) -> None:
    assert asking.post(f"/jobs/{job}/retry").status_code == 409
    playing.take(job)
    assert asking.post(f"/jobs/{job}/retry").status_code == 409
    playing.succeed(job)
    answer = asking.post(f"/jobs/{job}/retry")
    assert (answer.status_code, answer.json()["code"]) == (409, "job-finished")


def test_the_same_key_runs_a_job_again_once(
    asking: httpx2.Client, playing: Player, job: str
) -> None:
    key = {"Idempotency-Key": "a-key"}
    asking.delete(f"/jobs/{job}")
    first = asking.post(f"/jobs/{job}/retry", headers=key)
    assert first.status_code == 202
    new = first.json()["id"]
    playing.take(new)
    playing.succeed(new)
    again = asking.post(f"/jobs/{job}/retry", headers=key)
    assert (again.status_code, again.json()["id"]) == (200, new)
    assert again.headers["Location"] == first.headers["Location"]
    assert asking.post(f"/jobs/{job}/retry").json()["id"] not in (job, new)


def test_a_key_of_a_retry_is_for_that_job_alone(asking: httpx2.Client, job: str) -> None:
    key = {"Idempotency-Key": "a-key"}
    asking.delete(f"/jobs/{job}")
    asking.post(f"/jobs/{job}/retry", headers=key)
    for path in (f"/jobs/{UNKNOWN}/retry", "/merge"):
        answer = asking.post(path, headers=key)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")


@pytest.mark.parametrize("key", ["", "two words", "x" * 256])
def test_a_key_of_a_retry_is_visible_ascii(asking: httpx2.Client, job: str, key: str) -> None:
    asking.delete(f"/jobs/{job}")
    answer = asking.post(f"/jobs/{job}/retry", headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["field"]) == (422, "Idempotency-Key")

"""Who asked for a job, who joined, who stopped it, and what they call it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from command_line import run

from mindcorpus.client.service import ServiceClient
from mindcorpus.job_requests import MergeRequest
from mindcorpus.settings import Settings
from workers.jobs.job_specs import content_key

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2
    from apiflask import APIFlask
    from running import Service

    from web.settings import WebSettings

MERGE = {"sample": True}
OWN = "MINDCORPUS_TOKEN"  # the name under which the token of the settings acts


def shown(client: httpx2.Client, job_id: str) -> dict[str, Any]:
    job: dict[str, Any] = client.get(f"/jobs/{job_id}").json()
    return job


def found(client: httpx2.Client, **query: str) -> list[str]:
    return [
        job["id"] for job in client.get("/jobs", params=query).raise_for_status().json()["jobs"]
    ]


def test_a_job_says_whose_it_is_and_nobody_s_label_is_lost(
    quiet: Service, asking: httpx2.Client, other: httpx2.Client, tmp_path: Path
) -> None:
    asked = asking.post("/merge", json={**MERGE, "label": "nightly"})
    assert asked.headers["Retry-After"].isdigit()
    job = asked.json()
    assert (job["asked_by"], job["label"], job["corpus"]) == (OWN, "nightly", "default")
    assert "label" not in job["request"]
    # Another label makes no other work of it.
    joined = other.post("/merge", json={**MERGE, "label": "mine, déjà vu"})
    assert (joined.status_code, joined.json()["id"]) == (202, job["id"])
    other.post("/merge", json=MERGE)
    job = shown(asking, job["id"])
    assert (job["asked_by"], job["joined_by"], job["label"]) == (OWN, ["other"], "nightly")
    assert job["joined_labels"] == {"other": "mine, déjà vu"}
    alone = other.post("/merge", json={"sample": True, "exclude": ["TRACE"]}).json()
    for query, ids in (
        ({"label": "nightly"}, [job["id"]]),
        ({"label": "mine, déjà vu"}, [job["id"]]),
        ({"owner": OWN}, [job["id"]]),
        ({"owner": "other"}, [alone["id"], job["id"]]),
        ({"owner": "other", "label": "nightly", "state": "queued"}, [job["id"]]),
        ({"owner": "other", "state": "running"}, []),
        ({"owner": OWN, "label": "nobody's"}, []),
    ):
        assert found(asking, **query) == ids, query
    first = asking.get("/jobs", params={"owner": "other", "limit": 1}).json()
    rest = asking.get("/jobs", params={"owner": "other", "cursor": first["next_cursor"]}).json()
    assert [each["id"] for each in rest["jobs"]] == [job["id"]]

    # The same in the command line and in Python.
    arguments = ("--server", quiet.url, "jobs", "--label", "nightly", "--owner", "other")
    ran = run(*arguments, cwd=tmp_path, MINDCORPUS_TOKEN=quiet.token)
    assert job["id"] in ran.out
    assert "nightly" in ran.out
    assert alone["id"] not in ran.out
    arguments = ("--server", quiet.url, "merge", "--sample", "--exclude", "TRACE", "--detach")
    ran = run(*arguments, "--label", "by hand", cwd=tmp_path, MINDCORPUS_TOKEN=quiet.token)
    assert ran.out.strip() == alone["id"]
    with ServiceClient(quiet.url, quiet.token) as client:
        client.submit_merge(MergeRequest(sample=True, exclude=("TRACE",)), label="in Python")
        assert [each["id"] for each in client.jobs(label="by hand")] == [alone["id"]]
        (same,) = client.jobs(label="in Python", owner=OWN)
    assert same["joined_labels"] == {OWN: "in Python"}

    # Who leaves does not stop it, the last one does; what is run again keeps its label.
    assert other.delete(f"/jobs/{job['id']}").status_code == 409
    assert shown(asking, job["id"])["cancelled_by"] is None
    assert asking.delete(f"/jobs/{job['id']}").json()["cancelled_by"] == OWN
    again = other.post(f"/jobs/{job['id']}/retry").json()
    assert (again["asked_by"], again["label"]) == ("other", "nightly")


@pytest.mark.parametrize("label", ["", "x" * 81, "two\nlines", "\u202egnp.exe", "\u2066a", " ", 7])
def test_a_label_that_could_mislead_is_refused(label: object, asking: httpx2.Client) -> None:
    answer = asking.post("/merge", json={**MERGE, "label": label})
    assert (answer.status_code, answer.json()["field"]) == (422, "label")


def test_a_key_asked_for_with_another_label_is_the_same_request(asking: httpx2.Client) -> None:
    key = {"Idempotency-Key": "monday"}
    job = asking.post("/merge", json={**MERGE, "label": "one"}, headers=key).json()
    again = asking.post("/merge", json={**MERGE, "label": "two"}, headers=key)
    assert (again.status_code, again.json()["id"], again.json()["label"]) == (200, job["id"], "one")


def test_pages_show_owners_and_labels_and_filter_by_them(
    app: APIFlask, web_settings: WebSettings
) -> None:
    from test_session import signed_in

    visitor = signed_in(app, web_settings)
    form = {"material": "sample", "sources": "TRACE", "missing": "go-on"}
    own = {"Origin": "http://localhost"}
    for label in ("<b>first</b>", "second"):
        answer = visitor.post("/jobs/new/merge", data={**form, "label": label}, headers=own)
        assert answer.status_code == 303, answer.text
        visitor.post(f"{answer.location}/cancel", headers=own)
    page = visitor.get(answer.location).text
    assert "second" in page
    assert "Stopped by" in page
    assert ">me<" in page.replace(" ", "")
    listed = visitor.get("/jobs?label=second&owner=me").text
    assert "second</td>" in listed
    assert "first" not in listed
    everything = visitor.get("/jobs").text
    assert "&lt;b&gt;first" in everything
    assert "No job is like that" in visitor.get("/jobs?owner=nobody").text
    wrong = visitor.post("/jobs/new/merge", data={**form, "label": "\u202ex"}, headers=own)
    assert wrong.status_code == 422
    assert 'id="label-hint"' in wrong.text


def test_the_default_corpus_is_the_same_work_as_before_there_were_others() -> None:
    values = {"sample": True}
    known = content_key("merge", values, Settings())
    assert known == content_key("merge", values, Settings(), "default")
    assert known != content_key("merge", values, Settings(), "other")

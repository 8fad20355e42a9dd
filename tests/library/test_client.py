"""The client of the service: what it sends, how long it tries, and which errors it raises."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from command_line import environment
from faulty_service import JOB, FaultyService, hang_up, refuse, reply, send

from mindcorpus import errors
from mindcorpus.client import connection
from mindcorpus.client.service import ServiceClient
from mindcorpus.job_requests import MergeRequest, PrepareRequest

TOKEN = "a-token-of-the-tests"
QUEUED = {"id": JOB, "kind": "merge", "state": "queued"}


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_FIRST_PAUSE", 0.001)


@pytest.fixture
def service() -> Iterator[FaultyService]:
    with FaultyService() as running:
        yield running


@pytest.fixture
def client(service: FaultyService) -> Iterator[ServiceClient]:
    with ServiceClient(service.url, TOKEN, timeout=5) as made:
        yield made


def test_the_client_loads_nothing_heavy() -> None:
    heavy = ["pyarrow", "pandas", "datasets", "huggingface_hub", "rich"]
    printing = f"print([name for name in {heavy} if name in sys.modules])"
    script = f"import sys, mindcorpus.client.service\n{printing}"
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, check=True
    )
    assert done.stdout == b"[]\n"


# Submitting


def test_a_merge_is_sent_with_what_was_chosen_a_token_and_a_key(
    client: ServiceClient, service: FaultyService
) -> None:
    service.lay("POST /merge", reply(QUEUED, 202))
    request = MergeRequest(sample=True, sources=("TRACE",), options={"Psych-101.max_chars": "0"})
    assert client.submit_merge(request).job == QUEUED
    [asked] = service.asked
    assert asked.body == {
        "sample": True,
        "sources": ["TRACE"],
        "options": {"Psych-101.max_chars": "0"},
    }
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
    assert len(asked.headers["Idempotency-Key"]) == 32


def test_a_prepare_is_sent_with_its_settings(client: ServiceClient, service: FaultyService) -> None:
    service.lay("POST /prepare", reply(QUEUED, 202))
    client.submit_prepare(PrepareRequest(format="openai", caps={"TRACE": 3}, seed=7))
    assert service.asked[0].body == {"format": "openai", "caps": {"TRACE": 3}, "seed": 7}


def test_what_exists_is_told_instead_of_a_job(
    client: ServiceClient, service: FaultyService
) -> None:
    answered = {"exists": True, "path": "corpus.json", "statistics": {"records": 3}, "job": None}
    service.lay("POST /merge", reply(answered))
    submission = client.submit_merge()
    assert (submission.job, submission.existing) == (None, answered)


@pytest.mark.parametrize(
    "request_", [MergeRequest(paths={"TRACE": "x"}), MergeRequest(catalogs=("mine.toml",))]
)
def test_files_of_this_machine_are_refused_before_anything_is_sent(
    request_: MergeRequest, client: ServiceClient, service: FaultyService
) -> None:
    with pytest.raises(errors.SettingsError, match="this machine"):
        client.submit_merge(request_)
    assert service.asked == []


def test_a_request_that_is_lost_is_sent_again_with_the_same_key(
    client: ServiceClient, service: FaultyService
) -> None:
    busy = refuse(503, "redis-unavailable", Retry_After="0")
    service.lay("POST /merge", hang_up, busy, send(b"", 502), reply(QUEUED, 200))
    assert client.submit_merge().job == QUEUED
    keys = {asked.headers["Idempotency-Key"] for asked in service.asked}
    assert (len(service.asked), len(keys)) == (4, 1)
    client.submit_merge()
    assert service.asked[-1].headers["Idempotency-Key"] not in keys


def test_retry_after_is_waited_for(client: ServiceClient, service: FaultyService) -> None:
    service.lay("GET /merge", refuse(503, "unavailable", Retry_After="1"), reply({}))
    began = time.monotonic()
    client.corpus()
    assert time.monotonic() - began >= 1


@pytest.mark.parametrize("answer", [hang_up, refuse(503, "redis-unavailable"), send(b"", 504)])
def test_the_tries_are_bounded(answer: Any, client: ServiceClient, service: FaultyService) -> None:
    service.lay("POST /prepare", answer)
    with pytest.raises(errors.UnreachableError) as raised:
        client.submit_prepare()
    assert len(service.asked) == connection.TRIES
    assert raised.value.exit_code == 8


def test_a_pause_beyond_all_patience_is_not_waited_for(
    client: ServiceClient, service: FaultyService
) -> None:
    service.lay("POST /merge", refuse(429, "queue-full", Retry_After="3600", hint="Later."))
    with pytest.raises(errors.UnreachableError) as raised:
        client.submit_merge()
    assert (raised.value.answered, raised.value.hint) == ("queue-full", "Later.")
    assert len(service.asked) == 1


def test_nobody_there_is_told_with_the_address(service: FaultyService) -> None:
    with FaultyService() as other:
        address = other.url
    with (
        ServiceClient(address) as client,
        pytest.raises(errors.UnreachableError, match=f"nobody answers at {address}") as raised,
    ):
        client.corpus()
    assert raised.value.hint
    assert raised.value.__cause__ is None


# Errors


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (409, "no-corpus", errors.NoCorpusError),
        (409, "already-exists", errors.ExistsError),
        (422, "settings", errors.SettingsError),
        (422, "catalog", errors.CatalogError),
        (500, "corrupt-artifact", errors.CorruptArtifactError),
        (507, "storage", errors.StorageError),
        (500, "sources-failed", errors.FetchError),
        (404, "job-not-found", errors.ServiceError),
        (500, "error", errors.ServiceError),
        (418, "teapot", errors.ServiceError),
    ],
)
def test_a_problem_is_raised_as_the_library_s_error_of_its_code(
    status: int,
    code: str,
    kind: type[errors.MindcorpusError],
    client: ServiceClient,
    service: FaultyService,
) -> None:
    service.lay("GET /statistics", refuse(status, code, hint="A hint.", field="x", detail="why"))
    with pytest.raises(errors.MindcorpusError) as raised:
        client.statistics()
    error = raised.value
    assert type(error) is kind
    assert (error.title, error.hint, error.field) == ("a title: why", "A hint.", "x")
    if isinstance(error, errors.ServiceError):
        assert error.answered == code
    assert len(service.asked) == 1


@pytest.mark.parametrize(("status", "code"), [(401, "unauthorized"), (403, "forbidden")])
def test_a_token_that_does_not_do_is_told_with_its_variable(
    status: int, code: str, client: ServiceClient, service: FaultyService
) -> None:
    service.lay("GET /jobs", refuse(status, code))
    with pytest.raises(errors.DeniedError) as raised:
        list(client.jobs())
    assert "MINDCORPUS_TOKEN" in raised.value.hint
    assert TOKEN not in f"{raised.value}{raised.value.hint}{raised.value.as_dict()}"


@pytest.mark.parametrize(
    "answer",
    [
        send(b"<html>Welcome</html>", 200, Content_Type="text/html"),
        send(b"<html>Nothing here</html>", 404, Content_Type="text/html"),
        send(b"", 301, Location="https://elsewhere.test/"),
        reply(["no", "object"]),
    ],
)
def test_what_is_no_service_is_told_apart(
    answer: Any, client: ServiceClient, service: FaultyService
) -> None:
    service.lay("GET /sources", answer)
    with pytest.raises(errors.ServiceError) as raised:
        client.sources()
    assert "mindcorpus service" in raised.value.hint
    assert "<html>" not in str(raised.value)


def test_an_error_of_a_service_survives_a_process_border() -> None:
    error = errors.ServiceError("gone", answered="job-not-found", hint="Look.")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is errors.ServiceError
    assert copy.as_dict() == error.as_dict()


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000",
        "ftp://localhost",
        "http://",
        "http://name:secret@localhost",
        "http://localhost/?a=1",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(errors.SettingsError) as raised:
        ServiceClient(url)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("token", ["two words", "line\n", "ünï"])
def test_a_token_that_cannot_be_sent_is_refused(token: str) -> None:
    with pytest.raises(errors.SettingsError, match="MINDCORPUS_TOKEN") as raised:
        ServiceClient("http://localhost", token)
    assert token not in str(raised.value)


def test_the_token_comes_from_the_environment(
    service: FaultyService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.lay("GET /merge", reply({}))
    for value in ("from-the-environment", None):
        if value:
            monkeypatch.setenv("MINDCORPUS_TOKEN", value)
        else:
            monkeypatch.delenv("MINDCORPUS_TOKEN")
        with ServiceClient(f"{service.url}/") as client:
            client.corpus()
    sent = [asked.headers.get("Authorization") for asked in service.asked]
    assert sent == ["Bearer from-the-environment", None]


# Jobs


def test_jobs_come_page_by_page_as_they_are_taken(
    client: ServiceClient, service: FaultyService
) -> None:
    pages = [["e", "d"], ["c", "b"], ["a"]]
    service.lay(
        "GET /jobs",
        *(
            reply({"jobs": [{"id": name} for name in page], "next_cursor": cursor})
            for page, cursor in zip(pages, ["d", "b", None], strict=True)
        ),
    )
    found = client.jobs(kind="merge")
    assert next(found)["id"] == "e"
    assert len(service.asked) == 1
    assert [job["id"] for job in found] == ["d", "c", "b", "a"]
    assert len(service.asked) == 3


def test_no_more_jobs_are_given_than_asked_for(
    client: ServiceClient, service: FaultyService
) -> None:
    page = {"jobs": [{"id": "b"}, {"id": "a"}], "next_cursor": "a"}
    service.lay("GET /jobs", reply(page))
    assert len(list(client.jobs(limit=3))) == 3


def test_what_no_job_is_called_is_not_asked_for(
    client: ServiceClient, service: FaultyService
) -> None:
    with pytest.raises(errors.SettingsError, match="id"):
        client.job("../tokens")
    assert service.asked == []


def test_cancelling_twice_is_cancelling_once(client: ServiceClient, service: FaultyService) -> None:
    service.lay(f"DELETE /jobs/{JOB}", hang_up, refuse(409, "job-finished"))
    service.lay(f"GET /jobs/{JOB}", reply({"id": JOB, "state": "cancelled"}))
    assert client.cancel(JOB)["state"] == "cancelled"
    service.lay(f"GET /jobs/{JOB}", reply({"id": JOB, "state": "succeeded"}))
    with pytest.raises(errors.ServiceError) as raised:
        client.cancel(JOB)
    assert raised.value.answered == "job-finished"

"""A job's events: no gap and no repeat, whatever happens to the stream; and watching them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from faulty_service import JOB, FaultyService, hang_up, refuse, reply, send, stream

from mindcorpus import errors
from mindcorpus.client import connection, events
from mindcorpus.client.service import ServiceClient
from mindcorpus.progress import Cancellation, Progress

EVENTS = f"GET /jobs/{JOB}/events"
LOOK = f"GET /jobs/{JOB}"


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(events, "_POLL", 0.001)
    monkeypatch.setattr(events, "_POLLS", (0.001, 0.01))


@pytest.fixture
def service() -> Iterator[FaultyService]:
    with FaultyService() as running:
        yield running


@pytest.fixture
def client(service: FaultyService) -> Iterator[ServiceClient]:
    with ServiceClient(service.url, timeout=5) as made:
        yield made


def event(number: int, state: str = "running") -> tuple[str, dict[str, Any]]:
    data = {
        "type": "progress",
        "state": state,
        "stage": "read",
        "source": "TRACE",
        "rows": number,
        "done": number * 100,
        "total": 1000,
        "note": "",
    }
    return f"1700000000000-{number}", data


def job(state: str, done: int = 0) -> dict[str, Any]:
    progress = {"source": "TRACE", "rows": 1, "done": done, "total": 10, "note": ""}
    return {
        "id": JOB,
        "kind": "merge",
        "state": state,
        "stage": "read",
        "attempt": 1,
        "error": None,
        "progress": progress,
    }


def numbers(client: ServiceClient, after: str = "") -> list[str]:
    return [each.id.partition("-")[2] for each in client.events(JOB, after)]


def test_a_stream_that_breaks_is_resumed_where_it_broke(
    client: ServiceClient, service: FaultyService
) -> None:
    half = b'id: 1700000000000-3\ndata: {"state": "run'
    service.lay(
        EVENTS,
        stream(event(1), b": still here\n\n", event(2), half),
        hang_up,
        stream(event(3)),
        refuse(503, "redis-unavailable", Retry_After="0"),
        stream(event(4), event(5, "succeeded")),
    )
    service.lay(LOOK, reply(job("running")))
    assert numbers(client) == ["1", "2", "3", "4", "5"]
    heard = [
        asked.headers.get("Last-Event-ID", "").partition("-")[2] for asked in service.of(EVENTS)
    ]
    assert heard == ["", "2", "2", "3", "3"]


def test_what_a_service_repeats_is_given_once(
    client: ServiceClient, service: FaultyService
) -> None:
    service.lay(
        EVENTS, stream(event(9), event(10)), stream(event(9), event(10), event(11, "failed"))
    )
    assert numbers(client) == ["9", "10", "11"]


def test_after_an_event_only_what_follows_is_asked_for(
    client: ServiceClient, service: FaultyService
) -> None:
    service.lay(EVENTS, stream(event(8, "succeeded")))
    assert numbers(client, after=event(7)[0]) == ["8"]
    assert service.asked[0].headers["Last-Event-ID"] == event(7)[0]


def test_a_job_of_which_all_was_heard_has_no_more_events(
    client: ServiceClient, service: FaultyService
) -> None:
    service.lay(EVENTS, send(b"", 204))
    assert numbers(client, after=event(7)[0]) == []


def test_after_a_reset_it_begins_with_how_the_job_stands(
    client: ServiceClient, service: FaultyService
) -> None:
    reset = b"event: reset\ndata: {}\n\n"
    snapshot = ("5-0", job("running", done=5))  # of a Redis that began anew
    service.lay(EVENTS, stream(event(1)), stream(reset, snapshot, ("6-0", {"state": "failed"})))
    found = list(client.events(JOB))
    assert [each.id for each in found] == [event(1)[0], "5-0", "6-0"]
    assert found[1].progress == Progress("read", "TRACE", rows=1, done=5, total=10)


@pytest.mark.parametrize(
    "useless",
    [
        refuse(503, "too-many-streams", Retry_After="10"),
        send(b"<html></html>", Content_Type="text/html"),
        stream(),
        hang_up,
    ],
)
def test_where_no_stream_gets_through_the_job_is_asked_for(
    useless: Any, client: ServiceClient, service: FaultyService
) -> None:
    service.lay(EVENTS, useless)
    looks = [reply(job("running"), ETag='"0"')] * 3  # beside the streams
    looks += [
        reply(job("running", done=1), ETag='"1"'),
        send(b"", 304),
        hang_up,
        reply(job("running", done=2), ETag='"2"'),
        reply(job("succeeded", done=2), ETag='"3"'),
    ]
    service.lay(LOOK, *looks)
    found = list(client.events(JOB))
    assert [each.data["done"] for each in found] == [1, 2, 2]
    assert [each.final for each in found] == [False, False, True]
    tags = [asked.headers.get("If-None-Match") for asked in service.of(LOOK)[3:]]
    assert tags == [None, '"1"', '"1"', '"1"', '"2"']


def test_a_job_that_ended_unheard_ends_the_events(
    client: ServiceClient, service: FaultyService
) -> None:
    service.lay(EVENTS, stream())  # its events are forgotten
    service.lay(LOOK, reply(job("failed")))
    [only] = client.events(JOB)
    assert only.final


def test_a_service_that_is_gone_is_given_up(
    client: ServiceClient, service: FaultyService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_SILENCE", 0.2)
    service.lay(EVENTS, stream(event(1)), hang_up)
    service.lay(LOOK, hang_up)
    found = client.events(JOB)
    assert next(found).id == event(1)[0]
    with pytest.raises(errors.UnreachableError):
        next(found)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refuse(404, "job-not-found"), errors.ServiceError),
        (refuse(401, "unauthorized"), errors.DeniedError),
        (stream(b"id: 1-0\ndata: no json\n\n"), errors.ServiceError),
    ],
)
def test_a_refusal_is_raised_at_once(
    answer: Any, kind: type[Exception], client: ServiceClient, service: FaultyService
) -> None:
    service.lay(EVENTS, answer)
    with pytest.raises(kind):
        list(client.events(JOB))
    assert len(service.asked) == 1


# Watching


def test_watching_reports_progress_and_gives_the_job(
    client: ServiceClient, service: FaultyService
) -> None:
    queued = ("1-0", {**job("queued"), "stage": None})
    service.lay(EVENTS, stream(queued, event(1), event(2)), stream(event(3, "succeeded")))
    service.lay(LOOK, reply(job("succeeded")))
    seen: list[Progress] = []
    assert client.watch(JOB, seen.append) == job("succeeded")
    assert seen == [Progress("read", "TRACE", rows=n, done=n * 100, total=1000) for n in (1, 2)]


def test_watching_ends_at_once_when_asked_though_nothing_comes(
    client: ServiceClient, service: FaultyService
) -> None:
    service.lay(EVENTS, stream(event(1), hold=True))
    cancel = Cancellation()
    began = 0.0

    def stop(_progress: Progress) -> None:
        nonlocal began
        began = time.monotonic()
        cancel.cancel()

    before = threading.active_count()
    with pytest.raises(errors.CancelledError, match="the job goes on") as raised:
        client.watch(JOB, stop, cancel)
    assert time.monotonic() - began < 1
    assert JOB in raised.value.hint
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not [each for each in threading.enumerate() if each.name == "relay"]
    assert [asked.method for asked in service.asked] == ["GET"]


def test_a_refusal_reaches_who_watches(client: ServiceClient, service: FaultyService) -> None:
    service.lay(EVENTS, refuse(404, "job-not-found", hint="Look again."))
    with pytest.raises(errors.ServiceError) as raised:
        client.watch(JOB)
    assert (raised.value.answered, raised.value.hint) == ("job-not-found", "Look again.")

"""/jobs/{id}/events: a job's events as they happen, with no gap and no repeat."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playing import Player
from running import Service, read_events
from sample_numbers import KEPT
from test_api_jobs import prepare

from workers.jobs.job import Job
from workers.jobs.job_store import stream_key

if TYPE_CHECKING:
    import httpx2
    from redis_server import RedisServer

Event = dict[str, str]


@pytest.fixture
def job(asking: httpx2.Client, corpus: Path) -> str:
    return prepare(asking)


@contextmanager
def following(
    client: httpx2.Client, job: str, after: str | None = None
) -> Iterator[Iterator[Event]]:
    """Open a job's stream; gives its events as they come, without comments and `retry`."""
    headers = {} if after is None else {"Last-Event-ID": after}
    with client.stream("GET", f"/jobs/{job}/events", headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["X-Accel-Buffering"] == "no"
        events = read_events(answer.iter_lines())
        assert "retry" in next(events)
        yield (event for event in events if "event" in event)


def heard(client: httpx2.Client, job: str, after: str | None = None) -> list[Event]:
    with following(client, job, after) as events:
        return list(events)


def data_of(event: Event) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(event["data"])
    return data


def work(playing: Player, job: str, steps: int) -> None:
    """Tell progress, slower than it is throttled."""
    for step in range(steps):
        playing.report(job, step)
        time.sleep(0.26)


def test_a_stream_begins_with_the_job_and_ends_with_it(
    asking: httpx2.Client, playing: Player, job: str
) -> None:
    with following(asking, job) as events:
        first = next(events)
        assert first["event"] == "snapshot"
        assert data_of(first)["state"] == "queued"
        assert first["id"] == playing.stream(job)[-1]
        playing.take(job)
        playing.report(job, 5)
        playing.succeed(job)
        rest = list(events)
    assert [event["id"] for event in rest] == playing.stream(job)[-len(rest) :]
    states = [(event["event"], data_of(event)["state"]) for event in rest]
    assert states == [("state", "running"), ("progress", "running"), ("state", "succeeded")]
    assert data_of(rest[1])["rows"] == 5


def test_events_come_at_once(asking: httpx2.Client, playing: Player, job: str) -> None:
    playing.take(job)
    with following(asking, job) as events:
        next(events)
        delays = []
        for step in range(8):
            time.sleep(0.26)
            playing.report(job, step)
            event = next(events)
            delays.append(time.time() * 1000 - data_of(event)["at"])
        assert max(delays) < 500


def test_a_broken_stream_goes_on_where_it_was(
    asking: httpx2.Client, playing: Player, job: str
) -> None:
    playing.take(job)

    def play() -> None:
        work(playing, job, 12)
        playing.succeed(job)

    worker = threading.Thread(target=play)
    worker.start()
    seen: list[str] = []
    connections = 0
    state = ""
    while state != "succeeded":
        connections += 1
        # A connection that breaks after two events, over and over.
        with following(asking, job, seen[-1] if seen else None) as events:
            for event in islice(events, 2):
                seen.append(event["id"])
                state = data_of(event)["state"]
    worker.join()
    held = playing.stream(job)
    assert seen == held[held.index(seen[0]) :]
    assert connections > 5


def test_a_finished_job_tells_the_rest_and_ends(
    asking: httpx2.Client, playing: Player, job: str
) -> None:
    playing.take(job)
    playing.report(job, 1)
    playing.succeed(job)
    held = playing.stream(job)
    rest = heard(asking, job, held[0])
    assert [event["id"] for event in rest] == held[1:]
    [only] = heard(asking, job)
    assert (only["event"], data_of(only)["state"]) == ("snapshot", "succeeded")
    # A browser's EventSource asks no more after 204.
    answer = asking.get(f"/jobs/{job}/events", headers={"Last-Event-ID": held[-1]})
    assert (answer.status_code, answer.content) == (204, b"")


def test_who_missed_too_much_is_told_all_anew(
    asking: httpx2.Client, playing: Player, job: str
) -> None:
    playing.take(job)
    work(playing, job, 4)
    held = playing.stream(job)
    playing.redis.xtrim(stream_key(job), maxlen=2, approximate=False)
    with following(asking, job, held[0]) as events:
        assert next(events)["event"] == "reset"
        snapshot = next(events)
        assert (snapshot["event"], snapshot["id"]) == ("snapshot", held[-1])
        assert data_of(snapshot)["progress"]["rows"] == 3
        playing.succeed(job)
        assert [event["event"] for event in events] == ["state"]


@pytest.mark.parametrize("lost", ["stream", "id"])
def test_what_redis_lost_is_told_anew(
    asking: httpx2.Client, playing: Player, job: str, lost: str
) -> None:
    if lost == "stream":
        playing.redis.delete(stream_key(job))
    after = "1-1" if lost == "stream" else "9999999999999-0"
    with following(asking, job, after) as events:
        assert [next(events)["event"], next(events)["event"]] == ["reset", "snapshot"]
        playing.take(job)
        playing.succeed(job)
        assert [data_of(event)["state"] for event in events] == ["running", "succeeded"]


@pytest.mark.parametrize("after", ["", "x", "1", "1-", "-1-1", "1-1-1", "$", "9" * 30 + "-1"])
def test_an_id_that_is_none_is_refused(asking: httpx2.Client, job: str, after: str) -> None:
    answer = asking.get(f"/jobs/{job}/events", headers={"Last-Event-ID": after})
    assert (answer.status_code, answer.json()["field"]) == (422, "Last-Event-ID")


def test_an_idle_stream_is_kept_alive(asking: httpx2.Client, job: str) -> None:
    began = time.monotonic()
    with asking.stream("GET", f"/jobs/{job}/events") as answer:
        events = read_events(answer.iter_lines())
        assert next(event for event in events if "" in event)
    assert 9 < time.monotonic() - began < 12


def test_many_follow_one_job(asking: httpx2.Client, playing: Player, job: str) -> None:
    playing.take(job)
    with following(asking, job) as first, following(asking, job) as second:
        assert next(first)["event"] == next(second)["event"] == "snapshot"
        work(playing, job, 3)
        playing.succeed(job)
        assert [event["id"] for event in first] == [event["id"] for event in second]


@pytest.fixture
def narrow(tmp_path: Path, redis_url: str, made_sample: Path) -> Iterator[Service]:
    """A service that keeps three streams open."""
    running = Service(tmp_path, redis_url, lease_seconds="60", stream_limit="3")
    running.data_dir.symlink_to(made_sample)
    try:
        running.start_web()
        yield running
    finally:
        running.stop()


def test_open_streams_are_limited(narrow: Service) -> None:
    with narrow.client() as client:
        job = prepare(client)
        for _ in range(10):
            # Leaves nothing open.
            assert client.head(f"/jobs/{job}/events").status_code == 200
        with (
            following(client, job) as one,
            following(client, job) as two,
            following(client, job) as three,
        ):
            for events in (one, two, three):
                next(events)
            answer = client.get(f"/jobs/{job}/events")
            assert (answer.status_code, answer.json()["code"]) == (503, "too-many-streams")
            assert int(answer.headers["Retry-After"]) > 0
            # Everything else goes on.
            assert client.get(f"/jobs/{job}").status_code == 200
            assert client.delete(f"/jobs/{job}").status_code == 200
            for events in (one, two, three):
                assert data_of(list(events)[-1])["state"] == "cancelled"
        # They have ended, and their places are free.
        other = prepare(client)
        with following(client, other) as events:
            assert next(events)["event"] == "snapshot"


def test_a_client_that_leaves_frees_its_place(narrow: Service) -> None:
    with narrow.client() as client, Player(narrow) as playing:
        job = prepare(client)
        playing.take(job)
        for _ in range(3):
            with following(client, job) as events:
                next(events)
        # That they have left is noticed when something is sent to them.
        until = time.monotonic() + 15
        rows = 0
        while client.head(f"/jobs/{job}/events").status_code != 200:
            assert time.monotonic() < until
            rows += 1
            playing.report(job, rows)
            time.sleep(0.3)


def test_a_stream_outlives_redis(
    asking: httpx2.Client,
    playing: Player,
    job: str,
    quiet_service: tuple[Service, RedisServer],
) -> None:
    _, redis = quiet_service
    playing.take(job)
    playing.report(job, 1)
    time.sleep(1.1)  # appendfsync everysec
    with following(asking, job) as events:
        next(events)
        redis.kill()
        time.sleep(1)
        assert asking.get(f"/jobs/{job}/events").status_code == 503
        redis.start()
        playing.report(job, 2)
        assert data_of(next(events))["rows"] == 2
        playing.succeed(job)
        assert data_of(list(events)[-1])["state"] == "succeeded"


def test_a_real_merge_is_followed_to_its_end(client: httpx2.Client) -> None:
    job = client.post("/merge", json={"sample": True, "force": True}).json()["id"]
    events = heard(client, job)
    assert data_of(events[-1])["state"] == "succeeded"
    ids = [tuple(map(int, event["id"].split("-"))) for event in events]
    assert ids == sorted(set(ids))
    assert "progress" in {event["event"] for event in events}
    shown = Job.model_validate_json(client.get(f"/jobs/{job}").content, strict=True)
    assert shown.result is not None
    assert shown.result["records"] == KEPT


def test_streams_end_with_their_server(tmp_path: Path, redis_url: str, made_sample: Path) -> None:
    running = Service(tmp_path, redis_url, lease_seconds="60")
    running.data_dir.symlink_to(made_sample)
    try:
        web = running.start_web()
        with running.client() as client, Player(running) as playing:
            job = prepare(client)
            playing.take(job)
            with following(client, job) as events:
                seen = [next(events)["id"]]
                began = time.monotonic()
                os.kill(web.pid, signal.SIGTERM)
                seen += [event["id"] for event in events]
                web.process.wait(10)
                assert time.monotonic() - began < 5
        running.start_web()
        with running.client() as client, Player(running) as playing:
            playing.take(job)
            playing.succeed(job)
            rest = [event["id"] for event in heard(client, job, seen[-1])]
            held = playing.stream(job)
            assert seen + rest == held[held.index(seen[0]) :]
    finally:
        running.stop()

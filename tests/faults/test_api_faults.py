"""A web server that is killed: what was asked is done once, what was followed goes on."""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from running import read_events
from sources import LOCAL, fill

if TYPE_CHECKING:
    from cluster import Cluster
    from invariants import Sound


@pytest.fixture
def served(cluster: Cluster) -> Iterator[Cluster]:
    """The service with a web server."""
    cluster.start_web()
    yield cluster
    if cluster.web is not None:
        cluster.web.kill()
        cluster.web = None


def kill_web(cluster: Cluster) -> None:
    assert cluster.web is not None
    cluster.web.kill()


@pytest.mark.parametrize("after", [None, 0.0, 0.01])
def test_killed_right_after_a_post_and_the_same_post_again(
    after: float | None, served: Cluster, sound: Sound
) -> None:
    fill(served.data_dir, "alpha", megabytes=1)
    key = secrets.token_hex(8)
    body = {"sources": ["alpha"], "force": True}
    before = {job.id for job in served.store.list().jobs}

    def post() -> dict[str, Any]:
        with served.http() as client:
            answer = client.post("/merge", json=body, headers={"Idempotency-Key": key})
            assert answer.status_code in (200, 202)
            answered: dict[str, Any] = answer.json()
        return answered

    def try_post() -> None:
        with contextlib.suppress(httpx2.TransportError):
            post()

    asking = threading.Thread(target=try_post)
    asking.start()
    if after is None:
        asking.join()
    else:
        time.sleep(after)
    kill_web(served)
    asking.join()
    served.start_web()
    answered = post()
    job_id = answered["job"]["id"] if "job" in answered else answered["id"]
    new = [job for job in served.store.list().jobs if job.id not in before]
    assert [job.id for job in new] == [job_id]
    assert sound(new)[job_id].state == "succeeded"


def test_killed_in_mid_stream_which_is_resumed(served: Cluster, sound: Sound) -> None:
    fill(served.data_dir, *LOCAL, megabytes=6)
    job = served.merge(*LOCAL)
    heard: list[str] = []

    def listen(stop_after: int | None) -> None:
        """Follow from where it broke off; `None`: to the end."""
        headers = {"Last-Event-ID": heard[-1]} if heard else {"Last-Event-ID": "0-0"}
        with (
            served.http() as client,
            client.stream("GET", f"/jobs/{job.id}/events", headers=headers) as answer,
        ):
            assert answer.status_code == 200
            for event in read_events(answer.iter_lines()):
                if "id" not in event:
                    continue
                assert event["event"] in ("state", "progress")
                heard.append(event["id"])
                data = json.loads(event["data"])
                if data["state"] in ("succeeded", "failed"):
                    return
                if stop_after is not None and len(heard) >= stop_after:
                    kill_web(served)
                    stop_after = None

    for stop_after in (3, 8):
        with contextlib.suppress(httpx2.TransportError):
            listen(stop_after)
        assert not served.store.get(job.id).over, "the job was too quick"
        served.start_web()
    listen(None)
    assert sound([job])[job.id].state == "succeeded"
    assert heard == [event.id for event in served.store.events(job.id)]


def test_killed_with_its_workers_and_all_started_again(served: Cluster, sound: Sound) -> None:
    fill(served.data_dir, "alpha")
    with served.http() as client:
        job_id = client.post("/merge", json={"sources": ["alpha"], "force": True}).json()["id"]
    job = served.store.get(job_id)
    served.reach(job, "read")
    kill_web(served)
    for worker in served.workers:
        worker.kill()
    served.redis.kill()
    served.redis.start()
    served.start_web()
    served.heal(2)
    assert sound([job])[job_id].state == "succeeded"

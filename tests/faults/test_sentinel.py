"""Redis behind Sentinel: its master dies, and another goes on with what it was sent."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from invariants import assert_sound
from redis_sentinels import Sentinels, find_sentinel
from sources import fill

if TYPE_CHECKING:
    import httpx2
    from cluster import Cluster
    from invariants import Watcher


@pytest.fixture
def sentinels(needs_redis: None, tmp_path: Path) -> Iterator[Sentinels]:
    """Three servers and three sentinels."""
    if find_sentinel() is None:
        message = "there is no redis-sentinel; install it with apt-get install redis-sentinel"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    made = Sentinels(tmp_path / "sentinels")
    yield made
    made.kill()


def order(cluster: Cluster, key: str, *sources: str) -> httpx2.Response:
    """Ask for a merge over HTTP."""
    with cluster.http() as client:
        body = {"sources": sources, "force": True}
        return client.post("/merge", json=body, headers={"Idempotency-Key": key})


def test_a_failover_loses_no_job_that_was_accepted(
    sentinels: Sentinels, build: Callable[..., tuple[Cluster, Watcher]]
) -> None:
    cluster, watcher = build(workers=2, redis=sentinels)
    cluster.start_web()
    cluster.until("the sentinels to agree", sentinels.agreed)
    rows = fill(cluster.data_dir, "alpha", "beta", "gamma")

    # No replica has it: it is not accepted, though it may run; and a key finds it again.
    for replica in (behind := sentinels.replicas()):
        replica.pause()
    for _ in range(2):
        refused = order(cluster, "behind", "gamma")
        assert (refused.status_code, refused.json()["code"]) == (503, "not-replicated")
        assert refused.headers["Retry-After"]
    for replica in behind:
        replica.resume()
    cluster.until("the sentinels to agree", sentinels.agreed)
    repeated = order(cluster, "behind", "gamma")
    assert repeated.status_code == 200, repeated.text
    [first] = cluster.store.list().jobs
    assert (repeated.json()["id"], cluster.end(first).attempt) == (first.id, 1)

    # The master dies under a job; whoever asks meanwhile is told to come back.
    job = cluster.merge("alpha", "beta")
    told = Told(cluster, job.id)
    cluster.reach(job, "read")
    dead = sentinels.master()
    dead.kill()

    def accepted() -> httpx2.Response | None:
        answer = order(cluster, "during", "gamma")
        if answer.status_code in {200, 202}:
            return answer
        assert answer.status_code == 503, answer.text
        assert answer.json()["code"] in {"redis-unavailable", "not-replicated"}
        return None

    during = cluster.until("a request to be accepted", accepted, job=job, pause=0.2)
    assert sentinels.master() is not dead
    assert during is not None
    second = cluster.store.get(during.json()["id"])
    # Not behind the fail-over alone: what comes after it runs as well.
    third = cluster.merge("beta")
    ended = assert_sound(cluster, watcher, [job, second, third], 60)
    assert {each.state for each in ended.values()} == {"succeeded"}
    result = ended[job.id].result
    assert result is not None
    assert result["records"] == rows * 2 // 3
    assert len(cluster.store.list().jobs) == 4, "none came twice"
    # The stream that was open all the while told it to the end, without a break.
    assert told.states()[-1] == "succeeded"
    logs = "".join(path.read_text() for path in cluster.folder.glob("*.log"))
    assert "only-for-tests" not in logs
    assert "of-the-sentinels" not in logs


class Told:
    """What one stream of events tells, from now until it ends."""

    def __init__(self, cluster: Cluster, job_id: str) -> None:
        self._cluster = cluster
        self._lines: list[str] = []
        self._thread = threading.Thread(target=self._read, args=(job_id,), daemon=True)
        self._thread.start()

    def _read(self, job_id: str) -> None:
        with self._cluster.http() as client, client.stream("GET", f"/jobs/{job_id}/events") as told:
            self._lines += told.iter_lines()

    def states(self) -> list[str]:
        """Give the states that it told, once it has ended."""
        self._thread.join(30)
        assert not self._thread.is_alive(), "the stream does not end"
        return [
            state
            for line in self._lines
            if line.startswith("data:") and '"type":"state"' in line.replace(" ", "")
            for state in [line.replace(" ", "").partition('"state":"')[2].partition('"')[0]]
        ]

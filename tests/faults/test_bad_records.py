"""One bad record stops nobody: others' jobs go on, are listed and are swept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from sources import fill

if TYPE_CHECKING:
    from cluster import Cluster
    from invariants import Sound

PREFIX = "mindcorpus"
#: Before every job there is, wherever it stands.
FIRST = 1.0


def broken(cluster: Cluster, job_id: str, record: object) -> None:
    """Put a record into every index that a job may be in, ahead of all others."""
    with cluster.redis.client() as client:
        key = f"{PREFIX}:job:{job_id}"
        if isinstance(record, str):
            client.set(key, record)
        else:
            client.hset(key, mapping=dict(record))  # type: ignore[call-overload]
        for index in ("active", "jobs", "jobs:queued", "queue:part", "queue:prepare", "live:merge"):
            client.zadd(f"{PREFIX}:{index}", {job_id: FIRST})


def unreadable(cluster: Cluster) -> set[Any]:
    with cluster.redis.client() as client:
        found: set[Any] = set(client.smembers(f"{PREFIX}:unreadable"))
        return found


RECORDS: dict[str, object] = {
    "no hash": "somebody else's words",
    "no state": {"id": "no state"},
    "no request": {"id": "no request", "kind": "merge", "state": "queued", "step": "run"},
    "no numbers": {
        "id": "no numbers",
        "kind": "prepare",
        "state": "running",
        "attempt": "many",
        "lease_until": "soon",
        "request": "{",
    },
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_bad_record_stops_nobody(name: str, cluster: Cluster, sound: Sound) -> None:
    rows = fill(cluster.data_dir, "alpha", "beta")
    cluster.start_web()
    broken(cluster, name, RECORDS[name])
    job = cluster.merge("alpha", "beta")
    with cluster.http() as client:
        listed = client.get("/jobs")
        assert listed.status_code == 200, listed.text
        assert job.id in [each["id"] for each in listed.json()["jobs"]]
        assert client.get(f"/jobs/{name}").status_code == 404
    ended = sound([job])[job.id]
    assert (ended.state, ended.result and ended.result["records"]) == ("succeeded", rows)
    assert cluster.web is not None
    cluster.web.kill()
    with cluster.redis.client() as client:
        for key in client.keys(f"{PREFIX}:*"):
            if client.type(key) == "zset":
                client.zrem(key, name)
        client.delete(f"{PREFIX}:job:{name}", f"{PREFIX}:unreadable")


@pytest.mark.quick
def test_what_is_no_record_is_set_aside_and_counted(cluster: Cluster, sound: Sound) -> None:
    fill(cluster.data_dir, "alpha")
    cluster.start_web()
    broken(cluster, "no hash", "somebody else's words")
    cluster.until("it to be set aside", lambda: unreadable(cluster) == {"no hash"})
    headers = {"Authorization": f"Bearer {cluster.token}"}
    metrics = httpx2.get(f"{cluster.url}/metrics", headers=headers, timeout=10)
    assert "mindcorpus_unreadable_jobs 1.0" in metrics.text
    sound([cluster.merge("alpha")])
    assert cluster.web is not None
    cluster.web.kill()
    with cluster.redis.client() as client:
        client.delete(f"{PREFIX}:job:no hash", f"{PREFIX}:unreadable")


@pytest.mark.quick
def test_a_merge_whose_pending_parts_were_forgotten_finds_them_again(
    cluster: Cluster, sound: Sound
) -> None:
    rows = fill(cluster.data_dir, "alpha", "beta", megabytes=2)
    job = cluster.merge("alpha", "beta")
    cluster.reach(job, "read")
    with cluster.redis.client() as client:
        client.delete(f"{PREFIX}:pending:{job.id}")
    ended = sound([job])[job.id]
    assert (ended.state, ended.result and ended.result["records"]) == ("succeeded", rows)


def test_a_merge_with_a_part_that_is_nowhere_ends_within_half_a_minute(
    cluster: Cluster, sound: Sound
) -> None:
    fill(cluster.data_dir, "alpha")
    job = cluster.merge("alpha")
    with cluster.redis.client() as client:
        client.sadd(f"{PREFIX}:pending:{job.id}", "f" * 32)
        client.sadd(f"{PREFIX}:parts:{job.id}", "f" * 32)
    ended = sound([job], 30)[job.id]
    assert ended.state == "succeeded"

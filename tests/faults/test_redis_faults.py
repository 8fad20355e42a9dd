"""Redis that dies, hangs, drops its connections or forgets messages."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from cluster import LEASE, Cluster
from fault_fixtures import EMBEDDED
from sources import LOCAL, fill

from workers.app import publish
from workers.errors import RedisUnavailableError

if TYPE_CHECKING:
    from invariants import Sound


@pytest.mark.quick
def test_it_is_the_server_that_was_asked_for(server: str, cluster: Cluster) -> None:
    with cluster.client() as client:
        # Redis itself does not say its name before version 8.
        name = client.info("server").get("server_name", "redis")
    assert (name == "valkey") == (server == EMBEDDED)


@pytest.mark.parametrize("away", [0.0, 1.5 * LEASE])
def test_redis_is_killed_with_a_job_running_five_queued_and_a_merge_half_way(
    away: float, cluster: Cluster, sound: Sound
) -> None:
    rows = fill(cluster.data_dir, *LOCAL, megabytes=6)
    merge = cluster.merge(*LOCAL)
    queued = [cluster.merge(name) for name in LOCAL] + [cluster.merge("alpha", "beta")]

    def half_way() -> bool:
        states = {part["state"] for part in cluster.parts(merge).values()}
        waiting = {cluster.store.get(job.id).state for job in queued}
        return {"succeeded", "running"} <= states and waiting == {"queued"}

    cluster.until("the merge to be half way, and five to be queued", half_way, job=merge)
    cluster.redis.kill()
    time.sleep(away)
    cluster.redis.start()
    ended = sound([merge, *queued])
    assert {job.state for job in ended.values()} == {"succeeded"}
    result = ended[merge.id].result
    assert result is not None
    assert result["records"] == rows


@pytest.mark.quick
@pytest.mark.parametrize("stage", ["read", "write"])
def test_redis_hangs_for_longer_than_a_lease(stage: str, cluster: Cluster, sound: Sound) -> None:
    fill(cluster.data_dir, "alpha", megabytes=6)
    job = cluster.merge("alpha")
    cluster.reach(job, stage)
    cluster.redis.pause()
    began = time.monotonic()
    with pytest.raises(RedisUnavailableError):
        cluster.merge("beta")
    assert time.monotonic() - began < 7
    time.sleep(max(0.0, 2 * LEASE - (time.monotonic() - began)))
    cluster.redis.resume()
    # Whether the order of beta came through nobody was told.
    others = [job for job in cluster.store.list().jobs if not job.over]
    assert sound([job, *others])[job.id].state == "succeeded"


@pytest.mark.quick
def test_all_connections_are_reset_ten_times(cluster: Cluster, sound: Sound) -> None:
    fill(cluster.data_dir, *LOCAL)
    jobs = [cluster.merge(*LOCAL), cluster.merge("alpha")]
    with cluster.client() as client:
        for _ in range(10):
            client.client_kill_filter(_type="normal", skipme=True)
            time.sleep(0.3)
    ended = sound(jobs)
    assert [(job.state, job.error) for job in ended.values()] == [("succeeded", None)] * 2


@pytest.mark.quick
def test_the_queues_of_the_broker_are_deleted(cluster: Cluster, sound: Sound) -> None:
    fill(cluster.data_dir, *LOCAL)
    jobs = [cluster.merge(*LOCAL), *(cluster.merge(name) for name in LOCAL[:2])]
    with cluster.client() as client:
        names: Any = client.keys("mindcorpus:part*") + client.keys("mindcorpus:finalise*")
        queues = [name for name in names if client.type(name) == "list"]
        assert "mindcorpus:part" in queues
        assert client.delete(*queues) == len(queues)
    ended = sound(jobs)
    assert {job.state for job in ended.values()} == {"succeeded"}


@pytest.mark.quick
def test_every_message_comes_several_times(cluster: Cluster, sound: Sound) -> None:
    rows = fill(cluster.data_dir, *LOCAL, megabytes=2)
    job = cluster.merge(*LOCAL)

    def over() -> bool:
        for part in cluster.parts(job):
            publish(cluster.app, part, "part")
        publish(cluster.app, job.id, "finalise")
        time.sleep(0.1)
        return cluster.store.get(job.id).over

    cluster.until("the job to end", over, job=job)
    ended = sound([job])[job.id]
    assert (ended.state, ended.attempt) == ("succeeded", 1)
    assert {part["attempt"] for part in cluster.parts(job).values()} == {"1"}
    assert ended.result is not None
    assert ended.result["records"] == rows
    with cluster.client() as client:
        cluster.until("all messages to be taken", lambda: not client.exists("mindcorpus:part"))

"""Redis' clock is set back or ahead: nothing waits for the time it has lost, nothing is forgotten.

The step is made by hand, by moving every time that a real Redis holds: Debian's redis-server does
not start under libfaketime, as its allocator asks for the time before that is ready.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx2
from invariants import Watcher, assert_sound
from sources import fill

from mindcorpus.errors import HubUnavailableError
from workers.jobs.leases import Claim

if TYPE_CHECKING:
    from cluster import Cluster

PREFIX = "mindcorpus"
HOURS = 3
Build = Callable[..., tuple["Cluster", Watcher]]


#: Fields and indexes that hold times of Redis' clock, in milliseconds, and in microseconds.
FIELDS = ("lease_until", "not_before", "deadline_at", "emitted", "created", "started", "line")
QUEUES = ("part", "prepare", "finalise")
INDEXES = ("active", "workers", *(f"queue:{queue}" for queue in QUEUES))


def step(client: Any, hours: float) -> None:
    """Set the clock back, as far as jobs can tell: all that holds a time lies so far ahead."""
    away = hours * 3_600_000
    for key in client.scan_iter(f"{PREFIX}:job:*"):
        record = client.hgetall(key)
        moved = {name: f"{float(record[name]) + away:.3f}" for name in FIELDS if name in record}
        place = {
            name: int(record[name]) + int(away * 1000) for name in ("place",) if name in record
        }
        client.hset(key, mapping=moved | place)
    places = list(client.scan_iter(f"{PREFIX}:jobs*"))
    scales = dict.fromkeys((f"{PREFIX}:{index}" for index in INDEXES), 1) | dict.fromkeys(
        places, 1000
    )
    for index, scale in scales.items():
        for member, score in client.zrange(index, 0, -1, withscores=True):
            client.zadd(index, {member: f"{score + away * scale:.3f}"})
    for queue in QUEUES:
        if client.exists(f"{PREFIX}:woken:{queue}"):
            client.pexpire(f"{PREFIX}:woken:{queue}", int(away))
    client.hincrby(f"{PREFIX}:lived", "at", int(away))


def claimed(cluster: Cluster, job_id: str) -> Claim:
    claim = cluster.claims().claim(job_id, "token", "elsewhere", 1)
    assert isinstance(claim, Claim), claim
    return claim


def ready(cluster: Cluster) -> dict[str, bool]:
    answer = httpx2.get(f"{cluster.url}/readyz", timeout=10).json()
    return {check["check"]: check["ok"] for check in answer["checks"]}


def test_a_clock_set_back_holds_nothing_up(build: Build) -> None:
    cluster, watcher = build(workers=0)
    rows = fill(cluster.data_dir, "alpha", "beta", megabytes=1)
    first = cluster.merge("alpha")
    (part,) = cluster.parts(first)
    # A worker of another host takes it and is never heard of again; a job waits out a pause; others
    # wait for a worker.
    claimed(cluster, part)
    paused, queued = cluster.merge("beta"), cluster.prepare(format="huggingface")
    (other,) = cluster.parts(paused)
    held = claimed(cluster, other)
    assert cluster.claims().postpone(held, HubUnavailableError("away"), 2)
    cluster.claims().seen("gone:1")
    with cluster.client() as client:
        client.set(f"{PREFIX}:woken:part", 1, px=1000)
        step(client, HOURS)
        cluster.claims().sweep()
        seconds, micros = client.time()
        now = seconds + micros / 1e6
        ahead = {
            key: [
                round(score / 1000 - now)
                for _, score in client.zrange(f"{PREFIX}:{key}", 0, -1, withscores=True)
            ]
            for key in ("active", "queue:part", "queue:prepare", "workers")
        }
        # At most by a lease, a pause, or the longest look at what waits.
        assert max(ahead["active"]) <= 303
        assert max(ahead["queue:part"]) <= 2
        assert max(ahead["queue:prepare"] + ahead["workers"]) <= 0
        assert all(client.pttl(f"{PREFIX}:woken:{queue}") <= 1000 for queue in ("part", "prepare"))
    later = cluster.merge("alpha", "beta")
    assert next(iter(cluster.store.list().jobs)).id == later.id, "newest first"
    cluster.heal(2)
    ended = assert_sound(cluster, watcher, [first, paused, later], 60)
    made = [job.result["records"] for job in ended.values() if job.result]
    assert made == [rows // 2, rows // 2, rows]
    assert cluster.end(queued).over
    # Ahead by a month: leases run out, but what is over is remembered by days that passed.
    with cluster.client() as client:
        step(client, -30 * 24)
    again = cluster.end(cluster.merge("alpha"))
    assert (again.state, cluster.store.get(first.id).state) == ("succeeded", "succeeded")


def test_idle_workers_before_a_due_job_are_not_ready_and_busy_ones_are(build: Build) -> None:
    cluster, _ = build(workers=0)
    fill(cluster.data_dir, "alpha", megabytes=1)
    cluster.start_web()
    job = cluster.prepare()
    with cluster.client() as client:
        # It waits for a minute already, and a worker that is heard of takes nothing.
        score = client.zscore(f"{PREFIX}:queue:prepare", job.id)
        client.zadd(f"{PREFIX}:queue:prepare", {job.id: score - 60_000})
        cluster.claims().seen("idle:1")
        assert ready(cluster) == {**ready(cluster), "worker": True, "queue": False}
        (part,) = cluster.parts(cluster.merge("alpha"))
        claimed(cluster, part)
        assert ready(cluster)["queue"], "who works on something takes the next after it"

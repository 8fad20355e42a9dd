"""How many jobs, who works on them, and whether Redis would keep them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from mindcorpus.errors import DataError
from workers.jobs.scripts import PREFIX, job_key

if TYPE_CHECKING:
    from redis_server import RedisServer
    from stores import Stores


def test_a_service_without_jobs(stores: Stores) -> None:
    stats = stores.jobs.queue_stats()
    assert set(stats.states.values()) == {0}
    assert stats.queues == {"finalise": 0, "prepare": 0, "write": 0, "part": 0}
    assert (stats.oldest_queued, stats.workers, stats.lease_losses) == (None, (), 0)
    assert len(stats.ended) == 6
    assert set(stats.ended.values()) == {0}
    assert stats.durations == {"merge": (0, 0.0), "prepare": (0, 0.0)}
    assert stats.memory_share is None


def test_jobs_are_counted_by_state_and_parts_by_queue(stores: Stores) -> None:
    merge = stores.submit("a", "b", "c")
    stores.submit()
    running = stores.take(stores.submit().id)
    asked = stores.take(stores.submit().id)
    stores.jobs.cancel(asked.job_id)
    failed = stores.take(stores.submit().id)
    stores.claims.fail(failed, DataError("no"))
    done = stores.take(stores.submit().id)
    stores.claims.succeed(done, {})
    stores.jobs.cancel(stores.submit().id)
    stores.take(stores.parts(merge.id)[0])
    stats = stores.jobs.queue_stats()
    assert stats.states == {
        "queued": 1,
        "waiting": 1,
        "running": 1,
        "cancelling": 1,
        "succeeded": 1,
        "failed": 1,
        "cancelled": 1,
    }
    assert stats.queues == {"finalise": 0, "prepare": 1, "write": 0, "part": 2}
    stores.claims.release(running)
    assert stores.jobs.queue_stats().queues["prepare"] == 2


def test_the_oldest_of_all_queues_is_timed(stores: Stores) -> None:
    first = stores.submit()
    time.sleep(0.3)
    stores.submit("a")
    oldest = stores.jobs.queue_stats().oldest_queued
    assert oldest is not None
    assert 0.3 <= oldest < 5
    stores.take(first.id)
    younger = stores.jobs.queue_stats().oldest_queued
    assert younger is not None
    assert younger < oldest


def test_what_ended_is_counted_and_what_succeeded_is_timed(stores: Stores) -> None:
    for seconds in (2, 3):
        job = stores.submit()
        created = stores.number(job.id, "created")
        stores.redis.hset(job_key(job.id), "created", created - seconds * 1000)
        stores.claims.succeed(stores.take(job.id), {})
    stores.claims.fail(stores.take(stores.submit().id), DataError("no"))
    stores.jobs.cancel(stores.submit("a").id)
    ended = stores.jobs.queue_stats().ended
    assert {each: count for each, count in ended.items() if count} == {
        ("prepare", "succeeded"): 2,
        ("prepare", "failed"): 1,
        ("merge", "cancelled"): 1,
    }
    durations = stores.jobs.queue_stats().durations
    count, total = durations["prepare"]
    assert (count, round(total)) == (2, 5)
    assert durations["merge"] == (0, 0.0)


def test_workers_are_seen_and_forgotten_after_an_hour(stores: Stores) -> None:
    stores.redis.zadd(f"{PREFIX}:workers", {"old:1": (time.time() - 3700) * 1000})
    stores.claims.seen("fe80::1:77")
    (worker,) = stores.jobs.queue_stats().workers
    assert (worker.host, worker.pid) == ("fe80::1", 77)
    assert 0 <= worker.seen < 5
    stores.claims.seen("fe80::1:77", lives=False)
    assert stores.jobs.queue_stats().workers == ()


@pytest.fixture
def shaky(redis_server: RedisServer, stores: Stores) -> Iterator[Stores]:
    """The jobs over a Redis whose settings a test may spoil."""
    yield stores
    with redis_server.client() as client:
        client.config_set("appendonly", "yes")
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 0)
        # It refuses to stop while it writes its file anew.
        while int(client.info("persistence")["aof_rewrite_in_progress"]):
            time.sleep(0.02)


def test_redis_as_it_should_be_is_durable(stores: Stores) -> None:
    assert stores.jobs.durability() == []


@pytest.mark.parametrize(
    ("setting", "value", "word"),
    [
        ("appendonly", "no", "append-only"),
        ("maxmemory-policy", "allkeys-lru", "evicts"),
        ("maxmemory", 1 << 40, ""),
    ],
)
def test_settings_that_could_lose_jobs_are_told(
    shaky: Stores, setting: str, value: str | int, word: str
) -> None:
    shaky.redis.config_set(setting, value)
    problems = shaky.jobs.durability()
    assert [word in problem for problem in problems] == [True] * bool(word)


def test_memory_that_runs_out_is_told(shaky: Stores) -> None:
    used = int(shaky.redis.info("memory")["used_memory"])
    shaky.redis.config_set("maxmemory", int(used * 1.2))
    share = shaky.jobs.queue_stats().memory_share
    assert share is not None
    assert 0.7 < share < 1
    (problem,) = shaky.jobs.durability()
    assert "% full" in problem

"""What nobody looks after is looked after: lost leases, lost messages, what dead processes left."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from stores import make_stores

from mindcorpus.errors import HubUnavailableError
from mindcorpus.storage.store import Store
from workers.app import make_app
from workers.jobs.leases import Slots
from workers.jobs.scripts import PREFIX, job_key
from workers.sweeper import start_sweeper

if TYPE_CHECKING:
    from celery import Celery
    from redis_server import RedisServer
    from stores import Stores


# One sweep


def test_what_is_looked_after_is_left_alone(stores: Stores) -> None:
    stores.submit("a")
    stores.redis.lpush(f"{PREFIX}:part", "its message")
    claim = stores.take(stores.submit().id)
    assert stores.claims.sweep() == ([], [])
    assert stores.claims.beat(claim) == "held"


def test_a_lost_lease_gives_the_job_to_another(stores: Stores) -> None:
    job = stores.submit()
    stores.take(job.id)
    stores.let_pass(stores.settings.lease_seconds - 1)
    assert stores.claims.sweep() == ([], [])
    stores.let_pass(2)
    assert stores.claims.sweep() == ([(job.id, "prepare")], [job.id])
    assert stores.state(job.id) == "queued"
    assert stores.claims.sweep() == ([], [])
    assert stores.jobs.queue_stats().lease_losses == 1


def test_a_part_without_a_name_keeps_no_queue(stores: Stores) -> None:
    job = stores.submit("a")
    (part,) = stores.parts(job.id)
    bad: Any = {"id": "bad", "kind": "part", "state": "queued", "queue": "part", "parent": job.id}
    stores.redis.hset(job_key("bad"), mapping=bad)
    stores.redis.zadd(f"{PREFIX}:queue:part", {"bad": 1.0})
    taken = [stores.claims.claim(part, token, "here", 7, "part").job_id for token in "ab"]
    assert taken == ["bad", part]
    stores.redis.delete(job_key("bad"))


def test_a_job_that_loses_every_worker_fails(stores: Stores) -> None:
    job = stores.submit()
    for _ in range(stores.settings.max_attempts):
        stores.take(job.id)
        stores.let_pass(60)
        stores.claims.sweep()
        stores.let_pass(60)
    failed = stores.jobs.get(job.id)
    assert failed.state == "failed"
    assert failed.error is not None
    assert failed.error.code == "worker-lost"
    assert stores.active() == {}


def test_a_queue_that_has_no_message_left_wakes_workers_however_long_it_waited(
    stores: Stores,
) -> None:
    job = stores.submit()
    for waited in (0, 75, 3600, 86_400):
        stores.let_pass(waited)
        assert stores.claims.sweep() == ([(job.id, "prepare")], [])
        # Other sweepers come in the same second.
        assert stores.claims.sweep() == ([], [])
    stores.redis.lpush(f"{PREFIX}:prepare", "a message that waits")
    stores.let_pass(3600)
    assert stores.claims.sweep() == ([], []), "one message wakes as well as two"


def test_what_is_not_due_wakes_nobody(stores: Stores) -> None:
    job = stores.submit()
    assert stores.claims.postpone(stores.take(job.id), HubUnavailableError("away"), 100)
    assert stores.claims.sweep() == ([], [])
    stores.let_pass(101)
    assert stores.claims.sweep() == ([(job.id, "prepare")], [])


def test_the_last_step_of_a_merge_is_queued_even_if_nobody_counted(stores: Stores) -> None:
    job = stores.submit("a", "b")
    one, two = stores.parts(job.id)
    stores.claims.succeed(stores.take(one), {})
    # As after a restore of a backup: the part's record is gone.
    stores.redis.delete(job_key(two))
    stores.redis.zrem(f"{PREFIX}:active", two)
    stores.let_pass(301)
    assert stores.claims.sweep() == ([(job.id, "finalise")], [])
    assert stores.state(job.id) == "queued"


def test_what_has_no_record_is_dropped(stores: Stores) -> None:
    stores.redis.zadd(f"{PREFIX}:active", {"gone": 1})
    assert stores.claims.sweep() == ([], [])
    assert stores.active() == {}


def test_parts_of_a_merge_that_is_over_are_ended(stores: Stores) -> None:
    job = stores.submit("a", "b")
    held = stores.take(stores.parts(job.id)[0])
    stores.jobs.cancel(job.id)
    stores.let_pass(60)
    assert stores.claims.sweep() == ([], [held.job_id])
    assert [stores.state(part) for part in stores.parts(job.id)] == ["cancelled"] * 2
    assert stores.active() == {}


def test_a_wake_up_reaches_twenty_workers_and_the_next_those_after_them(stores: Stores) -> None:
    jobs = [stores.submit().id for _ in range(30)]
    messages, _ = stores.claims.sweep()
    assert [job_id for job_id, _ in messages] == jobs[:20]
    for job_id in jobs[:20]:
        stores.take(job_id)
    stores.let_pass(1)
    messages, _ = stores.claims.sweep()
    assert [job_id for job_id, _ in messages] == jobs[20:]


def test_a_sweep_looks_at_fifty_at_once_and_the_next_at_the_rest(stores: Stores) -> None:
    jobs = {stores.submit().id for _ in range(60)}
    for job_id in jobs:
        stores.take(job_id)
    stores.let_pass(stores.settings.lease_seconds + 1)
    first, second, third = (stores.claims.sweep()[1] for _ in range(3))
    assert (len(first), len(second), third) == (50, 10, [])
    assert {*first, *second} == jobs


# The thread


def until(true: Callable[[], Any], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)


@pytest.fixture
def quick(redis_url: str, tmp_path: Path) -> Iterator[Stores]:
    """A service that sweeps ten times a second."""
    made = make_stores(redis_url, sweep_seconds=0.1, lease_seconds=1, data_dir=tmp_path / "data")
    yield made
    made.redis.close()


@pytest.fixture
def celery(quick: Stores) -> Iterator[Celery]:
    app = make_app(quick.settings)
    yield app
    app.close()


def messages(stores: Stores, queue: str) -> int:
    """Give how many messages a queue of Celery's holds."""
    return int(str(stores.redis.llen(f"{PREFIX}:{queue}")))


def sweeping(stores: Stores, app: Celery, *, worker: bool = False) -> Callable[[], None]:
    return start_sweeper(stores.settings, app, Slots(1, ("part",)) if worker else None)


def test_a_sweeper_publishes_what_was_lost(quick: Stores, celery: Celery) -> None:
    job = quick.submit()
    quick.take(job.id)
    stop = sweeping(quick, celery)
    until(lambda: quick.state(job.id) == "queued")
    until(lambda: messages(quick, "prepare") == 1)
    stop()


def test_a_worker_s_sweeper_tells_that_it_lives_and_that_it_goes(
    quick: Stores, celery: Celery
) -> None:
    stop = sweeping(quick, celery, worker=True)
    until(lambda: quick.jobs.queue_stats().workers)
    (seen,) = quick.jobs.queue_stats().workers
    assert (seen.host, seen.pid) == (socket.gethostname(), os.getpid())
    assert seen.seen < 5
    stop()
    until(lambda: not quick.jobs.queue_stats().workers)
    stop = sweeping(quick, celery)
    time.sleep(0.3)
    assert not quick.jobs.queue_stats().workers
    stop()


def test_redis_may_go_away_and_come_back(
    quick: Stores, celery: Celery, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="workers.sweeper")
    job = quick.submit()
    quick.take(job.id)
    stop = sweeping(quick, celery)
    redis_server.kill()
    time.sleep(1)
    redis_server.start()
    until(lambda: quick.state(job.id) == "queued")
    stop()
    messages = [record.getMessage() for record in caplog.records]
    assert messages.count("sweeper: Redis cannot be reached") == 1, messages


def test_what_nobody_foresaw_ends_no_sweeper_and_is_told_each_time(
    quick: Stores, celery: Celery, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="workers.sweeper")

    def told() -> list[str]:
        return [record.getMessage() for record in caplog.records]

    # A key of another kind than every sweep expects.
    quick.redis.set(f"{PREFIX}:active", "not a sorted set")
    stop = sweeping(quick, celery)
    until(lambda: len(told()) > 1)
    quick.redis.delete(f"{PREFIX}:active")
    job = quick.submit()
    quick.take(job.id)
    until(lambda: quick.state(job.id) == "queued")
    stop()
    assert set(told()) == {"sweeper: unexpected ResponseError", f"job {job.id}: its lease ran out"}


def test_what_a_dead_process_left_is_removed_when_its_job_is_lost(
    quick: Stores, celery: Celery
) -> None:
    data_dir = quick.settings.data_dir
    with Store(data_dir).stage("corpus") as kept:
        left = data_dir / "staging" / "corpus-0123456789ab"
        (left / "output").mkdir(parents=True)
        quick.take(quick.submit().id)
        stop = sweeping(quick, celery)
        until(lambda: not left.exists())
        assert kept.output.is_dir()
    stop()


def test_two_sweepers_give_a_lost_job_back_once(quick: Stores, celery: Celery) -> None:
    job = quick.submit()
    quick.take(job.id)
    stops = [sweeping(quick, celery) for _ in range(3)]
    until(lambda: quick.state(job.id) == "queued")
    time.sleep(0.5)
    for stop in stops:
        stop()
    assert quick.jobs.queue_stats().lease_losses == 1
    assert messages(quick, "prepare") == 1


def test_a_sweeper_without_a_data_folder_goes_on(quick: Stores, celery: Celery) -> None:
    shutil.rmtree(quick.settings.data_dir, ignore_errors=True)
    stop = sweeping(quick, celery)
    first = quick.submit()
    quick.take(first.id)
    until(lambda: quick.state(first.id) == "queued")
    stop()

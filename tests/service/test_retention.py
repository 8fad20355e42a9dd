"""What is over is remembered for days from its end, in two kB; then a line is left of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from stores import make_stores

from mindcorpus.errors import DataError
from mindcorpus.progress import Progress
from workers.errors import JobForgottenError, JobNotFoundError
from workers.jobs.scripts import PREFIX, job_key

if TYPE_CHECKING:
    from stores import Stores

DAY = 86400.0


def ids(stores: Stores) -> list[str]:
    return [job.id for job in stores.jobs.list(limit=999).jobs]


def ended(stores: Stores, result: dict[str, Any] | None = None) -> str:
    """Have a job of its own made and ended."""
    job = stores.submit()
    stores.claims.succeed(stores.take(job.id), result or {})
    return job.id


def test_a_job_is_remembered_for_days_from_its_end(redis_url: str) -> None:
    stores = make_stores(redis_url, jobs_days=2)
    waiting, slow = stores.submit(), stores.submit("a")
    early = ended(stores)
    stores.let_pass(1.5 * DAY)
    stores.jobs.cancel(slow.id)
    stores.let_pass(0.9 * DAY)
    stores.claims.sweep()
    # Asked for first, but over last.
    assert ids(stores) == [slow.id, waiting.id]
    with pytest.raises(JobForgottenError, match="the job succeeded, and was forgotten"):
        stores.jobs.get(early)
    named: Any = stores.redis.keys(f"{PREFIX}:*:{slow.id}")
    lasting = {key for key in named if stores.redis.ttl(key) < 0}
    assert lasting == {f"{PREFIX}:job:{slow.id}"}
    stores.let_pass(1.2 * DAY)
    stores.claims.sweep()
    assert ids(stores) == [waiting.id]
    assert not [key for key in stores.redis.scan_iter() if early in key]
    assert {state: count for state, count in stores.jobs.queue_stats().states.items() if count} == {
        "queued": 1
    }
    stores.redis.close()


def test_a_clock_set_ahead_forgets_nobody_early(stores: Stores) -> None:
    job_id = ended(stores)
    stores.claims.sweep()
    # As after a step of Redis' clock by a month: the last sweep was long ago.
    at: Any = stores.redis.hget(f"{PREFIX}:lived", "at")
    stores.redis.hset(f"{PREFIX}:lived", "at", int(at) - 30 * int(DAY) * 1000)
    stores.claims.sweep()
    assert stores.jobs.get(job_id).state == "succeeded"


def test_where_memory_is_short_the_oldest_end_makes_room(stores: Stores) -> None:
    made = {"records": 3, "artifacts": [{"kind": "corpus", "path": "a.json", "sha256": "f" * 64}]}
    waiting = stores.submit()
    over = [ended(stores, made) for _ in range(30)]
    used = int(stores.redis.info("memory")["used_memory"])
    stores.redis.config_set("maxmemory", int(used / 0.6) + 20_000)
    try:
        for _ in range(30):
            over.append(ended(stores))
            stores.claims.sweep()
        stores.claims.sweep()
        left = [job_id in ids(stores) for job_id in over]
        assert left == sorted(left), "the oldest first"
        assert True in left
        assert False in left
        assert stores.state(waiting.id) == "queued"
        with pytest.raises(JobForgottenError) as forgotten:
            stores.jobs.get(over[0])
        assert forgotten.value.outcome["artifacts"] == made["artifacts"]
    finally:
        stores.redis.config_set("maxmemory", 0)


@pytest.mark.parametrize("what", ["request", "error", "result", "note"])
def test_what_is_long_stays_an_hour_and_a_record_that_is_over_is_short(
    what: str, stores: Stores
) -> None:
    long = "words ".join("déjà-vu " for _ in range(700))
    request = {"system_prompt": long} if what == "request" else {"sample": True}
    job = stores.submit(request=request)
    claim = stores.take(job.id)
    if what == "note":
        stores.claims.beat(claim, Progress("read", "a", 1, 1, note=long))
    if what == "error":
        stores.claims.fail(claim, DataError(long, hint=long))
    else:
        stores.claims.succeed(claim, {"records": 3, "statistics": long * (what == "result")})
    before = stores.jobs.get(job.id)
    record: Any = stores.redis.hgetall(job_key(job.id))
    assert sum(len((name + value).encode()) for name, value in record.items()) <= 2048
    if what == "error":
        assert before.error is not None
        assert before.error.title == long
    elif what == "result":
        assert before.result == {"records": 3, "statistics": long}
    assert before.request == request
    for key in stores.redis.keys(f"{PREFIX}:*:{job.id}"):
        if stores.redis.ttl(key) > 0:
            stores.redis.delete(key)  # an hour passes
    after = stores.jobs.get(job.id)
    assert after.state == before.state
    assert after.error is None or (after.error.code, after.error.title[:20]) == (
        "bad-data",
        long[:20],
    )
    assert after.result is None or after.result["records"] == 3


def test_what_an_older_release_ended_is_shortened_too(stores: Stores) -> None:
    job_id = ended(stores, {"records": 3, "statistics": {"many": "words " * 900}})
    # As it left them: the result whole, in no order of ends, its events for good.
    whole: Any = stores.redis.hget(f"{PREFIX}:rest:{job_id}", "result")
    stores.redis.hset(job_key(job_id), "result", whole)
    stores.redis.delete(f"{PREFIX}:ended", f"{PREFIX}:rest:{job_id}")
    stores.redis.persist(f"{PREFIX}:events:{job_id}")
    stores.claims.sweep()
    assert len(str(stores.redis.hget(job_key(job_id), "result"))) < 700
    assert stores.redis.ttl(f"{PREFIX}:events:{job_id}") > 0
    shown = stores.jobs.get(job_id).result
    assert shown == json.loads(whole)
    stores.let_pass(8 * DAY)
    stores.claims.sweep()
    with pytest.raises(JobForgottenError):
        stores.jobs.get(job_id)


@pytest.mark.parametrize("how", ["no hash", "no table"])
def test_a_bad_record_of_what_is_over_keeps_nobody_from_being_forgotten(
    stores: Stores, how: str
) -> None:
    bad, other = ended(stores), ended(stores)
    stores.let_pass(8 * DAY)
    if how == "no hash":
        stores.redis.set(job_key(bad), "somebody else's words", xx=True)
    else:
        stores.redis.hset(job_key(bad), "result", '{"artifacts": [1]}')
    stores.claims.sweep()
    with pytest.raises(JobForgottenError):
        stores.jobs.get(other)
    assert stores.redis.zcard(f"{PREFIX}:ended") == 0
    assert stores.redis.smembers(f"{PREFIX}:unreadable") == {bad}


def test_a_bad_record_in_flight_keeps_nobody_from_asking_again(stores: Stores) -> None:
    order = stores.order()
    bad = stores.jobs.submit(order).job.id
    stores.redis.set(job_key(bad), "somebody else's words")
    with pytest.raises(JobNotFoundError):
        stores.jobs.cancel(bad)
    again = stores.jobs.submit(order)
    assert (again.outcome, again.job.state) == ("created", "queued")

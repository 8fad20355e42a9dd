"""A job whose writing is left to several: in its record, and in those of the parts."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mindcorpus.errors import StorageError
from mindcorpus.progress import Progress
from workers.jobs.leases import Claim, NotClaimed, Slots
from workers.jobs.scripts import PREFIX, job_key, writes_key

if TYPE_CHECKING:
    from stores import Stores

    from workers.jobs.job import Job

OURS, THEIRS = "a1b2", "c3d4"
ROWS = 1000
BROKEN = StorageError("the disk is broken")


def take(
    stores: Stores, job_id: str, code: str = OURS, token: str = "", queue: str = ""
) -> Claim | NotClaimed:
    """Claim a job as a process of some code."""
    token = token or f"{job_id}.{code}.{stores.redis.incr('tokens')}"
    return stores.claims.claim(job_id, token, "here", 7, queue, "here:1", code)


def held(stores: Stores, job_id: str, code: str = OURS) -> Claim:
    claim = take(stores, job_id, code)
    assert isinstance(claim, Claim), claim
    return claim


def planned(claim: Claim, parts: int = 2) -> dict[str, Any]:
    return {
        "work": f"{claim.job_id}.{claim.fence}",
        "state": "f" * 64,
        "parts": parts,
        "rows": ROWS,
        "total": 10 * ROWS,
        "item": "JSON",
        "from": 0.6,
        "to": 0.8,
    }


def spread(stores: Stores, claim: Claim, parts: int = 2) -> list[str]:
    """Have a job that is held leave its writing to others; gives the parts."""
    payloads = [{"number": number, "work": "w", "sha256": "f"} for number in range(parts)]
    messages = stores.claims.spread(claim, planned(claim, parts), payloads)
    assert messages is not None
    assert {queue for _, queue in messages} == {"write"}
    return [part for part, _ in messages]


def begin(stores: Stores, *sources: str) -> tuple[Job, Claim]:
    """Bring a job to where it plans."""
    job = stores.submit(*sources)
    if sources:
        stores.finish_parts(job.id)
    return job, held(stores, job.id)


def tell(stores: Stores, claim: Claim, rows: int) -> str:
    return stores.claims.beat(claim, Progress("write", "JSON", rows, 10 * rows))


def written(stores: Stores, part: str, number: int) -> list[tuple[str, str]]:
    made = {"attempt": f"{number}.7", "sha256": "e"}
    messages = stores.claims.succeed(held(stores, part), made)
    assert messages is not None
    return messages


@pytest.mark.parametrize(("sources", "queue"), [(("a",), "finalise"), ((), "prepare")])
def test_a_job_waits_for_its_writers_and_then_seals(
    sources: tuple[str, ...], queue: str, stores: Stores
) -> None:
    job, claim = begin(stores, *sources)
    one, two = spread(stores, claim)
    waits = stores.jobs.get(job.id)
    assert (waits.state, waits.stage, waits.owner, waits.attempt) == ("waiting", "write", None, 0)
    assert (waits.progress.rows, waits.progress.rows_total) == (0, ROWS)
    assert (waits.progress.source, waits.progress.share) == ("JSON", 0.6)
    work = stores.claims.work_of(first := held(stores, two))
    assert (work["kind"], work["payload"]["number"], work["log"]["job"]) == ("write", 1, job.id)
    assert stores.claims.succeed(first, {"attempt": "1.9", "sha256": "d"}) == []
    assert written(stores, one, 0) == [(job.id, queue)]
    seal = held(stores, job.id)
    assert stores.claims.work_of(seal)["written"] == {
        **planned(claim),
        "code": OURS,
        "attempts": [{"attempt": "0.7", "sha256": "e"}, {"attempt": "1.9", "sha256": "d"}],
        "strays": False,
    }
    assert stores.jobs.get(job.id).attempt == 1
    assert stores.claims.succeed(seal, {}) == []
    assert stores.jobs.get(job.id).state == "succeeded"
    assert stores.active() == {}
    assert 0 < stores.redis.ttl(writes_key(job.id)) <= 600
    assert {stores.redis.ttl(job_key(part)) > 0 for part in (one, two)} == {True}


def test_parts_of_writing_are_nobody_elses_jobs(stores: Stores) -> None:
    job, claim = begin(stores, "a")
    parts = spread(stores, claim)
    assert {stores.number(part, "v") for part in parts} == {2}
    assert stores.number(job.id, "v") == 1
    assert [each.id for each in stores.jobs.list().jobs] == [job.id]
    assert stores.jobs.get(job.id).progress.parts == 1, "those that read"
    assert stores.claims.task_name(parts[0]) == "write"


def test_only_the_code_that_planned_takes_what_was_planned(stores: Stores) -> None:
    job, claim = begin(stores, "a")
    one, two = spread(stores, claim)
    for code in (THEIRS, ""):
        refused = take(stores, one, code, queue="write")
        assert isinstance(refused, NotClaimed)
        assert refused.reason == "of other code"
        assert isinstance(take(stores, one, code), NotClaimed)
    # Behind them there may be something for others.
    other, other_claim = begin(stores, "b")
    theirs = spread(stores, replace(other_claim, code=THEIRS))
    taken = take(stores, one, THEIRS, queue="write")
    assert isinstance(taken, Claim)
    assert taken.job_id in theirs
    for number, part in enumerate((one, two)):
        written(stores, part, number)
    assert isinstance(take(stores, job.id, THEIRS, queue="finalise"), NotClaimed)
    assert isinstance(take(stores, job.id, OURS, queue="finalise"), Claim)
    assert not stores.jobs.get(other.id).over


def test_progress_of_several_writers_adds_up_and_never_falls(stores: Stores) -> None:
    job, claim = begin(stores, "a")
    one, two = spread(stores, claim)
    first, second = held(stores, one), held(stores, two)
    shares = []

    def now() -> tuple[int, int]:
        progress = stores.jobs.get(job.id).progress
        shares.append(progress.share)
        return progress.rows, progress.done

    tell(stores, first, 300)
    assert now() == (300, 3000)
    tell(stores, second, 200)
    tell(stores, first, 400)
    assert now() == (600, 6000)
    assert shares[-1] == pytest.approx(0.6 + 0.2 * 0.6)
    stores.claims.lost(two, second.fence)
    assert now() == (400, 4000)
    again = held(stores, two)
    tell(stores, again, 600)
    assert tell(stores, second, 601) == "stale"
    assert now() == (1000, 10000)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(0.8)
    stores.claims.succeed(first, {})
    stores.claims.succeed(again, {})
    held(stores, job.id)
    assert stores.jobs.get(job.id).progress.share == pytest.approx(0.8)


def test_who_was_lost_may_still_write(stores: Stores) -> None:
    job, claim = begin(stores, "a")
    parts = spread(stores, claim)
    for number, part in enumerate(parts):
        stray = held(stores, part)
        if number:
            stores.let_pass(20)
            stores.claims.sweep()
            assert stores.claims.beat(stray) == "stale"
        else:
            # Its process has ended, in good order.
            stores.claims.release(stray)
        written(stores, part, number)
    assert stores.claims.work_of(held(stores, job.id))["written"]["strays"] is True


def test_released_in_good_order_nobody_strays(stores: Stores) -> None:
    job, claim = begin(stores)
    (part,) = spread(stores, claim, 1)
    stores.claims.release(held(stores, part))
    stores.claims.postpone(held(stores, part), BROKEN, 0)
    written(stores, part, 0)
    assert stores.claims.work_of(held(stores, job.id))["written"]["strays"] is False


@pytest.mark.parametrize("allow_missing", [False, True])
def test_a_part_that_fails_fails_the_job(allow_missing: bool, stores: Stores) -> None:
    job = stores.submit("a", request={"sample": True, "allow_missing": allow_missing})
    stores.finish_parts(job.id)
    one, two = spread(stores, held(stores, job.id))
    other = held(stores, two)
    claim = held(stores, one)
    for _ in range(stores.settings.max_attempts - 1):
        stores.claims.lost(one, claim.fence)
        stores.let_pass(100)
        claim = held(stores, one)
    stores.claims.lost(one, claim.fence)
    ended = stores.jobs.get(job.id)
    assert (ended.state, ended.error and ended.error.code) == ("failed", "worker-lost")
    assert stores.claims.beat(other) == "cancel"
    stores.claims.stopped(other)
    assert stores.active() == {}


def test_a_job_is_cancelled_while_others_write(stores: Stores) -> None:
    job, claim = begin(stores, "a")
    one, two = spread(stores, claim)
    running = held(stores, one)
    assert stores.jobs.cancel(job.id).state == "cancelled"
    assert stores.claims.beat(running) == "cancel"
    assert stores.claims.succeed(running, {}) == []
    assert (stores.state(one), stores.state(two)) == ("cancelled", "cancelled")
    assert stores.active() == {}


def test_the_same_plan_may_be_told_twice_and_no_other(stores: Stores) -> None:
    job, claim = begin(stores, "a")
    parts = spread(stores, claim)
    again = stores.claims.spread(claim, planned(claim), [{"number": 7}])
    assert sorted(again or []) == sorted((part, "write") for part in parts)
    late = replace(claim, fence="1")
    assert stores.claims.spread(late, planned(late), [{"number": 7}]) is None
    assert stores.redis.scard(writes_key(job.id)) == 2


def test_a_plan_whose_code_nobody_has_any_more_is_made_anew(stores: Stores) -> None:
    job, claim = begin(stores, "a")
    parts = spread(stores, claim)
    running = held(stores, parts[0])
    slots = Slots(1, ("finalise", "write"), OURS)
    stores.claims.seen("here:1", slots=slots)
    stores.claims.seen("there:2", slots=replace(slots, code=THEIRS))
    assert stores.claims.beat(running) == "held"

    def look() -> Job:
        stores.redis.zadd(f"{PREFIX}:active", {job.id: 1})
        stores.claims.sweep()
        return stores.jobs.get(job.id)

    assert look().state == "waiting"
    stores.claims.seen("there:2", lives=False)
    stores.claims.seen("here:1", lives=False)
    assert look().state == "waiting", "nobody is there who could do better"
    stores.claims.seen("there:2", slots=replace(slots, code=THEIRS))
    anew = look()
    assert (anew.state, anew.progress.note[:15]) == ("queued", "is planned anew")
    assert stores.claims.beat(running) == "cancel"
    other = held(stores, job.id, THEIRS)
    assert "written" not in stores.claims.work_of(other)
    more = spread(stores, replace(other, code=THEIRS), 1)
    assert not set(more) & set(parts)
    made = {"attempt": "0.7", "sha256": "e"}
    stores.claims.succeed(held(stores, more[0], THEIRS), made)
    # Also one that waits for its seal.
    stores.claims.seen("there:2", slots=slots)
    assert look().progress.note[:15] == "is planned anew"
    assert isinstance(take(stores, job.id, OURS, queue="finalise"), Claim)


def test_a_part_that_was_forgotten_has_all_planned_anew(stores: Stores) -> None:
    job, claim = begin(stores, "a")
    one, two = spread(stores, claim)
    written(stores, one, 0)
    stores.redis.delete(job_key(two))
    stores.redis.zadd(f"{PREFIX}:active", {job.id: 1})
    stores.claims.sweep()
    assert stores.claims.work_of(held(stores, job.id))["written"] is None


def test_a_part_that_nobody_looks_at_is_found_again(stores: Stores) -> None:
    job, claim = begin(stores, "a")
    one, _ = spread(stores, claim)
    running = held(stores, one)
    stores.let_pass(20)
    stores.redis.zrem(f"{PREFIX}:active", one)
    for _ in range(2):
        stores.redis.zadd(f"{PREFIX}:active", {job.id: 1})
        stores.claims.sweep()
    assert stores.state(one) == "queued"
    assert stores.claims.beat(running) == "stale"


def test_writers_are_counted_by_their_code_and_queues(stores: Stores) -> None:
    told = {
        "a:1": Slots(2, ("write", "part"), OURS),
        "b:1": Slots(1, ("finalise", "prepare", "write", "part"), OURS),
        "c:1": Slots(4, ("finalise", "prepare", "part"), OURS),
        "d:1": Slots(8, ("write",), THEIRS),
        "e:1": Slots(16, ("write",), OURS),
    }
    for name, slots in told.items():
        stores.claims.seen(name, slots=slots)
    # One that an earlier release wrote, and one that is silent.
    stores.redis.hset(f"{PREFIX}:slots", "f:1", json.dumps({"count": 32, "queues": ["write"]}))
    stores.redis.zadd(f"{PREFIX}:workers", {"f:1": 1e15, "e:1": 1})
    _, claim = begin(stores)
    assert stores.claims.work_of(claim)["writers"] == 3


def test_a_folder_is_needed_as_long_as_its_job_may_look_into_it(stores: Stores) -> None:
    job, claim = begin(stores, "a")
    name = f"{job.id}.{claim.fence}"
    needed = stores.claims.works
    assert needed([name, f"{job.id}.1", f"{'0' * 32}.1"]) == {name}
    parts = spread(stores, claim)
    assert needed([name]) == {name}
    for number, part in enumerate(parts):
        written(stores, part, number)
    seal = held(stores, job.id)
    assert needed([name]) == {name}
    stores.claims.succeed(seal, {})
    assert needed([name]) == frozenset()

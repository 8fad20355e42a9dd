"""A job in a worker's hands: every step, every late comer, and sums that add up."""

from __future__ import annotations

import json
import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from stores import make_stores

from mindcorpus.errors import DataError, HubUnavailableError
from mindcorpus.progress import Progress
from workers.errors import JobFinishedError, describe
from workers.jobs.job import JobError
from workers.jobs.job_specs import PartSpec
from workers.jobs.leases import Claim, NotClaimed
from workers.jobs.messages import parts_of
from workers.jobs.scripts import PREFIX, job_key

if TYPE_CHECKING:
    from stores import Stores

BROKEN = DataError("the file is empty", source="a", hint="Fetch it again.")
AWAY = HubUnavailableError("the hub is down")


def not_taken(stores: Stores, job_id: str) -> str:
    answer = stores.try_to_take(job_id)
    assert isinstance(answer, NotClaimed)
    return answer.reason


def sums(stores: Stores, job_id: str) -> tuple[int, int]:
    """Give rows and bytes of a merge; the job's are those of its sources."""
    progress = stores.jobs.get(job_id).progress
    assert progress.rows == sum(source.rows for source in progress.sources)
    assert progress.done == sum(source.done for source in progress.sources)
    return progress.rows, progress.done


def source(stores: Stores, job_id: str, name: str) -> Any:
    found = stores.jobs.get(job_id).progress.sources
    return next(each for each in found if each.name == name)


# Claiming


def test_a_claim_takes_a_job_out_of_its_queue(stores: Stores) -> None:
    job = stores.submit()
    assert job.queue_position == 1
    claim = stores.take(job.id)
    assert claim.kind == "prepare"
    taken = stores.jobs.get(job.id)
    assert (taken.state, taken.attempt, taken.queue_position) == ("running", 1, None)
    assert taken.owner is not None
    assert (taken.owner.host, taken.owner.pid) == ("here", 7)
    assert taken.started
    assert taken.lease_until
    assert stores.states(job.id) == ["queued", "running"]


def test_only_one_gets_a_job_and_may_ask_for_it_again(stores: Stores) -> None:
    job = stores.submit()
    claim = stores.take(job.id, "mine")
    again = stores.take(job.id, "mine")
    assert (again.fence, stores.jobs.get(job.id).attempt) == (claim.fence, 1)
    busy = stores.try_to_take(job.id)
    assert busy == NotClaimed("busy", "here", 7, claim.fence, job.id)


def test_what_is_over_or_unknown_is_not_claimed(stores: Stores) -> None:
    job = stores.submit()
    stores.claims.succeed(stores.take(job.id), {})
    assert not_taken(stores, job.id) == "over"
    assert not_taken(stores, "0" * 32) == "over"


def test_a_merge_that_waits_for_parts_is_not_claimed(stores: Stores) -> None:
    job = stores.submit("a")
    assert not_taken(stores, job.id) == "over"
    stores.take(*stores.parts(job.id))
    assert stores.state(job.id) == "waiting"
    assert not_taken(stores, job.id) == "over"


def test_fences_only_grow_even_if_redis_forgot_the_last(stores: Stores) -> None:
    fences = []
    for _ in range(3):
        fences.append(int(stores.take(stores.submit().id).fence))
        stores.redis.delete(f"{PREFIX}:fence")
    assert fences == sorted(set(fences))


def test_a_lease_that_ran_out_is_taken_over_and_the_old_holder_is_refused(stores: Stores) -> None:
    job = stores.submit()
    old = stores.take(job.id)
    stores.let_pass(stores.settings.lease_seconds + 1)
    new = stores.take(job.id)
    assert int(new.fence) > int(old.fence)
    assert stores.jobs.get(job.id).attempt == 2
    before = stores.redis.hgetall(job_key(job.id))
    assert stores.claims.beat(old) == "stale"
    assert stores.claims.beat(old, Progress("read", "x", 1, 1, 1)) == "stale"
    assert stores.claims.commit(old) == "stale"
    assert stores.claims.succeed(old, {"late": True}) is None
    assert stores.claims.fail(old, BROKEN) == []
    assert stores.claims.release(old) == []
    assert stores.claims.lost(job.id, old.fence) == []
    assert stores.claims.postpone(old, AWAY, 1)
    stores.claims.stopped(old)
    assert stores.redis.hgetall(job_key(job.id)) == before
    assert not stores.claims.holds(job.id, old.fence)
    assert stores.claims.holds(job.id, new.fence)
    assert stores.jobs.queue_stats().lease_losses == 1


# Holding


def test_a_beat_renews_the_lease(stores: Stores) -> None:
    claim = stores.take(stores.submit().id)
    before = stores.active()[claim.job_id]
    stores.let_pass(5)
    assert stores.claims.beat(claim) == "held"
    assert stores.active()[claim.job_id] >= before
    assert stores.number(claim.job_id, "lease_until") == stores.active()[claim.job_id]


def test_a_beat_tells_progress(stores: Stores) -> None:
    job = stores.submit()
    claim = stores.take(job.id)
    progress = Progress("write", "openai", 10, 300, 900, "a note", 30)
    assert stores.claims.beat(claim, progress) == "held"
    seen = stores.jobs.get(job.id)
    assert seen.stage == "write"
    assert seen.progress.source == "openai"
    assert (seen.progress.rows, seen.progress.rows_total) == (10, 30)
    assert (seen.progress.done, seen.progress.total) == (300, 900)
    assert seen.progress.note == "a note"
    event = stores.jobs.events(job.id)[-1].data
    assert (event["type"], event["stage"], event["source"]) == ("progress", "write", "openai")
    assert (event["rows"], event["done"], event["note"]) == (10, 300, "a note")
    stores.claims.beat(claim, Progress("write", "openai", 20))
    assert stores.jobs.get(job.id).progress.total is None
    assert stores.jobs.get(job.id).progress.rows_total is None


def test_progress_is_throttled_but_a_new_stage_is_told_at_once(stores: Stores) -> None:
    job = stores.submit()
    claim = stores.take(job.id)
    for done in range(20):
        stores.claims.beat(claim, Progress("read", "a", done, done, 100))
    stores.claims.beat(claim, Progress("write", "a", 1, 1, 100))
    events = [event.data for event in stores.jobs.events(job.id)]
    assert [event["stage"] for event in events if event["type"] == "progress"] == ["read", "write"]
    stores.let_pass(1)
    stores.claims.beat(claim, Progress("write", "a", 2, 2, 100))
    assert stores.jobs.events(job.id)[-1].data["rows"] == 2


def test_the_rate_is_told_of_the_stage_and_the_time_left_of_the_whole_job(stores: Stores) -> None:
    job = stores.submit()
    claim = stores.take(job.id)
    stores.claims.beat(claim, Progress("read", "a", 1, 100, 1100, share=0.1))
    for name in ("began", "was_at"):
        stores.redis.hset(job_key(job.id), name, stores.number(job.id, name) - 10_000)
    stores.claims.beat(claim, Progress("read", "a", 1, 600, 1100, share=0.2))
    progress = stores.jobs.get(job.id).progress
    assert progress.share == 0.2
    assert progress.rate == pytest.approx(50, rel=0.2)
    assert progress.eta == pytest.approx(80, rel=0.3)
    # What was long ago tells little: marks move on, and the pace is that of the last seconds.
    for name in ("began", "was_at", "mark_at"):
        stores.redis.hset(job_key(job.id), name, stores.number(job.id, name) - 100_000)
    stores.claims.beat(claim, Progress("read", "a", 1, 600, 1100, share=0.2))
    assert stores.jobs.get(job.id).progress.eta is not None
    for name in ("began", "was_at", "mark_at"):
        stores.redis.hset(job_key(job.id), name, stores.number(job.id, name) - 10_000)
    stores.claims.beat(claim, Progress("read", "a", 1, 1000, 1100, share=0.6))
    moved = stores.jobs.get(job.id).progress
    assert moved.eta == pytest.approx(10, rel=0.4)


def test_a_deadline_is_told_at_the_next_beat(stores: Stores) -> None:
    claim = stores.take(stores.submit().id)
    assert stores.claims.beat(claim) == "held"
    stores.let_pass(stores.settings.deadline_seconds + 1)
    assert stores.claims.beat(claim) == "deadline"


# Ending


def test_success_is_final(stores: Stores) -> None:
    job = stores.submit()
    claim = stores.take(job.id)
    assert stores.claims.commit(claim) == "committed"
    assert stores.claims.succeed(claim, {"records": 3}) == []
    done = stores.jobs.get(job.id)
    assert (done.state, done.result, done.error, done.owner) == (
        "succeeded",
        {"records": 3},
        None,
        None,
    )
    assert done.over
    assert done.finished
    assert stores.active() == {}
    assert stores.states(job.id)[-1] == "succeeded"
    assert stores.claims.fail(claim, BROKEN) == []
    assert stores.claims.beat(claim) == "stale"
    assert stores.state(job.id) == "succeeded"
    assert stores.jobs.in_flight("prepare") is None


def test_failure_keeps_its_error(stores: Stores) -> None:
    job = stores.submit()
    stores.claims.fail(stores.take(job.id), BROKEN)
    failed = stores.jobs.get(job.id)
    assert failed.state == "failed"
    assert failed.error == JobError(**describe(BROKEN))
    assert stores.jobs.events(job.id)[-1].data["error"] == describe(BROKEN)


def test_the_same_end_told_twice_is_one_end(stores: Stores) -> None:
    job, other = stores.submit(), stores.submit()
    claim = stores.take(job.id)
    first, second = stores.twice("succeed", job.id, claim.fence, "{}", "[]", "", "", "", "{}")
    assert (first[0], second[0]) == ("done", "done")
    claim = stores.take(other.id)
    error = json.dumps(describe(BROKEN))
    first, second = stores.twice("fail", other.id, claim.fence, error, "")
    assert (first[0], second[0]) == ("done", "done")
    assert stores.jobs.queue_stats().durations["prepare"][0] == 1
    assert stores.states(job.id) == ["queued", "running", "succeeded"]
    assert stores.states(other.id) == ["queued", "running", "failed"]


def test_any_script_may_be_sent_twice(stores: Stores) -> None:
    """The answer to the first was lost; the second changes nothing more."""
    job = stores.submit("a", "b")
    one, two = stores.parts(job.id)
    claims = (one, "token", "here", 7, 15_000, 3, 60_000, "{}", "", 5000)
    first, second = stores.twice("claim", *claims)
    assert first == second
    assert stores.number(one, "attempt") == 1
    fence = first[1]
    beat = {"stage": "read", "item": "a", "rows": 5, "rows_total": None, "done": 50}
    beat |= {"total": 90, "note": ""}
    stores.twice("beat", one, fence, 15_000, json.dumps(beat))
    assert sums(stores, job.id) == (5, 50)
    assert stores.twice("commit", one, fence, 15_000) == ("committed", "committed")
    stores.twice("release", one, fence, 0, "")
    assert stores.number(one, "attempt") == 0
    claim = stores.take(one)
    error = json.dumps(describe(AWAY))
    assert stores.twice("postpone", one, claim.fence, error, 1000, 6) == ("done", "stale")
    assert stores.number(one, "tries") == 1
    stores.let_pass(2)
    claim = stores.take(one)
    stores.twice("lost", one, claim.fence, 3, "{}", 5000)
    assert stores.jobs.queue_stats().lease_losses == 1
    claim = stores.take(one)
    bundle = parts_of([PartSpec("a", {"source": "a", "shards": [0], "of": one})])
    first, second = stores.twice("succeed", one, claim.fence, "{}", bundle, "", 90, "", "{}")
    assert [len(answer[1]) for answer in (first, second)] == [1, 0]
    progress = stores.jobs.get(job.id).progress
    assert (progress.parts, progress.parts_done, progress.total) == (3, 1, 90)
    claim = stores.take(two)
    stores.twice("cancel", job.id, "")
    assert stores.twice("stopped", two, claim.fence) == ("done", "stale")
    assert stores.states(job.id) == ["queued", "waiting", "cancelled"]
    assert stores.active() == {}


# Losing and trying again


def test_a_lost_job_is_queued_again_and_fails_after_its_last_attempt(stores: Stores) -> None:
    job = stores.submit()
    for attempt in (1, 2, 3):
        claim = stores.take(job.id)
        assert stores.jobs.get(job.id).attempt == attempt
        messages = stores.claims.lost(job.id, claim.fence)
        # At once the first time; what takes it again may last, so it waits.
        assert messages == ([(job.id, "prepare")] if attempt == 1 else [])
        if attempt == 2:
            assert not_taken(stores, job.id) == "early"
            assert stores.claims.sweep() == ([], [])
            stores.let_pass(stores.settings.retry_seconds)
            assert stores.claims.sweep() == ([(job.id, "prepare")], [])
    failed = stores.jobs.get(job.id)
    assert failed.state == "failed"
    assert failed.error is not None
    assert failed.error.code == "worker-lost"
    assert "died 3 times" in failed.error.title
    assert stores.states(job.id) == ["queued", "running"] * 3 + ["failed"]


@pytest.mark.parametrize(("attempt", "least", "most"), [(2, 2.5, 5), (3, 5, 10), (9, 30, 60)])
def test_each_further_loss_waits_longer_and_at_random(
    attempt: int, least: float, most: float, redis_url: str, stores: Stores
) -> None:
    stores = make_stores(redis_url, max_attempts=20, retry_seconds=5)
    waits = []
    for _ in range(8):
        job = stores.submit()
        for number in range(1, attempt + 1):
            stores.claims.lost(job.id, stores.take(job.id).fence)
            if number < attempt:
                stores.let_pass(61)
        found = stores.jobs.get(job.id)
        assert found.progress.note == "waits to be tried again: its worker was lost"
        assert found.not_before is not None
        lost_at, again_at = map(datetime.fromisoformat, (found.updated, found.not_before))
        waits.append((again_at - lost_at).total_seconds())
    assert least <= min(waits)
    assert max(waits) <= most
    assert len(set(waits)) > 1, "those that were lost together come back apart"


def test_a_pause_before_another_try_is_kept(stores: Stores) -> None:
    job = stores.submit()
    assert stores.claims.postpone(stores.take(job.id), AWAY, 30)
    waiting = stores.jobs.get(job.id)
    assert (waiting.state, waiting.tries, waiting.attempt) == ("queued", 1, 0)
    assert waiting.not_before
    assert waiting.progress.note == "waits to be tried again: the hub is down"
    assert not_taken(stores, job.id) == "early"
    assert stores.claims.sweep() == ([], [])
    stores.let_pass(31)
    assert stores.claims.sweep() == ([(job.id, "prepare")], [])
    stores.take(job.id)
    now = stores.jobs.get(job.id)
    assert (now.not_before, now.progress.note) == (None, "")


def test_tries_run_out(stores: Stores) -> None:
    job = stores.submit()
    for _ in range(stores.settings.max_tries - 1):
        assert stores.claims.postpone(stores.take(job.id), AWAY, 0)
    claim = stores.take(job.id)
    assert not stores.claims.postpone(claim, AWAY, 0)
    assert stores.state(job.id) == "running"
    stores.claims.fail(claim, AWAY)
    assert stores.jobs.get(job.id).tries == stores.settings.max_tries - 1


def test_tries_and_releases_are_no_attempts(stores: Stores) -> None:
    job = stores.submit()
    for _ in range(3):
        assert stores.claims.release(stores.take(job.id)) == [(job.id, "prepare")]
        assert stores.claims.postpone(stores.take(job.id), AWAY, 0)
    assert stores.jobs.get(job.id).attempt == 0


def test_a_release_may_have_a_pause_and_a_note(stores: Stores) -> None:
    job = stores.submit("a")
    (part,) = stores.parts(job.id)
    assert stores.claims.release(stores.take(part), 5, "waits: the disk is full") == []
    assert not_taken(stores, part) == "early"
    assert stores.jobs.get(job.id).progress.note == "waits: the disk is full"


# Cancelling


def test_what_waits_is_cancelled_at_once(stores: Stores) -> None:
    job = stores.submit()
    assert stores.jobs.cancel(job.id).state == "cancelled"
    assert stores.active() == {}
    assert not_taken(stores, job.id) == "over"


def test_a_job_that_waits_for_another_try_is_cancelled_at_once(stores: Stores) -> None:
    job = stores.submit()
    stores.claims.postpone(stores.take(job.id), AWAY, 30)
    assert stores.jobs.cancel(job.id).state == "cancelled"


def test_what_runs_is_told_at_its_next_beat(stores: Stores) -> None:
    job = stores.submit()
    claim = stores.take(job.id)
    asked = stores.jobs.cancel(job.id)
    assert (asked.state, asked.cancel_requested) == ("cancelling", True)
    assert stores.jobs.cancel(job.id).state == "cancelling"
    assert stores.claims.beat(claim) == "cancel"
    assert stores.claims.commit(claim) == "cancel"
    stores.claims.stopped(claim)
    assert stores.states(job.id) == ["queued", "running", "cancelling", "cancelled"]


@pytest.mark.parametrize("end", ["fail", "postpone", "release", "lost", "sweep", "claim"])
def test_a_cancelled_job_is_not_run_again_however_it_ends(stores: Stores, end: str) -> None:
    job = stores.submit()
    claim = stores.take(job.id)
    stores.jobs.cancel(job.id)
    match end:
        case "fail":
            stores.claims.fail(claim, BROKEN)
        case "postpone":
            assert stores.claims.postpone(claim, AWAY, 1)
        case "release":
            assert stores.claims.release(claim) == []
        case "lost":
            assert stores.claims.lost(job.id, claim.fence) == []
        case "sweep":
            stores.let_pass(60)
            assert stores.claims.sweep() == ([], [job.id])
        case "claim":
            stores.let_pass(60)
            assert not_taken(stores, job.id) == "over"
    assert stores.state(job.id) == "cancelled"
    assert stores.active() == {}


@pytest.mark.parametrize("state", ["succeeded", "failed"])
def test_what_is_over_cannot_be_cancelled(stores: Stores, state: str) -> None:
    job = stores.submit()
    claim = stores.take(job.id)
    if state == "succeeded":
        stores.claims.succeed(claim, {})
    else:
        stores.claims.fail(claim, BROKEN)
    with pytest.raises(JobFinishedError, match=state):
        stores.jobs.cancel(job.id)
    assert stores.state(job.id) == state


def test_what_is_cancelled_may_be_cancelled_again(stores: Stores) -> None:
    job = stores.submit()
    assert stores.jobs.cancel(job.id).state == "cancelled"
    held = stores.jobs.events(job.id)
    assert stores.jobs.cancel(job.id).state == "cancelled"
    assert stores.jobs.events(job.id) == held


def test_the_one_that_waited_longest_is_taken(stores: Stores) -> None:
    """Messages may overtake each other, or name what another one took; jobs keep their order."""
    jobs = [stores.submit() for _ in range(3)]
    taken = []
    for number in range(3):
        claim = stores.claims.claim(jobs[2].id, f"token{number}", "here", 7, "prepare")
        assert isinstance(claim, Claim)
        again = stores.claims.claim(jobs[2].id, f"token{number}", "here", 7, "prepare")
        assert isinstance(again, Claim)
        assert (again.job_id, again.fence) == (claim.job_id, claim.fence)
        taken.append(claim.job_id)
    assert taken == [job.id for job in jobs]
    nobody = stores.claims.claim(jobs[2].id, "token3", "here", 7, "prepare")
    assert isinstance(nobody, NotClaimed)


def test_what_publishes_cannot_be_cancelled(stores: Stores) -> None:
    job = stores.submit()
    claim = stores.take(job.id)
    assert stores.claims.commit(claim) == "committed"
    with pytest.raises(JobFinishedError, match="being published"):
        stores.jobs.cancel(job.id)
    assert stores.claims.beat(claim) == "held"
    stores.claims.succeed(claim, {})
    assert stores.state(job.id) == "succeeded"


def test_cancelling_a_merge_ends_its_parts(stores: Stores) -> None:
    job = stores.submit("a", "b", "c")
    one, two, three = stores.parts(job.id)
    claim = stores.take(one)
    stores.claims.succeed(stores.take(two), {})
    assert stores.jobs.cancel(job.id).state == "cancelled"
    assert [stores.state(part) for part in (one, two, three)] == [
        "running",
        "succeeded",
        "cancelled",
    ]
    assert stores.claims.beat(claim) == "cancel"
    assert stores.claims.succeed(claim, {}) == []
    assert stores.state(one) == "cancelled"
    assert stores.active() == {}


def test_nothing_is_told_after_the_last_event(stores: Stores) -> None:
    job = stores.submit("a")
    claim = stores.take(*stores.parts(job.id))
    stores.read(claim, 5)
    stores.jobs.cancel(job.id)
    stores.let_pass(5)
    assert stores.read(claim, 9) == "cancel"
    assert stores.claims.postpone(claim, AWAY, 0)
    assert stores.jobs.events(job.id)[-1].data["state"] == "cancelled"
    assert stores.jobs.get(job.id).progress.rows == 5


# Parts


def test_the_last_part_queues_the_rest_of_its_merge_once(stores: Stores) -> None:
    job = stores.submit("a", "b")
    one, two = (stores.take(part) for part in stores.parts(job.id))
    assert stores.state(job.id) == "waiting"
    assert stores.claims.succeed(one, {}) == []
    assert stores.claims.succeed(two, {}) == [(job.id, "finalise")]
    assert stores.claims.succeed(two, {}) == []
    merge = stores.jobs.get(job.id)
    assert (merge.state, merge.queue_position) == ("queued", 1)
    claim = stores.take(job.id)
    assert claim.kind == "merge"
    assert stores.claims.succeed(claim, {}) == []
    assert stores.states(job.id) == ["queued", "waiting", "queued", "running", "succeeded"]
    assert stores.active() == {}


def test_parts_are_counted_and_so_are_their_sizes(stores: Stores) -> None:
    job = stores.submit("a", "b")
    one, two = stores.parts(job.id)
    assert stores.jobs.get(job.id).progress.total is None
    stores.claims.succeed(stores.take(one), {}, source_size=300)
    stores.claims.succeed(stores.take(two), {"absent": True}, source_state="absent")
    progress = stores.jobs.get(job.id).progress
    assert (progress.parts, progress.parts_done, progress.total) == (2, 2, 300)
    assert [(each.name, each.state, each.total) for each in progress.sources] == [
        ("a", "done", 300),
        ("b", "absent", 0),
    ]


def test_a_part_may_bring_further_parts(stores: Stores) -> None:
    job = stores.submit("a")
    (first,) = stores.parts(job.id)
    orders = [PartSpec("a", {"source": "a", "shards": [n], "of": first}) for n in range(2)]
    result: dict[str, Any] = {"found": {"files": []}}
    messages = stores.claims.succeed(stores.take(first), result, parts=orders, source_size=900)
    assert messages is not None
    assert [queue for _, queue in messages] == ["part", "part"]
    assert stores.state(job.id) == "waiting"
    assert source(stores, job.id, "a").parts == 3
    work = stores.claims.work_of(stores.take(messages[0][0]))
    assert work["payload"] == {"source": "a", "shards": [0], "of": first, "found": {"files": []}}
    assert work["request"]["sample"] is True
    assert source(stores, job.id, "a").state == "running"
    for part, _ in messages:
        stores.let_pass(60)
        last = stores.claims.succeed(stores.take(part), {})
    assert last == [(job.id, "finalise")]
    assert source(stores, job.id, "a").state == "done"
    assert stores.claims.outcomes(job.id) == {"a": result}


def test_rows_add_up_after_parts_were_lost_released_and_postponed(stores: Stores) -> None:
    job = stores.submit("a", "b")
    one, two = stores.parts(job.id)
    first = stores.take(one)
    second = stores.take(two)
    stores.read(first, 10, 100)
    stores.read(second, 7, 70)
    stores.read(first, 25, 250)
    assert sums(stores, job.id) == (32, 320)
    stores.claims.lost(one, first.fence)
    assert sums(stores, job.id) == (7, 70)
    first = stores.take(one)
    stores.read(first, 30, 300)
    stores.claims.release(first)
    assert sums(stores, job.id) == (7, 70)
    first = stores.take(one)
    stores.read(first, 5, 50)
    stores.claims.postpone(first, AWAY, 0)
    assert sums(stores, job.id) == (7, 70)
    stores.read(second, 8, 80)
    stores.let_pass(60)
    assert sorted(stores.claims.sweep()[1]) == [two]
    assert sums(stores, job.id) == (0, 0)
    for part, rows in ((one, 30), (two, 9)):
        claim = stores.take(part)
        stores.read(claim, rows, rows * 10)
        stores.claims.succeed(claim, {})
    assert sums(stores, job.id) == (39, 390)


def test_fetching_is_told_but_not_counted(stores: Stores) -> None:
    job = stores.submit("a")
    claim = stores.take(*stores.parts(job.id))
    stores.claims.beat(claim, Progress("fetch", "a", 0, 40, 90, "asks the hub again in 2 s"))
    merge = stores.jobs.get(job.id)
    assert (merge.stage, merge.progress.source) == ("fetch", "a")
    assert merge.progress.note == "asks the hub again in 2 s"
    assert sums(stores, job.id) == (0, 0)
    event = stores.jobs.events(job.id)[-1].data
    assert (event["source"], event["done"], event["total"]) == ("a", 40, 90)


def test_a_part_that_fails_ends_its_merge(stores: Stores) -> None:
    job = stores.submit("a", "b", "c")
    one, two, three = stores.parts(job.id)
    failing, running = stores.take(one), stores.take(two)
    assert stores.claims.fail(failing, BROKEN) == []
    merge = stores.jobs.get(job.id)
    assert (merge.state, merge.error) == ("failed", JobError(**describe(BROKEN)))
    assert source(stores, job.id, "a").state == "failed"
    assert stores.state(three) == "cancelled"
    assert stores.claims.beat(running) == "cancel"
    stores.claims.stopped(running)
    assert [stores.state(part) for part in (one, two)] == ["failed", "cancelled"]
    assert stores.active() == {}
    assert stores.jobs.queue_stats().queues == {"finalise": 0, "prepare": 0, "write": 0, "part": 0}


def test_a_part_that_is_lost_too_often_ends_its_merge(stores: Stores) -> None:
    job = stores.submit("a", "b")
    one, _ = stores.parts(job.id)
    for _ in range(stores.settings.max_attempts):
        stores.claims.lost(one, stores.take(one).fence)
        stores.let_pass(stores.settings.retry_seconds)
    error = stores.jobs.get(job.id).error
    assert error is not None
    assert error.code == "worker-lost"
    assert stores.active() == {}


def test_a_merge_may_go_on_without_a_source(stores: Stores) -> None:
    job = stores.submit("a", "b")
    one, two = stores.parts(job.id)
    orders = [PartSpec("a", {"source": "a", "shards": [n], "of": one}) for n in range(3)]
    messages = stores.claims.succeed(stores.take(one), {"found": {}}, parts=orders)
    assert messages is not None
    first, second, third = (part for part, _ in messages)
    failing, running = stores.take(first), stores.take(second)
    stores.read(failing, 3, 30)
    stores.read(running, 4, 40)
    assert stores.claims.fail(failing, BROKEN, tolerated=True) == []
    assert stores.state(third) == "cancelled"
    assert stores.claims.beat(running) == "cancel"
    stores.claims.stopped(running)
    assert sums(stores, job.id) == (3, 30)
    other = stores.take(two)
    stores.read(other, 5, 50)
    assert stores.claims.succeed(other, {"found": {"b": 1}}) == [(job.id, "finalise")]
    assert source(stores, job.id, "a").state == "failed"
    assert [each.name for each in stores.jobs.get(job.id).progress.sources] == ["a", "b"]
    assert stores.claims.outcomes(job.id) == {
        "a": {"error": describe(BROKEN)},
        "b": {"found": {"b": 1}},
    }


def test_a_failed_source_s_late_part_does_not_disturb_the_last_step(stores: Stores) -> None:
    job = stores.submit("a")
    (first,) = stores.parts(job.id)
    orders = [PartSpec("a", {"source": "a", "shards": [n], "of": first}) for n in range(2)]
    messages = stores.claims.succeed(stores.take(first), {"found": {}}, parts=orders)
    assert messages is not None
    failing, late = (stores.take(part) for part, _ in messages)
    stores.read(late, 40, 400)
    assert stores.claims.fail(failing, BROKEN, tolerated=True) == [(job.id, "finalise")]
    claim = stores.take(job.id)
    stores.claims.beat(claim, Progress("write", "JSON", 2, 20, 100))
    assert stores.read(late, 50, 500) == "cancel"
    stores.claims.stopped(late)
    progress = stores.jobs.get(job.id).progress
    assert (progress.rows, progress.done) == (2, 20)


def test_the_last_step_knows_what_became_of_each_source(stores: Stores) -> None:
    job = stores.submit("a", "b")
    one, two = stores.parts(job.id)
    stores.claims.succeed(stores.take(one), {"found": {"files": [1]}})
    stores.claims.succeed(stores.take(two), {"absent": True}, source_state="absent")
    claim = stores.take(job.id)
    work = stores.claims.work_of(claim)
    assert work["id"] == job.id
    assert work["fence"] == int(claim.fence)
    assert work["kind"] == "merge"
    assert work["outcomes"] == {"a": {"found": {"files": [1]}}, "b": {"absent": True}}
    json.dumps(work)


def test_the_order_of_sources_stays_when_one_has_failed(stores: Stores) -> None:
    names = [f"{letter}-{'x' * 20}" for letter in "hgfedcba"]
    job = stores.submit(*names)
    for part in stores.parts(job.id)[:3]:
        stores.claims.fail(stores.take(part), BROKEN, tolerated=True)
    assert [each.name for each in stores.jobs.get(job.id).progress.sources] == names


def test_a_merge_s_own_failure_fails_it(stores: Stores) -> None:
    job = stores.submit("a")
    stores.finish_parts(job.id)
    stores.claims.fail(stores.take(job.id), BROKEN)
    assert stores.state(job.id) == "failed"
    assert stores.active() == {}


def test_a_lost_last_step_is_queued_again_without_its_parts(stores: Stores) -> None:
    job = stores.submit("a")
    stores.finish_parts(job.id)
    claim = stores.take(job.id)
    assert stores.claims.lost(job.id, claim.fence) == [(job.id, "finalise")]
    again = stores.take(job.id)
    assert stores.claims.outcomes(job.id) == {"a": {"found": {}}}
    assert stores.claims.succeed(again, {}) == []


def test_two_that_ask_at_once_do_not_both_get_it(stores: Stores) -> None:
    job = stores.submit()
    taken = [stores.try_to_take(job.id, secrets.token_hex(4)) for _ in range(10)]
    assert sum(isinstance(each, Claim) for each in taken) == 1

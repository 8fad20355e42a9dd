"""Jobs as clients have them: submitted once, found again, listed, counted, forgotten at last."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest
from stores import make_stores

from mindcorpus.errors import DataError, SettingsError
from workers.errors import (
    JobFinishedError,
    JobForgottenError,
    JobNotFoundError,
    JobSharedError,
    KeyReusedError,
    QueueFullError,
    RedisUnavailableError,
)
from workers.jobs.job_specs import PartSpec, content_key
from workers.jobs.job_store import stream_key
from workers.jobs.messages import new_id, parts_of
from workers.jobs.scripts import PREFIX, job_key

if TYPE_CHECKING:
    from redis_server import RedisServer
    from stores import Stores

    from workers.jobs.job import Kind, State

BROKEN = DataError("the file is empty", source="a")


def ids(stores: Stores, **asked: Any) -> list[str]:
    """Give all jobs that a client finds who turns page after page."""
    found: list[str] = []
    cursor = None
    while True:
        page = stores.jobs.list(cursor=cursor, **asked)
        found += [job.id for job in page.jobs]
        if page.next_cursor is None:
            return found
        assert len(page.jobs) == asked["limit"]
        cursor = page.next_cursor


# Submitting


def test_a_new_job_is_queued_and_its_message_named(stores: Stores) -> None:
    order = stores.order()
    submitted = stores.jobs.submit(order)
    job = submitted.job
    assert submitted.outcome == "created"
    assert submitted.messages == ((job.id, "prepare"),)
    assert re.fullmatch(r"[0-9a-f]{32}", job.id)
    assert (job.kind, job.state, job.request) == ("prepare", "queued", order.request)
    assert (job.attempt, job.tries, job.queue_position) == (0, 0, 1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", job.created)
    empty = (job.stage, job.owner, job.started, job.finished, job.error, job.result, job.retry_of)
    assert set(empty) == {None}
    assert not job.cancel_requested
    assert json.loads(json.dumps(job.as_dict()))["progress"]["sources"] == []
    assert list(stores.active()) == [job.id]


def test_a_merge_is_created_with_all_its_parts(stores: Stores) -> None:
    submitted = stores.jobs.submit(stores.order("b", "a"))
    job = submitted.job
    assert sorted(part for part, _ in submitted.messages) == sorted(stores.parts(job.id))
    assert {queue for _, queue in submitted.messages} == {"part"}
    assert [source.name for source in job.progress.sources] == ["b", "a"]
    assert {source.state for source in job.progress.sources} == {"queued"}
    assert (job.progress.parts, job.progress.parts_done) == (2, 0)
    assert set(stores.active()) == {job.id, *stores.parts(job.id)}


def test_parts_are_no_jobs_of_their_own(stores: Stores) -> None:
    job = stores.submit("a")
    (part,) = stores.parts(job.id)
    for look in (stores.jobs.get, stores.jobs.cancel, stores.jobs.spec_again):
        with pytest.raises(JobNotFoundError):
            look(part)
    assert ids(stores, limit=5) == [job.id]


def test_ids_are_in_the_order_of_time() -> None:
    first = new_id()
    time.sleep(0.002)
    assert first < new_id()


def test_the_same_key_and_body_give_the_same_job_for_good(stores: Stores) -> None:
    order = stores.order()
    job = stores.jobs.submit(order, key="monday", body="x").job
    again = stores.jobs.submit(order, key="monday", body="x")
    assert (again.outcome, again.job.id, again.messages) == ("repeated", job.id, ())
    stores.claims.succeed(stores.take(job.id), {})
    over = stores.jobs.submit(order, key="monday", body="x")
    assert (over.outcome, over.job.id, over.job.state) == ("repeated", job.id, "succeeded")
    assert 0 < int(str(stores.redis.ttl(f"{PREFIX}:idempotency:monday"))) <= 86400


def test_a_key_stands_for_one_body(stores: Stores) -> None:
    stores.jobs.submit(stores.order(), key="monday", body="x")
    with pytest.raises(KeyReusedError) as caught:
        stores.jobs.submit(stores.order(), key="monday", body="y")
    assert caught.value.code == "idempotency-key-reused"
    assert len(ids(stores, limit=5)) == 1


def test_a_key_whose_job_was_forgotten_makes_no_second_one(stores: Stores) -> None:
    job = stores.jobs.submit(stores.order(), key="monday", body="x").job
    stores.redis.delete(job_key(job.id))
    for ask in (stores.jobs.submit, lambda _order, **given: stores.jobs.repeated(**given)):
        with pytest.raises(JobForgottenError):
            ask(stores.order(), key="monday", body="x")
        with pytest.raises(KeyReusedError):
            ask(stores.order(), key="monday", body="y")


def test_the_same_work_in_flight_is_joined_and_its_key_remembered(stores: Stores) -> None:
    order = stores.order("a")
    job = stores.jobs.submit(order).job
    joined = stores.jobs.submit(order, key="tuesday", body="x")
    assert (joined.outcome, joined.job.id, joined.messages) == ("joined", job.id, ())
    assert stores.jobs.submit(order, key="tuesday", body="x").outcome == "repeated"


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled", "cancelling"])
def test_what_is_over_or_ends_is_not_joined(stores: Stores, end: str) -> None:
    order = stores.order()
    job = stores.jobs.submit(order).job
    claim = stores.take(job.id)
    match end:
        case "succeeded":
            stores.claims.succeed(claim, {})
        case "failed":
            stores.claims.fail(claim, BROKEN)
        case _:
            stores.jobs.cancel(job.id)
    if end == "cancelled":
        stores.claims.stopped(claim)
    other = stores.jobs.submit(order)
    assert other.outcome == "created"
    if end == "cancelling":
        # The old one's end does not open the way for a third.
        stores.claims.stopped(claim)
    assert stores.jobs.submit(order).job.id == other.job.id


def test_so_many_may_wait_and_no_more(redis_url: str) -> None:
    stores = make_stores(redis_url, queue_limit=2)
    order = stores.order()
    first = stores.jobs.submit(order, key="a", body="a").job
    stores.submit()
    with pytest.raises(QueueFullError, match="2 jobs wait"):
        stores.submit()
    assert stores.jobs.submit(order).outcome == "joined"
    assert stores.jobs.submit(order, key="a", body="a").outcome == "repeated"
    stores.take(first.id)
    stores.submit()
    stores.redis.close()


def test_an_answer_that_was_lost_makes_no_second_job(stores: Stores) -> None:
    order = stores.order("a")
    record = {"kind": "merge", "request": "{}", "queue": "finalise", "retry_of": ""}
    parts = parts_of([PartSpec("a", {"source": "a"})])
    for key in ("", "monday"):
        values = (new_id(), json.dumps(record), order.content_key + key, key, "x", 9)
        first, second = stores.twice("submit", *values, parts, "somebody", "mine", "")
        # What the first would have published, the second does.
        assert first == second
        assert first[0] == "created"
        assert len(stores.parts(first[1])) == 1
    assert len(ids(stores, limit=5)) == 2


def test_redis_that_is_gone_or_hangs_is_told_within_seconds(
    stores: Stores, redis_server: RedisServer
) -> None:
    stores.submit()
    redis_server.pause()
    try:
        began = time.monotonic()
        with pytest.raises(RedisUnavailableError, match="does not answer"):
            stores.submit()
        assert time.monotonic() - began < 7
    finally:
        redis_server.resume()
    redis_server.kill()
    try:
        began = time.monotonic()
        with pytest.raises(RedisUnavailableError, match="cannot be reached"):
            stores.submit()
        assert time.monotonic() - began < 3
    finally:
        redis_server.start()
    stores.submit()


# Looking


def test_a_job_nobody_made_is_not_found_and_not_repeated(stores: Stores) -> None:
    with pytest.raises(JobNotFoundError) as caught:
        stores.jobs.get("<script>")
    assert "script" not in str(caught.value)


def test_places_in_the_queue(stores: Stores) -> None:
    first, second, merge = stores.submit(), stores.submit(), stores.submit("a", "b")
    other = stores.submit("c")

    def places() -> list[int | None]:
        return [stores.jobs.get(job.id).queue_position for job in (first, second, merge, other)]

    assert places() == [1, 2, 1, 3]
    stores.take(first.id)
    for part in stores.parts(merge.id):
        stores.take(part)
    assert places() == [None, 1, None, 1]
    page = stores.jobs.list()
    assert [job.queue_position for job in page.jobs] == [1, None, 1, None]


def test_lists_are_newest_first_page_after_page(stores: Stores) -> None:
    made = [stores.submit(*(["a"] if n % 3 == 0 else [])).id for n in range(11)]
    for limit in (1, 2, 3, 10, 11, 20):
        assert ids(stores, limit=limit) == made[::-1]
    page = stores.jobs.list(limit=11)
    assert page.next_cursor is None
    assert stores.jobs.list(cursor=made[0]).jobs == ()


def test_lists_can_be_filtered(stores: Stores) -> None:
    made = [stores.submit(*(["a"] if n % 3 == 0 else [])) for n in range(12)]
    for job in made[6:]:
        if job.kind == "prepare":
            stores.claims.succeed(stores.take(job.id), {})

    def wanted(kind: Kind | None, state: State | None) -> Sequence[str]:
        jobs = [stores.jobs.get(job.id) for job in made[::-1]]
        return [job.id for job in jobs if kind in (None, job.kind) and state in (None, job.state)]

    kinds: tuple[Kind | None, ...] = (None, "merge", "prepare")
    states: tuple[State | None, ...] = (None, "queued", "succeeded", "failed")
    for kind in kinds:
        for state in states:
            for limit in (1, 2, 20):
                found = ids(stores, kind=kind, state=state, limit=limit)
                assert found == wanted(kind, state)


@pytest.mark.parametrize("kind", [None, "merge"])
def test_new_jobs_do_not_disturb_who_turns_pages(stores: Stores, kind: Kind | None) -> None:
    made = [stores.submit(*(["a"] if n % 2 else [])) for n in range(9)]
    found: list[str] = []
    cursor = None
    while True:
        page = stores.jobs.list(kind=kind, limit=2, cursor=cursor)
        found += [job.id for job in page.jobs]
        stores.submit("a")
        stores.submit()
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert found == [job.id for job in made[::-1] if kind in (None, job.kind)]


def test_a_cursor_of_nothing_is_refused(stores: Stores) -> None:
    stores.submit()
    with pytest.raises(SettingsError) as caught:
        stores.jobs.list(cursor="0" * 32)
    assert caught.value.field == "cursor"


def test_the_job_in_flight_is_the_newest_that_is_not_over(stores: Stores) -> None:
    assert stores.jobs.in_flight("merge") is None
    stores.submit()
    first = stores.submit("a")
    time.sleep(0.002)
    second = stores.submit("b")
    flying = stores.jobs.in_flight("merge")
    assert flying is not None
    assert flying.id == second.id
    stores.jobs.cancel(second.id)
    flying = stores.jobs.in_flight("merge")
    assert flying is not None
    assert flying.id == first.id


def test_events_are_read_on_from_any_of_them(stores: Stores) -> None:
    job = stores.submit()
    stores.claims.succeed(stores.take(job.id), {})
    events = stores.jobs.events(job.id)
    assert [event.data["state"] for event in events] == ["queued", "running", "succeeded"]
    assert stores.jobs.events(job.id, events[0].id) == events[1:]
    assert stores.jobs.events(job.id, events[-1].id) == ()
    assert stores.jobs.events(job.id, count=1) == events[:1]
    fields = {"type", "state", "stage", "source", "rows", "rows_total", "done", "total", "note"}
    assert set(events[0].data) == {*fields, "attempt", "at", "share"}
    entries: Any = stores.redis.xrange(stream_key(job.id))
    assert [list(fields) for _, fields in entries] == [["data"]] * 3


# Again


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_what_failed_or_was_cancelled_can_be_ordered_again(stores: Stores, end: str) -> None:
    order = stores.order("b", "a")
    job = stores.jobs.submit(order).job
    if end == "failed":
        stores.claims.fail(stores.take(stores.parts(job.id)[0]), BROKEN)
    else:
        stores.jobs.cancel(job.id)
    again = stores.jobs.spec_again(job.id)
    assert (again.kind, again.request) == (order.kind, order.request)
    assert again.content_key == content_key("merge", order.request, stores.settings)
    assert (again.queue, again.parts, again.retry_of) == ("finalise", order.parts, job.id)
    retried = stores.jobs.submit(again)
    assert (retried.outcome, retried.job.retry_of) == ("created", job.id)


def test_what_runs_or_succeeded_is_not_ordered_again(stores: Stores) -> None:
    job = stores.submit()
    with pytest.raises(JobFinishedError, match="queued"):
        stores.jobs.spec_again(job.id)
    stores.claims.succeed(stores.take(job.id), {})
    with pytest.raises(JobFinishedError, match="succeeded"):
        stores.jobs.spec_again(job.id)


def test_a_job_that_several_asked_for_ends_with_the_last_of_them(stores: Stores) -> None:
    order = stores.order("a")
    job = stores.jobs.submit(order, holder="one").job
    assert stores.jobs.submit(order, holder="two").outcome == "joined"
    for _ in range(2):  # the answer may have been lost
        with pytest.raises(JobSharedError):
            stores.jobs.cancel(job.id, "one")
    assert stores.state(job.id) == "queued"
    assert stores.jobs.cancel(job.id, "two").state == "cancelled"
    shared = stores.jobs.submit(order, holder="one").job
    stores.jobs.submit(order, holder="two")
    assert stores.jobs.cancel(shared.id, "an operator").state == "cancelled"


def test_who_comes_back_to_a_queue_has_its_old_place(stores: Stores) -> None:
    first, second = stores.submit(), stores.submit()
    stores.claims.release(stores.take(first.id))
    assert stores.jobs.get(first.id).queue_position == 1
    assert stores.jobs.get(second.id).queue_position == 2


def test_what_was_not_read_when_a_merge_ended_is_cancelled(stores: Stores) -> None:
    job = stores.submit("a", "b")
    stores.take(stores.parts(job.id)[0])
    states = {each.state for each in stores.jobs.cancel(job.id).progress.sources}
    assert states == {"cancelled"}

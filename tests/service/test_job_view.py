"""A job in words, at each of its moments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pytest

from mindcorpus.errors import DataError
from mindcorpus.job_requests import LOCAL, MergeRequest, PrepareRequest
from mindcorpus.progress import PHASES, Progress
from web.pages import job_view
from web.pages.job_view import JobView, asked_for, describe_job
from workers.jobs.job import STATES, SourceProgress

if TYPE_CHECKING:
    from stores import Stores

    from workers.jobs.job import Job


def view_of(stores: Stores, job: Job) -> JobView:
    return describe_job(stores.jobs.get(job.id))


def current(view: JobView) -> list[str]:
    return [step.name for step in view.steps if step.state == "current"]


def test_sources_count_by_their_size_once_it_is_known(stores: Stores) -> None:
    job = stores.submit("A", "B")
    assert view_of(stores, job).share == 0
    first, second = (stores.take(part) for part in stores.parts(job.id))
    stores.claims.beat(first, Progress("read", "A", 10, 1000, 1000, share=0.6))
    early = view_of(stores, job)
    assert early.share == pytest.approx(0.3)
    assert early.total is None
    # It is the larger one by far; but what was done does not become less.
    stores.claims.beat(second, Progress("read", "B", 5, 0, 9000, share=0.1))
    late = view_of(stores, job)
    assert late.share == pytest.approx(0.3)
    assert late.total == 10_000
    stores.claims.beat(second, Progress("read", "B", 5, 4500, 9000, share=0.4))
    assert view_of(stores, job).share == pytest.approx((1000 * 0.6 + 9000 * 0.4) / 10_000)


def test_a_merge_whose_parts_are_made_joins_them_and_keeps_its_numbers(stores: Stores) -> None:
    job = stores.submit("A", "B")
    for part in stores.parts(job.id):
        claim = stores.take(part)
        stores.read(claim, 10, 1000)
        stores.claims.succeed(claim, {"found": {}})
    waits = view_of(stores, job)
    assert waits.job.state == "queued"
    assert waits.summary == "Joining the parts, as soon as a worker is free."
    assert (current(waits), waits.rows, waits.bytes) == (["deduplicate"], 20, 2000)
    assert [waits.rows_of(source) for source in waits.job.progress.sources] == [10, 10]
    stores.take(job.id)
    joins = view_of(stores, job)
    assert (joins.summary, current(joins), joins.rows) == (
        "Joining the parts.",
        ["deduplicate"],
        20,
    )
    assert joins.share == waits.share


@pytest.mark.parametrize(("state", "share"), [("succeeded", 1), ("failed", 0.2)])
def test_a_job_that_is_over_keeps_its_card(stores: Stores, state: Any, share: float) -> None:
    job = stores.submit()
    claim = stores.take(job.id)
    stores.claims.beat(claim, Progress("write", "openai", 1, 10, 100, share=0.2))
    if state == "succeeded":
        stores.claims.succeed(claim, {})
    else:
        stores.claims.fail(claim, DataError("no"))
    assert view_of(stores, job).share == share


def test_there_are_words_for_every_state_and_phase() -> None:
    assert list(job_view.STATE_WORDS) == list(STATES)
    assert list(job_view.PHASE_WORDS) == list(job_view._DOING_WORDS) == list(PHASES)
    states = get_args(SourceProgress.model_fields["state"].annotation)
    assert list(job_view._SOURCE_WORDS) == list(states)


def test_there_are_words_for_every_field_of_a_request() -> None:
    # Those of this machine never come over HTTP.
    fields = {*MergeRequest.model_fields, *PrepareRequest.model_fields} - {*LOCAL}
    assert set(job_view._ASKED) == fields


@pytest.mark.parametrize(
    ("stages", "told"),
    [(None, None), ([], "none"), (["exact_duplicates", "other"], "exact_duplicates, other")],
)
def test_the_row_stages_of_a_job_are_told(stores: Stores, stages: Any, told: str | None) -> None:
    job = stores.submit("A")
    job = job.model_copy(update={"request": {**job.request, "stages": stages}})
    assert dict(asked_for(job)).get("Row stages") == told

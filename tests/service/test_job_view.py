"""A job in words, at each of its moments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pytest

from mindcorpus.job_requests import LOCAL, MergeRequest, PrepareRequest
from mindcorpus.progress import PHASES
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


def test_nothing_is_full_while_a_source_s_size_is_not_known(stores: Stores) -> None:
    job = stores.submit("A", "B")
    assert view_of(stores, job).share == 0
    first, second = stores.parts(job.id)
    stores.read(stores.take(first), 10, 1000)
    assert view_of(stores, job).share is None
    stores.read(stores.take(second), 5, 0)
    assert view_of(stores, job).share == pytest.approx(0.5)


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
    assert joins.share is None


@pytest.mark.parametrize(("state", "share"), [("succeeded", 1), ("failed", 0), ("cancelled", 0)])
def test_a_job_that_is_over_keeps_its_card(stores: Stores, state: Any, share: float) -> None:
    job = stores.submit("A")
    ended = {"state": state, "started": job.created, "finished": job.created}
    assert describe_job(job.model_copy(update=ended)).share == share


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

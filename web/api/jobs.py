"""Jobs: list them, look at one, stop it, or try it again."""

from __future__ import annotations

from flask import Response, jsonify

from web.access.audited import audited, note_asked
from web.api.answers import accepted
from web.api.blueprint import api
from web.api.inputs import holder, idempotency_key
from web.api.schemas import JobsQuery
from web.api.views import (
    ACCEPTED,
    ASKED_AGAIN,
    IDEMPOTENCY_KEY,
    LOCATION,
    POLLED,
    UNCHANGED,
    json_of,
    view,
)
from web.files.conditional import PAUSE, polled
from web.remedies import as_answered
from web.services import services
from workers.jobs.job import Job, JobPage


@api.get("/jobs")
@view(
    "read",
    "List jobs, newest first",
    JobPage,
    answers={200: {"headers": POLLED}, 304: UNCHANGED},
    query=JobsQuery,
)
def list_jobs(query: JobsQuery) -> Response:
    """List jobs of a kind, a state, a label, an owner, or all; `next_cursor` leads on."""
    page = services().store.list(**dict(query))
    payload = {
        "jobs": [as_answered(job.as_dict()) for job in page.jobs],
        "next_cursor": page.next_cursor,
    }
    return polled(payload, active=any(not job.over for job in page.jobs))


@api.get("/jobs/<job_id>")
@view(
    "read",
    "Show a job",
    Job,
    answers={200: {"headers": POLLED}, 304: UNCHANGED},
    problems=(404, 409, 410),
)
def show_job(job_id: str) -> Response:
    """Show a job as it stands; ask again after `Retry-After` seconds, or follow its events."""
    job = services().store.get(job_id)
    return polled(as_answered(job.as_dict()), active=not job.over)


@api.delete("/jobs/<job_id>")
@view(
    "write",
    "Cancel a job",
    Job,
    answers={
        200: {"description": "It waited, or was cancelled before, and is cancelled."},
        202: json_of(Job, "It runs, and was asked to stop.", ASKED_AGAIN),
    },
    problems=(404, 409, 410),
)
@audited("job.cancel")
def cancel_job(job_id: str) -> Response:
    """Stop a job: at once where it waits, within seconds where it runs.

    A job that several tokens asked for goes on until the last of them cancels it: 409 `job-shared`.
    """
    note_asked(job=job_id)
    job = services().job_service.cancel(job_id, holder=holder())
    response = jsonify(as_answered(job.as_dict()))
    response.status_code = 200 if job.over else 202
    if not job.over:
        response.headers["Retry-After"] = PAUSE
    return response


@api.post("/jobs/<job_id>/retry")
@view(
    "write",
    "Try a job again that failed or was cancelled",
    Job,
    answers={
        200: {"description": "This key made the job before.", "headers": LOCATION},
        202: json_of(Job, "A new job with the same request.", ACCEPTED),
    },
    problems=(404, 409, 410, 507),
    headers=[IDEMPOTENCY_KEY],
)
@audited("job.retry")
def retry_job(job_id: str) -> Response:
    """Make a new job of an old one's request; `retry_of` says whose."""
    note_asked(retry_of=job_id)
    return accepted(services().job_service.retry(job_id, idempotency_key(), holder=holder()))

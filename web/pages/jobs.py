"""The list of jobs, and one job: look, cancel, run again."""

from __future__ import annotations

from typing import Any, cast

from flask import Response, redirect, request, url_for

from web.means import means
from web.pages.blueprint import pages, show, writes
from web.pages.job_story import STATE_CHOICES, asked_for, files_of, tell, tell_events
from workers.records import KINDS, STATES, Kind, State

_PAGE = 20
_FILES_SHOWN = 6


@pages.get("/jobs")
def jobs() -> Response:
    """List jobs, newest first, of a kind or a state if asked."""
    kind, state = _chosen("kind", KINDS), _chosen("state", STATES)
    page = means().store.list(
        kind=cast("Kind | None", kind),
        state=cast("State | None", state),
        cursor=request.args.get("cursor") or None,
        limit=_PAGE,
    )
    return show(
        "jobs.html",
        jobs=[tell(job) for job in page.jobs],
        kind=kind,
        state=state,
        states=STATE_CHOICES,
        older=page.next_cursor,
        later_page=bool(request.args.get("cursor")),
    )


def _chosen(name: str, known: tuple[str, ...]) -> str | None:
    value = request.args.get(name)
    return value if value in known else None


@pages.get("/jobs/<job_id>")
def job(job_id: str) -> Response:
    """Show a job."""
    store = means().store
    found = store.get(job_id)
    files = files_of(found)
    return show(
        "job.html",
        told=tell(found),
        asked=asked_for(found),
        lines=tell_events(store.events(job_id)),
        files=files[:_FILES_SHOWN],
        more_files=len(files) - _FILES_SHOWN,
    )


@pages.get("/jobs/<job_id>/cancel")
@writes
def confirm_cancel(job_id: str) -> Response:
    """Ask whether a job is meant to be stopped."""
    return show("cancel.html", told=tell(means().store.get(job_id)))


@pages.post("/jobs/<job_id>/cancel")
@writes
def cancel(job_id: str) -> Any:
    """Stop a job."""
    means().desk.cancel(job_id)
    return redirect(url_for("pages.job", job_id=job_id), 303)


@pages.post("/jobs/<job_id>/retry")
@writes
def run_again(job_id: str) -> Any:
    """Make a new job of the same request."""
    submitted = means().desk.retry(job_id)
    return redirect(url_for("pages.job", job_id=submitted.job.id), 303)

"""The list of jobs, and one job: look, cancel, run again."""

from __future__ import annotations

from typing import Any, TypeVar

from flask import Response, redirect, request, url_for

from mindcorpus.errors import SettingsError
from web.access.audited import audited, note_asked, note_job
from web.pages.blueprint import my_name, pages, show, writes
from web.pages.health import expect_redis
from web.pages.job_files import published_by
from web.pages.job_log import describe_events
from web.pages.job_view import STATE_CHOICES, asked_for, describe_job
from web.services import services
from workers.jobs.job import KINDS, STATES

_Word = TypeVar("_Word", bound=str)
_PAGE = 20
_FILES_SHOWN = 6


@pages.get("/jobs")
def jobs() -> Any:
    """List jobs, newest first, of a kind, a state, a label or an owner if asked."""
    errors: dict[str, str] = {}
    kind, state = _chosen("kind", KINDS, errors), _chosen("state", STATES, errors)
    label, owner = request.args.get("label") or None, request.args.get("owner") or None
    cursor = request.args.get("cursor") or None
    expect_redis()
    try:
        page = (
            None
            if errors
            else services().store.list(
                kind=kind, state=state, label=label, owner=owner, cursor=cursor, limit=_PAGE
            )
        )
    except SettingsError:
        # The job that the page before ended with was forgotten meanwhile.
        return redirect(
            url_for("pages.jobs", kind=kind, state=state, label=label, owner=owner), 303
        )
    return show(
        "jobs.html",
        422 if errors else 200,
        jobs=[describe_job(job) for job in page.jobs] if page else [],
        kind=kind,
        state=state,
        label=label,
        owner=owner,
        states=STATE_CHOICES,
        errors=errors,
        older=page.next_cursor if page else None,
        later_page=cursor is not None,
    )


def _chosen(name: str, known: tuple[_Word, ...], errors: dict[str, str]) -> _Word | None:
    value = request.args.get(name) or None
    found = next((word for word in known if word == value), None)
    if value is not None and found is None:
        errors[name] = f"There is no {name} of this name."
    return found


@pages.get("/jobs/<job_id>")
def job(job_id: str) -> Response:
    """Show a job."""
    expect_redis()
    store = services().store
    found = store.get(job_id)
    published = published_by(found)
    return show(
        "job.html",
        view=describe_job(found),
        asked=asked_for(found),
        lines=describe_events(store.events(job_id)),
        files=published.files[:_FILES_SHOWN],
        more_files=len(published.files) - _FILES_SHOWN,
        replaced=published.replaced,
    )


@pages.get("/jobs/<job_id>/cancel")
@writes
def confirm_cancel(job_id: str) -> Response:
    """Ask whether a job is meant to be stopped."""
    expect_redis()
    return show("cancel.html", view=describe_job(services().store.get(job_id)))


@pages.post("/jobs/<job_id>/cancel")
@writes
@audited("job.cancel")
def cancel(job_id: str) -> Any:
    """Stop a job."""
    expect_redis()
    note_asked(job=job_id)
    services().job_service.cancel(job_id, holder=my_name())
    return redirect(url_for("pages.job", job_id=job_id), 303)


@pages.post("/jobs/<job_id>/retry")
@writes
@audited("job.retry")
def run_again(job_id: str) -> Any:
    """Make a new job of the same request."""
    expect_redis()
    note_asked(retry_of=job_id)
    submitted = services().job_service.retry(job_id, holder=my_name())
    note_job(submitted.job.id, submitted.job.kind, submitted.outcome)
    return redirect(url_for("pages.job", job_id=submitted.job.id), 303)

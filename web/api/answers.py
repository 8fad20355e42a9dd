"""Answers that several routes give."""

from __future__ import annotations

import json
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Response, jsonify, url_for

from mindcorpus.errors import NoCorpusError
from mindcorpus.remedies import Merge
from web.access.audited import note_job
from web.api.inputs import holder, idempotency_key
from web.files.conditional import PAUSE
from web.problems import problem
from web.remedies import as_answered
from web.services import services
from workers.jobs.job import Job, Kind
from workers.jobs.job_specs import JobSpec
from workers.jobs.job_store import Submitted

if TYPE_CHECKING:
    from web.api.schemas import MergeOrder, PrepareBody

    Body = MergeOrder | PrepareBody


def repeated(kind: Kind, body: Body) -> Response | None:
    """Answer with the job that the request's `Idempotency-Key` stands for, if there is one.

    Comes before all else: what that job made meanwhile must not look as if it had been there.
    Raises `KeyReusedError` where the request was another one, and `RedisUnavailableError`.
    """
    key = idempotency_key()
    job = None if key is None else services().job_service.repeated(key, _same(kind, body))
    if job is None:
        return None
    note_job(job.id, job.kind, "repeated")
    return _located(job, 200)


def submitted(order: JobSpec, body: Body) -> Response:
    """Submit an order and answer with its job.

    Raises `KeyReusedError`, `QueueFullError`, `DiskFullError` and `RedisUnavailableError`.
    """
    same = _same(order.kind, body)
    order = replace(order, label=body.label or "", callback_url=body.callback_url or "")
    return accepted(services().job_service.submit(order, idempotency_key(), same, holder=holder()))


def accepted(outcome: Submitted) -> Response:
    """Answer with the job that a request made (202), joined (202) or had made before (200)."""
    note_job(outcome.job.id, outcome.job.kind, outcome.outcome)
    return _located(outcome.job, 200 if outcome.outcome == "repeated" else 202)


def _same(kind: Kind, body: Body) -> str:
    """Give the same text for the same request, whichever release took it.

    Routes share the keys, so it names the kind. Whom to call is part of it where that is said:
    who repeats a key with another address must not believe that this one will be called.
    """
    said: list[Any] = [kind, body.lasting()]
    if body.callback_url is not None:
        said.append({"callback_url": body.callback_url})
    return json.dumps(said, sort_keys=True)


def _located(job: Job, status: int) -> Response:
    response = jsonify(as_answered(job.as_dict()))
    response.status_code = status
    response.headers["Location"] = url_for("api.show_job", job_id=job.id)
    if status == HTTPStatus.ACCEPTED:
        response.headers["Retry-After"] = PAUSE
    return response


def no_corpus(status: int) -> Response:
    """Answer that there is no corpus: 404 to who asks for it, 409 to who asks for more."""
    return problem(
        status,
        code=NoCorpusError.code,
        title="there is no merged corpus",
        remedy=Merge(),
    )


def job_in_flight(job: Job | None) -> dict[str, Any] | None:
    """Give a job as JSON values, or null."""
    return None if job is None else as_answered(job.as_dict())

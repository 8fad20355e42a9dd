"""What requests may say, and how jobs are shown; the OpenAPI document is made from it.

What a job may be asked for stands in `mindcorpus.job_requests`. No request names a path or a
catalogue of the server's disk. web/api/corpus_schemas.py has the other answers.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from mindcorpus.formats.registry import ALL
from mindcorpus.job_requests import Name, PrepareRequest
from web.api.known import FormatChoice, FormatName

Kind = Literal["merge", "prepare"]
State = Literal["queued", "waiting", "running", "cancelling", "succeeded", "failed", "cancelled"]
Stage = Literal["fetch", "read", "deduplicate", "write", "check", "publish"]


# Requests


class PrepareBody(PrepareRequest):
    """Which training formats to make, of which records; {} makes all formats of all records."""

    format: FormatChoice = Field(ALL, description="One format, or all that the guide promises.")
    formats: Annotated[tuple[FormatName, ...], Field(max_length=100, strict=False)] = Field(
        (), description="Several formats, by name, instead of `format`."
    )


def _digits(value: object) -> object:
    # " 1", "+1" and "1.0" would do for pydantic; not for the document that clients are shown.
    if isinstance(value, str) and not re.fullmatch("-?[0-9]{1,16}", value):
        raise ValueError("must be a whole number")
    return value


_Whole = Annotated[int, BeforeValidator(_digits)]


class _Query(BaseModel):
    # Not strict: a query is text.
    model_config = ConfigDict(extra="forbid", frozen=True)


class JobsQuery(_Query):
    """Which jobs to list, newest first."""

    kind: Kind | None = None
    state: State | None = None
    cursor: str | None = Field(
        None, min_length=1, max_length=200, description="`next_cursor` of the page before."
    )
    limit: _Whole = Field(20, ge=1, le=100)


class RecordsQuery(_Query):
    """Which records to show, in corpus order; `offset` and `limit` count those that match."""

    offset: _Whole = Field(0, ge=0, le=2**53 - 1)
    limit: _Whole = Field(20, ge=1, le=100)
    source: Name | None = None
    type: Name | None = None
    tag: Name | None = None
    search: str | None = Field(
        None, max_length=200, description="Words that a record must hold, whatever their case."
    )
    min_words: _Whole | None = Field(None, ge=0, le=2**53 - 1)
    max_words: _Whole | None = Field(None, ge=0, le=2**53 - 1)


# Jobs


class SourceProgress(BaseModel):
    """How far one source of a merge is."""

    name: str
    state: Literal["queued", "running", "done", "failed", "absent", "cancelled"]
    rows: int
    done: int
    total: int | None
    parts: int
    parts_done: int


class JobProgress(BaseModel):
    """How far a job is: bytes `done` of `total`, `rate` in bytes and `eta` in seconds."""

    source: str
    rows: int
    rows_total: int | None
    done: int
    total: int | None
    note: str
    rate: float | None
    eta: float | None
    sources: list[SourceProgress]
    parts: int
    parts_done: int


class Owner(BaseModel):
    """The process that works on a job."""

    host: str
    pid: int


class JobError(BaseModel):
    """Why a job failed."""

    code: str
    title: str
    detail: str
    hint: str
    source: str | None


class Job(BaseModel):
    """A merge or a prepare: asked for, worked on, or ended."""

    id: str = Field(pattern="^[0-9a-f]{32}$")
    kind: Kind
    request: dict[str, Any]
    state: State
    stage: Stage | None
    progress: JobProgress
    queue_position: int | None = Field(description="1 is next.")
    attempt: int = Field(description="How often a worker began it.")
    tries: int = Field(description="How often it failed for what may pass.")
    owner: Owner | None
    lease_until: str | None
    created: str
    started: str | None
    updated: str
    finished: str | None
    not_before: str | None = Field(description="When it is tried again.")
    cancel_requested: bool
    retry_of: str | None
    error: JobError | None
    result: dict[str, Any] | None


class JobPage(BaseModel):
    """Some jobs, newest first."""

    jobs: list[Job]
    next_cursor: str | None

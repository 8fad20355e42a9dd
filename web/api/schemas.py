"""What requests may say, and how jobs are shown; the OpenAPI document is made from it.

Requests are strict: a field that is not here is refused, and "true" is not true. No request names
a path or a catalogue of the server's disk. web/api/corpus_schemas.py has the other answers.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Kind = Literal["merge", "prepare"]
State = Literal["queued", "waiting", "running", "cancelling", "succeeded", "failed", "cancelled"]
Stage = Literal["fetch", "read", "deduplicate", "write", "check", "publish"]

Name = Annotated[str, Field(min_length=1, max_length=200)]
Names = Annotated[tuple[Name, ...], Field(max_length=1000)]
Text = Annotated[str, Field(min_length=1, max_length=10_000)]

# Requests


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class MergeBody(_Body):
    """Which sources to merge; {} merges all of the catalogue, unless there is a corpus."""

    force: bool = Field(default=False, description="Replace the corpus if there is one.")
    sources: Names | None = Field(
        None, min_length=1, description="Names to merge; null: all of the catalogue."
    )
    exclude: Names = Field((), description="Names to leave out.")
    allow_missing: bool = Field(
        default=False, description="Publish without the sources that fail, and say so."
    )
    commercial_only: bool = Field(
        default=False, description="Leave out sources that no product may be built on."
    )
    sample: bool = Field(
        default=False, description="Use the shipped synthetic sample, not the sources."
    )
    options: dict[Name, Annotated[str, Field(max_length=1000)]] = Field(
        {}, max_length=100, description="`NAME.key` -> value."
    )
    revisions: dict[Name, Name] = Field(
        {}, max_length=100, description="Source -> commit, tag or branch to read it at."
    )
    upgrade: Names = Field((), description='Sources whose lock is moved; ["*"]: all.')


class PrepareBody(_Body):
    """Which training formats to make, of which records; {} makes all formats of all records."""

    format: Literal["openai", "huggingface", "all"] = "all"
    force: bool = Field(default=False, description="Replace formats that are there.")
    exclude: Names = Field((), description="Sources to leave out.")
    types: Names = Field((), description="Types to take; none: all.")
    caps: dict[Name, Annotated[int, Field(ge=0, le=2**53 - 1)]] = Field(
        {}, max_length=1000, description="Source -> at most so many records."
    )
    seed: int | None = Field(None, ge=0, le=2**32 - 1, description="Seed of samples and split.")
    system_prompt: Text | None = Field(None, description="System message of OpenAI examples.")
    instruction: Text | None = Field(None, description="Instruction of Hugging Face examples.")
    validation_share: float | None = Field(
        None, gt=0, lt=1, description="Share of rows in the validation split."
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
    remedy: dict[str, Any] | None = Field(description="What mends it, as values; see a problem's.")
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

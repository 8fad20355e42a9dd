"""A job as clients see it, made from the fields that Redis holds.

The models are what the API answers with, and what its OpenAPI document is made from: what a field
is described as there is said here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from mindcorpus.corpus_name import DEFAULT_CORPUS
from mindcorpus.job_requests import LOCAL, MergeBody, PrepareRequest
from mindcorpus.progress import Phase

State = Literal[
    "queued",  # waits for a worker
    "waiting",  # its parts are being made; it holds no worker
    "running",
    "cancelling",  # was asked to stop, and has not yet
    "succeeded",
    "failed",
    "cancelled",
]
STATES: tuple[State, ...] = get_args(State)
#: The last three never change.
TERMINAL: frozenset[State] = frozenset({"succeeded", "failed", "cancelled"})
Kind = Literal["merge", "prepare"]
KINDS: tuple[Kind, ...] = get_args(Kind)
#: Of records that are inner life of a job: what reads a source, and what writes as was planned.
PART_KINDS = ("part", "write")

#: The latest of the records that are written here: 2 are the parts of a job's writing, which no
#: release before knows, all others are 1. One without is of the first release; what a later one
#: wrote is left alone.
RECORD_VERSION = 2
_NEWER = "a newer release wrote this job: the processes of this one leave it alone"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class SourceProgress(_Model):
    """How far one source of a merge is."""

    name: str
    state: Literal["queued", "running", "done", "failed", "absent", "cancelled"]
    rows: int
    done: int
    total: int | None
    """None until its files are known."""
    parts: int
    parts_done: int


class JobProgress(_Model):
    """How far a job is: bytes `done` of `total`, `rate` in bytes and `eta` in seconds."""

    source: str
    """What is worked on just now, sources or an output; several are divided by commas."""
    share: float = Field(ge=0, le=1, description="Of the whole job, all its stages together.")
    rows: int
    rows_total: int | None
    done: int
    total: int | None
    note: str
    rate: float | None
    eta: float | None
    sources: tuple[SourceProgress, ...]
    parts_done: int
    parts: int


class Owner(_Model):
    """The process that works on a job."""

    host: str
    pid: int


class JobError(_Model):
    """Why a job failed."""

    code: str
    title: str
    detail: str
    hint: str
    remedy: dict[str, Any] | None = Field(
        None, description="What mends it, as values; see a problem's."
    )
    source: str | None


class Job(_Model):
    """A merge or a prepare: asked for, worked on, or ended."""

    # docs/http-api.md explains the fields.
    id: str = Field(pattern="^[0-9a-f]{32}$")
    kind: Kind
    corpus: str = Field(description="The corpus it makes, or makes formats of.")
    label: str | None = Field(description="The name that who asked for it gave it.")
    asked_by: str | None = Field(description="The token that asked for it.")
    joined_by: tuple[str, ...] = Field(description="Tokens that asked for the same meanwhile.")
    joined_labels: dict[str, str] = Field(description="Token -> the label it gave where another.")
    cancelled_by: str | None = Field(description="The token that had it stopped.")
    request: dict[str, Any]
    state: State
    stage: Phase | None
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

    @property
    def over(self) -> bool:
        """Whether the state is final."""
        return self.state in TERMINAL

    @property
    def owners(self) -> tuple[str, ...]:
        """Those who asked for it: the first, and who joined."""
        return (*filter(None, [self.asked_by]), *self.joined_by)

    def as_dict(self) -> dict[str, Any]:
        """Give the job as JSON values, its request in full."""
        model = MergeBody if self.kind == "merge" else PrepareRequest
        return {**self.model_dump(), "request": model.in_full(self.request)}


class JobPage(_Model):
    """Some jobs, newest first."""

    jobs: tuple[Job, ...]
    next_cursor: str | None
    """Leads on; None after the last."""


def read_job(
    fields: Mapping[str, str], sources: Mapping[str, str], position: int | None, now: float
) -> Job:
    """Make a job of its record; `now` is Redis' time in milliseconds."""
    when, whole = _Stamps(fields), _Numbers(fields)
    if is_newer(fields):
        fields = {**fields, "note": _NEWER}
    return Job(
        id=fields["id"],
        kind=fields["kind"],
        corpus=fields.get("corpus", DEFAULT_CORPUS),
        label=fields.get("label") or None,
        asked_by=fields.get("asked_by") or None,
        joined_by=json.loads(fields.get("joined_by", "[]")),
        joined_labels=json.loads(fields.get("joined_labels", "{}")),
        cancelled_by=fields.get("cancelled_by") or None,
        request=_shown(json.loads(fields["request"])),
        state=fields["state"],
        stage=fields.get("stage"),
        progress=_progress(fields, sources, now),
        queue_position=position,
        attempt=whole("attempt") or 0,
        tries=whole("tries") or 0,
        owner=Owner(host=fields["host"], pid=int(fields["pid"])) if "host" in fields else None,
        lease_until=when("lease_until"),
        created=when("created") or "",
        started=when("started"),
        updated=when("updated") or "",
        finished=when("finished"),
        not_before=when("not_before")
        if fields["state"] == "queued" and (whole("not_before") or 0) > now
        else None,
        cancel_requested=fields.get("cancel") == "1",
        retry_of=fields.get("retry_of") or None,
        error=json.loads(fields["error"]) if "error" in fields else None,
        result=json.loads(fields["result"]) if "result" in fields else None,
    )


def is_newer(fields: Mapping[str, str]) -> bool:
    """Whether a later release wrote a record."""
    return fields.get("v", "0").isdigit() and int(fields.get("v", "0")) > RECORD_VERSION


def _shown(request: dict[str, Any]) -> dict[str, Any]:
    """Give a request without what the service adds to it: paths of its own disks."""
    return {name: value for name, value in request.items() if name not in LOCAL}


def stamp(milliseconds: float) -> str:
    """Give a moment of Redis' clock as clients read it."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Stamps:
    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = fields

    def __call__(self, name: str) -> str | None:
        value = self._fields.get(name)
        return None if value is None else stamp(float(value))


class _Numbers:
    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = fields

    def __call__(self, name: str) -> int | None:
        value = self._fields.get(name)
        return None if value is None else int(float(value))


def _progress(fields: Mapping[str, str], sources: Mapping[str, str], now: float) -> JobProgress:
    whole = _Numbers(fields)
    done = whole("done") or 0
    each_source = _sources(sources, json.loads(fields.get("sources", "[]")))
    share = 1.0 if fields["state"] == "succeeded" else float(fields.get("share", 0))
    rate = left = None
    if fields["state"] in ("running", "waiting"):
        rate = _pace(now, whole("began"), done - (whole("base") or 0))
        speed = _pace(now, whole("was_at"), share - float(fields.get("was_share", 0)))
        left = (1 - share) / speed if speed else None
    return JobProgress(
        source=_worked_on(fields, each_source),
        share=share,
        rows=whole("rows") or 0,
        rows_total=whole("rows_total"),
        done=done,
        total=whole("total"),
        note=fields.get("note", ""),
        rate=None if rate is None else round(rate, 1),
        eta=None if left is None else round(left, 1),
        sources=tuple(each_source),
        parts_done=whole("parts_done") or 0,
        parts=whole("parts") or 0,
    )


def _pace(now: float, since: int | None, came: float) -> float | None:
    """Give how much came a second; None where that is too early to tell."""
    seconds = 0.0 if since is None else (now - since) / 1000
    return came / seconds if seconds >= 0.5 and came > 0 else None


def _worked_on(fields: Mapping[str, str], sources: Sequence[SourceProgress]) -> str:
    if fields.get("step") == "parts":
        return ", ".join(each.name for each in sources if each.state == "running")
    # One that waits here waits for those who write for it.
    busy = ("running", "cancelling", "waiting")
    return fields.get("item", "") if fields["state"] in busy else ""


def _sources(fields: Mapping[str, str], names: Sequence[str]) -> list[SourceProgress]:
    if not fields:
        return []  # the job has been over for an hour
    # In the order of the merge: Redis keeps none once a value is long, as an error is.
    by_name: dict[str, dict[str, str]] = {name: {} for name in names}
    for key, value in fields.items():
        name, _, what = key.rpartition("|")
        by_name.setdefault(name, {})[what] = value
    found = []
    for name, values in by_name.items():
        whole = _Numbers(values)
        state = values.get("state", "queued")
        total = 0 if state in ("absent", "failed") and "total" not in values else whole("total")
        found.append(
            SourceProgress(
                name=name,
                state=state,
                rows=whole("rows") or 0,
                done=whole("done") or 0,
                total=total,
                parts=whole("parts") or 0,
                parts_done=whole("parts_done") or 0,
            )
        )
    return found

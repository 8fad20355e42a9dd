"""Errors about jobs: what a caller may not do, and what ended a job that the library did not.

MindcorpusError
└── ServiceJobError
    ├── RedisUnavailableError  redis-unavailable        Redis is down, hung, or full
    ├── NotReplicatedError     not-replicated           one failure of Redis may lose the job
    ├── KeyReusedError         idempotency-key-reused   the key stands for another request
    ├── QueueFullError         queue-full               too many jobs wait
    ├── DiskFullError          disk-full                too little space to begin
    ├── JobNotFoundError       job-not-found            no such job
    │   └── JobForgottenError  job-forgotten            it is over, and nobody keeps it
    ├── JobFinishedError       job-finished             too late to change it
    ├── JobNewerError          job-newer                a later release wrote it
    ├── JobSharedError         job-shared               others asked for it too
    ├── JobLostError           worker-lost              its workers died, too often
    ├── OutOfMemoryError       out-of-memory            its process may not take more
    ├── DeadlineError          deadline                 it took too long
    ├── StalledError           no-progress              it went on, but nothing came of it
    └── UnexpectedError        error                    a bug: it failed as nobody foresaw
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from mindcorpus.errors import MindcorpusError


class ServiceJobError(MindcorpusError):
    """The root of the errors about jobs."""


class RedisUnavailableError(ServiceJobError):
    """Redis is down, does not answer in time, or takes no writes."""

    code = "redis-unavailable"


class NotReplicatedError(ServiceJobError):
    """A job was written to Redis, but to no replica: a failover would lose it."""

    code = "not-replicated"


class KeyReusedError(ServiceJobError):
    """An idempotency key was used before, with another request."""

    code = "idempotency-key-reused"


class QueueFullError(ServiceJobError):
    """So many jobs wait that no more are accepted."""

    code = "queue-full"


class DiskFullError(ServiceJobError):
    """The data folder has too little free space to begin a job."""

    code = "disk-full"


class JobNotFoundError(ServiceJobError):
    """There is no job of that id, or it is so old that nothing at all is known of it."""

    code = "job-not-found"


class JobForgottenError(JobNotFoundError):
    """The job is over, and was forgotten; `outcome` says how it ended, and what it made.

    Of `outcome` there is what is still known: id, kind, state, finished in milliseconds, and of
    each artifact the kind, first file and its sha256.
    """

    code = "job-forgotten"

    def __init__(
        self, title: str, *, outcome: Mapping[str, Any] | None = None, **where: Any
    ) -> None:
        super().__init__(title, **where)
        self.outcome = dict(outcome or {})


class JobFinishedError(ServiceJobError):
    """The job is in a state that does not allow this any more."""

    code = "job-finished"


class JobNewerError(ServiceJobError):
    """A later release of the service wrote the job: this one does not touch it."""

    code = "job-newer"


class JobSharedError(ServiceJobError):
    """Others asked for the same job, and it goes on for them."""

    code = "job-shared"


class JobLostError(ServiceJobError):
    """Process after process died under the job."""

    code = "worker-lost"


class OutOfMemoryError(ServiceJobError):
    """The job asked for more memory than it may have."""

    code = "out-of-memory"


class DeadlineError(ServiceJobError):
    """The job did not end within its deadline."""

    code = "deadline"


class StalledError(ServiceJobError):
    """The job's process lived on, but told of no progress."""

    code = "no-progress"


class UnexpectedError(ServiceJobError):
    """The job failed in a way that nobody foresaw; the log has the traceback, without values."""

    code = "error"


def describe(error: MindcorpusError) -> dict[str, Any]:
    """Give an error as a job shows it: code, title, detail, hint, remedy, source.

    Paths of the machine are left out: a client is told what failed, not where our disks are.
    """
    shown = error.file is not None and not PurePath(error.file).is_absolute()
    named = (
        ("file", error.file if shown else None),
        ("row", error.row),
        ("field", error.field),
    )
    where = ", ".join(f"{name} {value}" for name, value in named if value is not None)
    return {
        "code": error.code,
        "title": error.title,
        "detail": f"{error.title} ({where})" if where else error.title,
        "hint": error.hint,
        "remedy": error.remedy.as_dict() if error.remedy else None,
        "source": error.source,
    }


def lost_too_often(attempts: int) -> dict[str, Any]:
    """Describe the failure of a job that lost its process in each of its attempts."""
    times = "once" if attempts == 1 else f"{attempts} times"
    return describe(
        JobLostError(
            f"the process that worked on it died {times}",
            hint="If memory ran out, run fewer workers or raise MINDCORPUS_MEMORY_LIMIT_MB;"
            " the workers' logs say how it died.",
        )
    )

"""Where jobs are handed in, cancelled and tried again: first the record, then the message."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

import structlog

from workers.app import publish_all
from workers.errors import DiskFullError
from workers.jobs.job import Job
from workers.jobs.job_specs import JobSpec
from workers.jobs.job_store import JobStore, Submitted
from workers.settings import ServiceSettings

if TYPE_CHECKING:
    from celery import Celery


class JobService:
    """What changes jobs on behalf of clients."""

    def __init__(self, store: JobStore, app: Celery, settings: ServiceSettings) -> None:
        self._store = store
        self._app = app
        self._settings = settings

    def submit(
        self, order: JobSpec, key: str | None = None, body: str = "", holder: str = ""
    ) -> Submitted:
        """Hand an order in; `body` is what an idempotency key stands for, `holder` who asks.

        Raises `DiskFullError`, and what `JobStore.submit` does.
        """
        refuse_full_disk(self._settings)
        known = structlog.contextvars.get_contextvars()
        submitted = self._store.submit(
            order,
            key=key,
            body=_digest(body),
            holder=holder,
            request_id=str(known.get("request_id", "")),
        )
        publish_all(self._app, submitted.messages, self._store.task_name)
        return submitted

    def repeated(self, key: str, body: str) -> Job | None:
        """Give the job that a key stands for already; raises `KeyReusedError`."""
        return self._store.repeated(key, _digest(body))

    def retry(self, job_id: str, key: str | None = None, holder: str = "") -> Submitted:
        """Hand in again what failed or was cancelled; raises `JobFinishedError` for others.

        Raises `JobNotFoundError`, and what `submit` does.
        """
        body = f"retry {job_id}"
        # First of all: the job that a lost answer told of stays that key's, whatever is now.
        if key is not None and (known := self.repeated(key, body)) is not None:
            return Submitted(known, "repeated", ())
        return self.submit(self._store.spec_again(job_id), key, body, holder=holder)

    def cancel(self, job_id: str, holder: str = "") -> Job:
        """Ask a job to stop; raises as `JobStore.cancel`."""
        return self._store.cancel(job_id, holder)


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def free_megabytes(settings: ServiceSettings) -> int:
    """Give the free space of the data folder's disk, in MiB."""
    folder = settings.data_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free // (1 << 20)


def refuse_full_disk(settings: ServiceSettings) -> None:
    """Raise `DiskFullError` if there is less free space than a job may begin with."""
    free = free_megabytes(settings)
    if free < settings.disk_floor_mb:
        raise DiskFullError(
            f"only {free:,} MiB are free in the data folder, less than {settings.disk_floor_mb:,}",
            hint="Free some space; what waits goes on by itself then.",
        )

"""What a worker does with a message: claim the job it names, have it done, write down the end."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from mindcorpus.errors import MindcorpusError, StorageError
from mindcorpus.progress import Progress
from mindcorpus.remedies import AllowMissing, with_more
from mindcorpus.storage.store import Store
from workers.app import publish, publish_all
from workers.errors import (
    DeadlineError,
    DiskFullError,
    RedisUnavailableError,
    StalledError,
    describe,
)
from workers.execution.code_key import code_key
from workers.execution.failures import pause, revived
from workers.execution.host_verdicts import SharedVerdicts
from workers.execution.supervisor import Supervisor
from workers.jobs.job_specs import PartSpec
from workers.jobs.leases import Claim, ClaimStore, NotClaimed
from workers.jobs.messages import Message
from workers.jobs.submission import refuse_full_disk
from workers.redis_client import connect
from workers.settings import ServiceSettings

if TYPE_CHECKING:
    from celery import Celery

log = logging.getLogger(__name__)

T = TypeVar("T")


class Executor:
    """Does jobs in this process, one after the other, each in a runner of its own."""

    def __init__(
        self,
        claims: ClaimStore,
        app: Celery,
        settings: ServiceSettings,
        stopping: Callable[[], bool],
        worker: str = "",
    ) -> None:
        """Work as a slot of a worker, HOST:PID as it is heard of."""
        self._worker = worker
        self._claims = claims
        self._app = app
        self._settings = settings
        self._stopping = stopping
        self._hosts = SharedVerdicts(connect(settings), settings)

    def execute(self, job_id: str, others: Sequence[str], queue: str) -> None:
        """Do the job of a queue that has waited longest; first tell other workers of `others`.

        Redis being away leaves them all to the sweeper.
        """
        for other in others:
            publish(self._app, other, queue, name_of=self._claims.task_name)
        try:
            self._execute(job_id, queue)
        except RedisUnavailableError as error:
            log.warning("job %s: %s; the sweeper will see to it", job_id, error.title)

    def _execute(self, job_id: str, queue: str) -> None:
        claim = self._claim(job_id, queue)
        if claim is None:
            return
        names = {"job": claim.fields.get("parent") or claim.job_id, "part": claim.job_id}
        with structlog.contextvars.bound_contextvars(**names):
            log.info("a %s begins", claim.kind)
            verdict = self._do(claim)
            log.info("a %s ended: %s", claim.kind, verdict)
        if verdict != "done":
            # What the runner had no time to clear away.
            with suppress(MindcorpusError):
                Store(self._settings.data_dir).sweep(wait=False)

    def _do(self, claim: Claim) -> str:
        """Have a job done that is held, and write down how it ended; gives that."""
        work: dict[str, Any] = {}
        value: Any = None
        progress: Progress | None = None
        try:
            refuse_full_disk(self._settings)
            work = self._claims.work_of(claim)
            if claim.kind == "part":
                work["hosts"] = self._hosts.of(claim.fields["parent"])
            watch = Supervisor(claim, work, self._claims, self._settings, self._stopping)
            verdict, value = watch.run()
            progress = watch.progress
        except DiskFullError as error:
            # No try of the job: it has not begun.
            note = f"waits: {error.title}"
            self._publish(self._claims.release(claim, self._settings.retry_seconds, note))
            return "put off"
        except RedisUnavailableError:
            raise
        except OSError as error:
            # The data folder cannot be looked at, or no process be started: that may pass.
            reason = (error.strerror or type(error).__name__).lower()
            described = describe(StorageError(f"the worker cannot begin: {reason}"))
            verdict, value = "failed", {"error": described, "passing": True, "of_source": False}
        except MindcorpusError as error:
            verdict = "failed"
            value = {"error": describe(error), "passing": False, "of_source": False}
        self._surely(lambda: self._publish(self._end(claim, work, verdict, value, progress)))
        return verdict

    def _claim(self, job_id: str, queue: str) -> Claim | None:
        token, host, pid = secrets.token_hex(8), socket.gethostname(), os.getpid()
        holder = self._claims.holder(job_id)
        if holder is not None and _is_dead(holder, host):
            # The message came back because the process that held the job has died: no need to
            # wait for its lease.
            log.warning("job %s: its process %d died", job_id, holder.pid)
            self._publish(self._claims.lost(job_id, holder.fence))
        claimed = self._claims.claim(job_id, token, host, pid, queue, self._worker, code_key())
        if isinstance(claimed, NotClaimed):
            log.info("job %s: not taken, it is %s", claimed.job_id, claimed.reason)
            return None
        return claimed

    def _end(
        self,
        claim: Claim,
        work: dict[str, Any],
        verdict: str,
        value: Any,
        progress: Progress | None,
    ) -> list[Message]:
        """Write down how a job ended; gives what is to be published then."""
        claims, settings = self._claims, self._settings
        error: MindcorpusError
        match verdict:
            case "done":
                messages = self._done(claim, value, progress)
            case "failed":
                messages = self._failed(claim, work, value, progress)
            case "released":
                messages = claims.release(claim)
            case "lost":
                messages = claims.lost(claim.job_id, claim.fence)
            case "deadline":
                error = _deadline(settings.deadline_seconds)
                tolerated = _tolerated(claim, work)
                messages = claims.fail(claim, error, progress=progress, tolerated=tolerated)
            case "stalled":
                error = _stalled(settings.no_progress_seconds)
                tolerated = _tolerated(claim, work)
                messages = claims.fail(claim, error, progress=progress, tolerated=tolerated)
            case "stopped":
                claims.stopped(claim)
                messages = []
            case _:  # stale: somebody else holds the job now
                messages = []
        return messages

    def _done(
        self, claim: Claim, result: dict[str, Any], progress: Progress | None
    ) -> list[Message]:
        if "spread" in result:
            return self._claims.spread(claim, result["spread"], result["parts"]) or []
        if claim.kind != "part":
            return self._claims.succeed(claim, result, progress=progress) or []
        source = claim.fields["name"]
        parts = [
            PartSpec(source, {"source": source, "shards": shards, "of": claim.job_id})
            for shards in result.get("bundles", [])
        ]
        kept = {name: value for name, value in result.items() if name != "bundles"}
        state = "absent" if result.get("absent") else ""
        size = result.get("size")
        messages = self._claims.succeed(
            claim,
            kept,
            progress=progress,
            parts=parts,
            source_state=state,
            source_size=size,
        )
        return messages or []

    def _failed(
        self,
        claim: Claim,
        work: dict[str, Any],
        value: dict[str, Any],
        progress: Progress | None,
    ) -> list[Message]:
        error = revived(value["error"])
        after = value.get("after") or 0
        if claim.kind == "part" and value.get("host"):
            after = self._share(claim, work, error, value)
        if value["passing"]:
            seconds = pause(int(claim.fields.get("tries", 0)), self._settings.retry_seconds)
            if self._claims.postpone(claim, error, max(seconds, after)):
                return []
        tolerated = value["of_source"] and _tolerated(claim, work)
        if value["of_source"] and claim.kind == "part" and not tolerated:
            error.remedy = with_more(error.remedy, AllowMissing())
        return self._claims.fail(claim, error, progress=progress, tolerated=tolerated)

    def _share(
        self, claim: Claim, work: dict[str, Any], error: MindcorpusError, value: dict[str, Any]
    ) -> float:
        """Tell a merge's other parts of a host that failed, and the error of those it concerns.

        Gives the seconds in which nobody needs to ask it again, if it is out of reach.
        """
        source = claim.fields["name"]
        told = work["hosts"].get(value["host"], {})
        if others := [each for each in told.get("sources", []) if each != source]:
            error.title = f"{error.title}; {', '.join(others)} failed at it, too"
        seconds = self._hosts.add(claim.fields["parent"], source, value)
        return seconds if value["reason"] or told.get("down") else 0.0

    def _publish(self, messages: Sequence[Message]) -> None:
        publish_all(self._app, messages, self._claims.task_name)

    def _surely(self, write: Callable[[], T]) -> T:
        """Write down an end, trying again while Redis is away, as long as the lease may hold."""
        until = time.monotonic() + self._settings.lease_seconds
        while True:
            try:
                return write()
            except RedisUnavailableError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.5)


def _tolerated(claim: Claim, work: dict[str, Any]) -> bool:
    """Whether the merge of a part goes on without its source."""
    return claim.kind == "part" and bool(work["request"]["allow_missing"])


def _is_dead(holder: NotClaimed, host: str) -> bool:
    if holder.host != host:
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _deadline(seconds: float) -> DeadlineError:
    return DeadlineError(
        f"the job did not end within {seconds:,.0f} s",
        hint="Give it fewer sources or more workers, or raise MINDCORPUS_DEADLINE_SECONDS.",
    )


def _stalled(seconds: float) -> StalledError:
    return StalledError(
        f"nothing new came of the job for {seconds:,.0f} s",
        hint="Run it again; if it stalls at the same place, report it with that source's name.",
    )

"""What operators and their machines ask: does the process live, can it work, in numbers.

These need no token and hold no secret; keep them from the public at the proxy.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from apiflask import APIBlueprint
from flask import Response, current_app, jsonify
from prometheus_client import CONTENT_TYPE_LATEST

from mindcorpus.errors import MindcorpusError, StorageError
from mindcorpus.privacy import Readers
from mindcorpus.storage.exposure import is_exposed
from web.access.audit_log import AuditLog
from web.metrics import render
from web.problems import problem
from web.services import services
from web.settings import WebSettings
from workers.errors import RedisUnavailableError
from workers.exposure import EXPOSED, HINT
from workers.jobs.job_store import JobStore
from workers.jobs.queue_stats import WORKER_SECONDS
from workers.jobs.submission import free_megabytes

operations = APIBlueprint("operations", __name__, tag="Operations")

#: Where create_app keeps the registry of the metrics.
REGISTRY = "mindcorpus-metrics"


@dataclass(frozen=True)
class Check:
    """One thing that must be so for the service to do its work."""

    check: str
    ok: bool
    detail: str
    hint: str = ""


@operations.get("/healthz")
@operations.doc(summary="Whether the process lives")
def healthz() -> Response:
    """Answer 200 as long as the process can answer; asks nobody else."""
    return _fresh(jsonify(status="alive"))


@operations.get("/readyz")
@operations.doc(
    summary="Whether jobs can be accepted and run", responses={200: "Ready", 503: "Not ready"}
)
def readyz() -> Response:
    """Answer 200, or 503 that says what is missing.

    Redis reachable and durable, a worker heard of, due jobs taken, and space on the disk.
    """
    checks = look_around()
    found = [asdict(check) for check in checks]
    failed = [check for check in checks if not check.ok]
    if failed:
        return _fresh(
            problem(
                503,
                code="not-ready",
                title="the service is not ready",
                detail="; ".join(check.detail for check in failed),
                hint=" ".join(check.hint for check in failed),
                checks=found,
            )
        )
    return _fresh(jsonify(status="ready", checks=found))


@operations.get("/metrics")
@operations.doc(summary="Numbers for Prometheus", hide=True)
def metrics() -> Response:
    """Give jobs by state, durations, the queue's age, lost leases, and requests."""
    content = render(current_app.extensions[REGISTRY])
    return _fresh(Response(content, content_type=CONTENT_TYPE_LATEST))


def look_around() -> list[Check]:
    """Check all that the service needs; those of an app that answers the current request."""
    settings = services().settings
    checks = [_disk(settings), _private(settings), _audit(services().audit)]
    return [*_redis(services().store), *checks]


def _redis(store: JobStore) -> list[Check]:
    try:
        wrong = store.durability()
        stats = store.queue_stats()
        stalled = store.stalled()
    except RedisUnavailableError as error:
        hint = "Start redis-server, or see MINDCORPUS_REDIS_URL; jobs go on when it is back."
        return [Check("redis", ok=False, detail=error.title, hint=hint)]
    alive = sum(worker.seen <= WORKER_SECONDS for worker in stats.workers)
    return [
        Check("redis", ok=True, detail="Redis answers"),
        Check(
            "durable",
            ok=not wrong,
            detail="; ".join(wrong) or "Redis keeps what it accepts",
            hint="Run Redis with appendonly yes and maxmemory-policy noeviction." if wrong else "",
        ),
        Check(
            "worker",
            ok=alive > 0,
            detail=f"{alive} workers heard of within {WORKER_SECONDS:.0f} s",
            hint="" if alive else "Start one: celery -A workers.worker worker.",
        ),
        Check(
            "queue",
            ok=stalled is None or not alive,
            detail="due jobs are taken"
            if stalled is None
            else f"a job has been due for {stalled:.0f} s, and no worker works",
            hint=""
            if stalled is None or not alive
            else "Look at the workers' logs, and at their queues; start them anew.",
        ),
    ]


def _disk(settings: WebSettings) -> Check:
    try:
        free = free_megabytes(settings)
    except OSError as error:
        reason = (error.strerror or "input/output error").lower()
        hint = "Look at MINDCORPUS_DATA_DIR: what it is, and whose."
        return Check(
            "disk", ok=False, detail=f"the data folder cannot be read: {reason}", hint=hint
        )
    enough = free >= settings.disk_floor_mb
    return Check(
        "disk",
        ok=enough,
        detail=f"{free} MiB free, {settings.disk_floor_mb} needed",
        hint="" if enough else "Free some space under MINDCORPUS_DATA_DIR; queued jobs wait.",
    )


def _audit(log: AuditLog) -> Check:
    try:
        log.expect()
    except StorageError as error:
        hint = "Look at MINDCORPUS_STATE_DIR: what it is, and whose. Nothing is shown meanwhile."
        return Check("audit", ok=False, detail=f"the audit log: {error.title}", hint=hint)
    return Check("audit", ok=True, detail="the audit log can be written")


def _private(settings: WebSettings) -> Check:
    """Whether the machine's other accounts are kept out; where not, that is but a warning."""
    try:
        open_to_others = is_exposed(settings.data_dir, Readers.of(settings.group))
    except (OSError, MindcorpusError):
        return Check("private", ok=True, detail="the data folder cannot be looked at")
    if open_to_others:
        return Check("private", ok=True, detail=EXPOSED, hint=HINT)
    return Check("private", ok=True, detail="nobody else on this machine can read what is kept")


def _fresh(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response

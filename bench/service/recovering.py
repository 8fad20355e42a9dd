"""How soon work goes on: of a worker that was killed, and of a job whose message is lost."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bench.service.backlog import Numbers, merge_of
from bench.service.figures import Recovery, Spread, Wakes
from bench.service.small_jobs import ended, make_sample, small_job, small_request
from bench.service.stack import Stack, StackError
from workers.jobs.job_specs import prepare_spec
from workers.jobs.messages import QUEUES
from workers.jobs.scripts import PREFIX, job_key

#: Beside lease and sweep: until a part that was lost is held again.
GRACE = 2.0
_WORKERS = 2
_LOOK = 0.02
_KILLS = 5  # at most for one that has work in hand
_PATIENCE = 120.0


def measure_recovery(
    stack: Stack, sources: Sequence[str], numbers: Numbers, times: int
) -> Recovery:
    """Measure from the kill of a worker, both being busy, until another holds what it held.

    The worker goes with its pool and its runner, as if its machine had: nobody is told.
    """
    settings = stack.settings
    taken = [_recovered(stack, merge_of(sources, numbers.next())) for _ in range(times)]
    return Recovery(Spread.of(taken), settings.lease_seconds, settings.sweep_seconds)


def _recovered(stack: Stack, body: dict[str, Any]) -> float:
    api = stack.api()
    for _ in range(_KILLS):
        stack.run_workers(_WORKERS)
        stack.wait_until_idle()
        shutil.rmtree(stack.data_dir / "parts", ignore_errors=True)
        job_id = api.submit(body)["id"]
        stack.wait_until_busy()
        gone = stack.kill_worker("worker1")
        began = time.monotonic()
        # Only now: what it had ended a moment before was not lost.
        lost = _held_by(stack, job_id, gone)
        if lost:
            _wait_until_held_anew(stack, lost)
        taken = time.monotonic() - began
        api.cancel(job_id)
        if lost:
            stack.run_workers(_WORKERS)
            stack.wait_until_idle()
            return taken
    raise StackError(f"a worker had nothing in hand, {_KILLS} times")


def _held_by(stack: Stack, job_id: str, pids: set[int]) -> dict[str, str]:
    """Give the parts that processes hold, with their fences."""
    ids: Any = stack.redis.smembers(f"{PREFIX}:parts:{job_id}")
    records = {part: _record(stack, part) for part in ids}
    return {
        part: record["fence"]
        for part, record in records.items()
        if record.get("state") == "running" and int(record["pid"]) in pids
    }


def _wait_until_held_anew(stack: Stack, fences: dict[str, str]) -> None:
    until = time.monotonic() + _PATIENCE
    while any(_record(stack, part)["fence"] == fence for part, fence in fences.items()):
        if time.monotonic() > until:
            raise StackError(f"nobody took what a killed worker held, for {_PATIENCE:.0f} s")
        time.sleep(_LOOK)


def _record(stack: Stack, part: str) -> dict[str, str]:
    found: Any = stack.redis.hgetall(job_key(part))
    return dict(found)


def measure_wakes(stack: Stack, times: int) -> Wakes:
    """Measure until a worker has a job of which no message tells, by Redis' clock.

    Free ones: the record is written and no message sent. Busy ones: the job's message is deleted
    from Celery's lists while they are at others; it counts from the first that is free.
    """
    make_sample(stack)
    return Wakes(
        free=Spread.of([_taken_by_free(stack) for _ in range(times)]),
        busy=Spread.of([_taken_by_busy(stack) for _ in range(times)]),
    )


def _taken_by_free(stack: Stack) -> float:
    stack.wait_until_idle()
    job_id = stack.store.submit(prepare_spec(small_request(), stack.settings)).job.id
    job = ended(stack, job_id)
    return _moment(job["started"]) - _moment(job["created"])


def _taken_by_busy(stack: Stack) -> float:
    stack.wait_until_idle()
    api = stack.api()
    first = [api.submit(small_job(), "/prepare")["id"] for _ in range(_WORKERS)]
    stack.wait_until_busy()
    waiting = api.submit(small_job(), "/prepare")["id"]
    stack.redis.delete(*(f"{PREFIX}:{queue}" for queue in QUEUES))
    deleted = time.time()
    job = ended(stack, waiting)
    free = min(_moment(ended(stack, job_id)["finished"]) for job_id in first)
    return max(0.0, _moment(job["started"]) - max(free, deleted))


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()

"""Small jobs: each makes one format of the shipped sample, with a seed of its own."""

from __future__ import annotations

import itertools
import time
from collections import deque
from typing import Any

from bench.service.stack import Stack, StackError
from mindcorpus.job_requests import PrepareRequest

_OPEN = 8  # jobs that are not over, at most
_LOOK = 0.05
_SEEDS = itertools.count(1)
_PATIENCE = 300.0


def small_job() -> dict[str, Any]:
    """Give the body of a prepare that nobody has asked for before."""
    return {"format": "openai", "force": True, "seed": next(_SEEDS)}


def small_request() -> PrepareRequest:
    """Give the same as a request of the service's own."""
    return PrepareRequest(**small_job())


def make_sample(stack: Stack) -> None:
    """Merge the sample, of which small jobs make formats; raises `StackError`."""
    job_id = stack.api().submit({"sample": True, "force": True})["id"]
    ended(stack, job_id)


def ended(stack: Stack, job_id: str) -> dict[str, Any]:
    """Wait until a job is over, and give it; raises `StackError` unless it succeeded."""
    until = time.monotonic() + _PATIENCE
    while not (job := stack.api().job(job_id))["finished"]:
        if time.monotonic() > until:
            raise StackError(f"waited {_PATIENCE:.0f} s in vain for a small job")
        time.sleep(_LOOK)
    if job["state"] != "succeeded":
        raise StackError(f"a small job {job['state']}: {job['error']}")
    return job


def do_small_jobs(stack: Stack, number: int) -> None:
    """Have so many done, a few at a time, through the API; raises `StackError` if one fails."""
    under_way: deque[str] = deque()
    for _ in range(number):
        if len(under_way) == _OPEN:
            ended(stack, under_way.popleft())
        under_way.append(stack.api().submit(small_job(), "/prepare")["id"])
    for job_id in under_way:
        ended(stack, job_id)

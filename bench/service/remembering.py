"""The memory of a service that does many small jobs, one look each tenth of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.service.figures import MemoryLook
from bench.service.small_jobs import do_small_jobs, make_sample
from bench.service.stack import Stack

_LOOKS = 10


def measure_memory(stack: Stack, jobs: int, tell: Callable[[MemoryLook], None]) -> list[MemoryLook]:
    """Look before so many jobs, and at ten times among them; nothing runs while it looks.

    Each look is told at once. Raises `StackError` for a job that fails.
    """
    make_sample(stack)
    looks: list[MemoryLook] = []
    for at in range(_LOOKS + 1):
        done = jobs * at // _LOOKS
        do_small_jobs(stack, done - (looks[-1].jobs if looks else 0))
        stack.wait_until_idle()
        looks.append(_look(stack, done))
        tell(looks[-1])
    return looks


def _look(stack: Stack, jobs: int) -> MemoryLook:
    memory: Any = stack.redis.info("memory")
    return MemoryLook(
        jobs=jobs,
        web=stack.memory("web"),
        workers=sum(stack.memory(name) for name in stack.workers),
        redis=stack.memory("redis"),
        redis_used=int(memory["used_memory"]),
    )

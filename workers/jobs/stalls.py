"""Whether jobs that could be taken are not, though nobody works on anything."""

from __future__ import annotations

from typing import Any

from workers.jobs.messages import QUEUES
from workers.jobs.scripts import PREFIX, job_key
from workers.redis_client import Client

#: Seconds after which a job that is due and not taken by idle workers is no accident any more.
_PATIENCE = 30.0
_LOOKED_AT = 200  # jobs; those that are held come first in that order


def stalled_seconds(redis: Client) -> float | None:
    """Give for how long the first job of a queue has been due while nobody works; None if not so.

    A long queue before workers that work is none: whoever holds a job takes the next one after it.
    """
    with redis.pipeline(transaction=False) as pipe:
        pipe.time()
        pipe.zrange(f"{PREFIX}:active", 0, _LOOKED_AT - 1)
        for queue in QUEUES:
            pipe.zrange(f"{PREFIX}:queue:{queue}", 0, 0, withscores=True)
        (seconds, micros), ids, *heads = pipe.execute()
        now = seconds + micros / 1e6
        waited = max((now - first[0][1] / 1000 for first in heads if first), default=0.0)
        if waited < _PATIENCE:
            return None
        for job_id in ids:
            pipe.hget(job_key(job_id), "state")
        # What is no record is the sweep's to set aside.
        states: list[Any] = pipe.execute(raise_on_error=False)
    return None if {"running", "cancelling"} & {str(state) for state in states} else waited

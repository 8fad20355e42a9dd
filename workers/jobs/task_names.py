"""What a Celery task is called in Flower and in logs: what kind of work it wakes a worker for."""

from __future__ import annotations

import json
from typing import Any

from workers.jobs.scripts import job_key
from workers.redis_client import Client, unavailable_errors

_NAMED = 3  # sources of a merge


def task_name(redis: Client, job_id: str) -> str:
    """Give kind and source, such as `part TRACE`; "" if the record is gone.

    Raises `RedisUnavailableError`.
    """
    with unavailable_errors():
        found: Any = redis.hmget(job_key(job_id), "kind", "name", "sources", "request")
    kind, name, sources, request = found
    if kind is None:
        return ""
    if kind == "part":
        return f"part {name}"
    names = json.loads(sources or "[]")
    if kind == "prepare":
        asked = json.loads(request or "{}")
        names = asked.get("formats") or [asked.get("format", "")]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{kind} {', '.join(names[:_NAMED])}{more}".strip()

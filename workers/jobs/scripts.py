"""The Lua scripts: each one transition of a job, sent to Redis once and called by its digest."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workers.jobs.job import RECORD_VERSION
from workers.redis_client import Client, has_replicas, unavailable_errors, with_replica

if TYPE_CHECKING:
    from redis.commands.core import Script

PREFIX = "mindcorpus"
_FOLDER = Path(__file__).parent / "lua"
#: What all scripts share, in the order in which it stands before them.
_SHARED = ("prelude", "progress", "moves", "webhooks", "retention", "clocks")


@cache
def _text(name: str) -> str:
    version = f"local VERSION = {RECORD_VERSION}"
    return "\n".join(
        [version, *((_FOLDER / f"{file}.lua").read_text() for file in (*_SHARED, name))]
    )


class Scripts:
    """The scripts by their file's name, bound to one client."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis
        self._scripts: dict[str, Script] = {}

    def run(self, name: str, *values: str | float) -> Any:
        """Run a script; raises `RedisUnavailableError` if Redis does not take it."""
        script = self._scripts.get(name)
        if script is None:
            script = self._scripts[name] = self._redis.register_script(_text(name))
        with unavailable_errors():
            return script(keys=[PREFIX], args=list(values))

    def run_kept(self, name: str, *values: str | float) -> tuple[Any, bool]:
        """Run a script as `run` does; beside its answer, whether a failover would keep what it did.

        Without Sentinel there is none, and so nothing to wait for.
        """
        if not has_replicas(self._redis):
            return self.run(name, *values), True
        with unavailable_errors():
            # Whole, not by its digest: the server that answers may never have heard of it.
            return with_replica(self._redis, "EVAL", _text(name), 1, PREFIX, *values)


def job_key(job_id: str) -> str:
    """Give the key of a job's record."""
    return f"{PREFIX}:job:{job_id}"


def writes_key(job_id: str) -> str:
    """Give the key of the set of parts that write what a job planned."""
    return f"{PREFIX}:writes:{job_id}"

"""Both sides of the jobs in a real Redis, and a clock that tests can put on."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from mindcorpus.progress import Progress
from workers.jobs.job import Job
from workers.jobs.job_specs import JobSpec, PartSpec
from workers.jobs.job_store import JobStore
from workers.jobs.leases import Claim, ClaimStore, NotClaimed
from workers.jobs.messages import QUEUES
from workers.jobs.scripts import PREFIX, Scripts, job_key
from workers.redis_client import Client, connect
from workers.settings import ServiceSettings

_TIMES = ("lease_until", "not_before", "deadline_at", "emitted")


@dataclass(frozen=True)
class Stores:
    """A service's jobs, as clients and as workers have them."""

    redis: Client
    jobs: JobStore
    claims: ClaimStore
    settings: ServiceSettings

    def order(self, *sources: str, **fields: Any) -> JobSpec:
        """Give an order of a merge of sources, or of a prepare if none is named."""
        values: dict[str, Any] = {
            "kind": "merge" if sources else "prepare",
            "request": {"sample": True, "allow_missing": False},
            "content_key": secrets.token_hex(8),
            "queue": "finalise" if sources else "prepare",
            "parts": tuple(PartSpec(name, {"source": name}) for name in sources),
            **fields,
        }
        return JobSpec(**values)

    def submit(self, *sources: str, **fields: Any) -> Job:
        """Submit an order of its own."""
        return self.jobs.submit(self.order(*sources, **fields)).job

    def state(self, job_id: str) -> str | None:
        """Give the state of a job or a part."""
        state: Any = self.redis.hget(job_key(job_id), "state")
        return None if state is None else str(state)

    def number(self, job_id: str, name: str) -> int:
        """Give a number of a record; 0 if it is not there."""
        value: Any = self.redis.hget(job_key(job_id), name)
        return int(value or 0)

    def parts(self, job_id: str) -> list[str]:
        """Give the parts of a merge, as they were created."""
        members: Any = self.redis.smembers(f"{PREFIX}:parts:{job_id}")
        created = {part: self.redis.hget(job_key(part), "created") for part in members}
        return sorted(created, key=lambda part: (str(created[part]), self.name(part), part))

    def name(self, part: str) -> str:
        """Give the source of a part."""
        return str(self.redis.hget(job_key(part), "name"))

    def take(self, job_id: str, token: str = "") -> Claim:
        """Claim a job that is there to be taken."""
        claim = self.try_to_take(job_id, token)
        assert isinstance(claim, Claim), claim
        return claim

    def try_to_take(self, job_id: str, token: str = "") -> Claim | NotClaimed:
        """Claim a job as a process of this test's own."""
        return self.claims.claim(job_id, token or secrets.token_hex(8), "here", 7)

    def read(self, claim: Claim, rows: int, done: int = 0) -> str:
        """Tell that a job has read so many rows and bytes."""
        return self.claims.beat(claim, Progress("read", "file", rows, done, 1000))

    def finish_parts(self, job_id: str) -> None:
        """Have all parts of a merge end well."""
        for part in self.parts(job_id):
            assert self.claims.succeed(self.take(part), {"found": {}}) is not None

    def let_pass(self, seconds: float) -> None:
        """Let time pass, as far as jobs can tell."""
        away = int(seconds * 1000)
        for key in self.redis.scan_iter(f"{PREFIX}:job:*"):
            for name in _TIMES:
                value: Any = self.redis.hget(key, name)
                if value is not None:
                    self.redis.hset(key, name, int(value) - away)
            # To the microsecond: who came first.
            line: Any = self.redis.hget(key, "line")
            if line is not None:
                self.redis.hset(key, "line", f"{float(line) - away:.3f}")
        for index in ("active", *(f"queue:{queue}" for queue in QUEUES)):
            found: Any = self.redis.zrange(f"{PREFIX}:{index}", 0, -1, withscores=True)
            for job_id, when in found:
                self.redis.zadd(f"{PREFIX}:{index}", {job_id: when - away})
        self.redis.hincrby(f"{PREFIX}:lived", "ms", away)
        self.redis.delete(*(f"{PREFIX}:woken:{queue}" for queue in QUEUES))

    def active(self) -> dict[str, float]:
        """Give the jobs that somebody must look at, and when, in milliseconds."""
        found: Any = self.redis.zrange(f"{PREFIX}:active", 0, -1, withscores=True)
        return dict(found)

    def states(self, job_id: str) -> list[str]:
        """Give the states that a job's stream tells of."""
        events = self.jobs.events(job_id)
        return [event.data["state"] for event in events if event.data["type"] == "state"]

    def twice(self, name: str, *values: str | float) -> tuple[Any, Any]:
        """Run a script twice, as a client does whose first answer was lost."""
        scripts = Scripts(self.redis)
        return scripts.run(name, *values), scripts.run(name, *values)


def make_stores(url: str, **settings: Any) -> Stores:
    """Open the jobs of a Redis."""
    chosen = ServiceSettings.model_validate({"redis_url": url, **settings})
    redis = connect(chosen)
    return Stores(redis, JobStore(redis, chosen), ClaimStore(redis, chosen), chosen)

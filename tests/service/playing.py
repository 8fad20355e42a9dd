"""The worker's part, played by a test: it takes a job, tells progress and ends it as it likes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from mindcorpus.errors import MindcorpusError
from mindcorpus.progress import Progress
from workers.jobs.job_store import stream_key
from workers.jobs.leases import Claim, ClaimStore
from workers.redis_client import connect
from workers.settings import ServiceSettings

if TYPE_CHECKING:
    from running import Service

RESULT: dict[str, Any] = {"formats": {}, "artifacts": []}


class Player:
    """Plays the workers of a service that has none."""

    def __init__(self, service: Service) -> None:
        values = {"redis_url": service.redis_url, "data_dir": service.data_dir, "lease_seconds": 60}
        settings = ServiceSettings.model_validate(values)
        self.redis = connect(settings)
        self._claims = ClaimStore(self.redis, settings)
        self._held: dict[str, Claim] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.redis.close()

    def take(self, job_id: str) -> None:
        """Begin a job; only a prepare can be played, a merge has parts."""
        claim = self._claims.claim(job_id, f"token of {job_id}", "test-host", 4711)
        assert isinstance(claim, Claim), claim
        self._held[job_id] = claim

    def report(self, job_id: str, rows: int, note: str = "") -> str:
        """Report progress."""
        progress = Progress("write", item="openai", rows=rows, done=rows * 100, note=note)
        return self._claims.beat(self._held[job_id], progress)

    def succeed(self, job_id: str) -> None:
        """End a job well."""
        assert self._claims.succeed(self._held[job_id], RESULT) is not None

    def fail(self, job_id: str, error: MindcorpusError) -> None:
        """End a job badly."""
        self._claims.fail(self._held[job_id], error)

    def stop(self, job_id: str) -> None:
        """End a job that was asked to stop."""
        self._claims.stopped(self._held[job_id])

    def stream(self, job_id: str) -> list[str]:
        """Give the ids of the events that Redis holds of a job."""
        entries: Any = self.redis.xrange(stream_key(job_id))
        return [entry for entry, _ in entries]

"""What the parts of a merge tell each other of the hosts they ask, wherever they run.

A part that finds a host out of reach says so; for as long as the pause before the next try lasts,
the others take its word for it. Nothing else depends on what stands here: without it each part
finds out for itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from workers.jobs.scripts import PREFIX
from workers.redis_client import Client, unavailable_errors
from workers.settings import ServiceSettings

_KEPT = 3600  # seconds; then no part of the merge has failed for so long that it is another story


class SharedVerdicts:
    """Which hosts the parts of a merge found out of reach, and which sources failed at them."""

    def __init__(self, client: Client, settings: ServiceSettings) -> None:
        self._redis = client
        self._seconds = settings.retry_seconds

    def of(self, merge: str) -> dict[str, dict[str, Any]]:
        """Give the hosts at which sources failed: their `sources`, and why it is `down`, or ""."""
        with unavailable_errors():
            noted: Any = self._redis.hgetall(_key(merge))
            now = self._now() if noted else 0.0
        found: dict[str, dict[str, Any]] = {}
        for place, text in sorted(noted.items()):
            host, _, source = place.partition(" ")
            note = json.loads(text)
            known = found.setdefault(host, {"down": "", "sources": []})
            known["sources"].append(source)
            # One of a time to come was written before the clock was set back.
            if note["reason"] and 0 <= now - note["at"] < self._seconds:
                known["down"] = note["reason"]
        return found

    def add(self, merge: str, source: str, failure: Mapping[str, Any]) -> float:
        """Note that a source failed at a `host`, and the `reason` if the source found it out.

        Gives the seconds for which the others believe it.
        """
        with unavailable_errors():
            note = {"reason": failure["reason"], "at": self._now()}
            self._redis.hset(_key(merge), f"{failure['host']} {source}", json.dumps(note))
            self._redis.expire(_key(merge), _KEPT)
        return self._seconds

    def _now(self) -> float:
        # By the clock that all hosts share.
        seconds, micros = self._redis.time()
        return float(seconds) + float(micros) / 1e6


def _key(merge: str) -> str:
    return f"{PREFIX}:hosts:{merge}"

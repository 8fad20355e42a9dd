"""What a merge knows of the servers it asks: one verdict a host, shared by all its sources.

A host that never answered is given up soon, since nothing says that it is there at all; one that
did is waited for with all patience. Who gave it up spares the other sources the same wait.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from mindcorpus.errors import HubUnavailableError, MindcorpusError

#: So often, and not again after so long, a host is asked that never answered.
FIRST_TRIES = 3
FIRST_SECONDS = 20.0

_HINT = (
    "Check that this machine is online, and HF_ENDPOINT and proxies (HTTPS_PROXY), or try again"
    " later."
)


class HostVerdicts:
    """Which hosts answered, which are out of reach, and which do nothing but fail.

    `down` names hosts that another process of the same merge found out of reach a moment ago, and
    why. Several threads may use one.
    """

    def __init__(self, down: Mapping[str, str] | None = None) -> None:
        self._lock = threading.Lock()
        self._down = dict(down or {})
        self._answering: set[str] = set()
        self._failing: set[str] = set()

    def down(self, host: str) -> str:
        """Say why a host is not asked any more; "" if it is."""
        with self._lock:
            return self._down.get(host, "")

    def answered(self, host: str) -> None:
        """Note that a host answered as it should, if only with a refusal."""
        with self._lock:
            self._answering.add(host)
            self._failing.discard(host)

    def tries(self, host: str, tries: int, seconds: float, *, unreachable: bool) -> int:
        """Say how often something is asked of a host that has failed for so many seconds."""
        with self._lock:
            if host in self._failing:
                return 1
            if not unreachable or host in self._answering:
                return tries
            return min(tries, FIRST_TRIES if seconds < FIRST_SECONDS else 1)

    def give_up(self, host: str, reason: str, *, unreachable: bool) -> None:
        """Note that all tries failed: nobody asks a host again that is out of reach.

        One that does answer, but fails, may fail at one request only: others are tried once.
        """
        with self._lock:
            if unreachable:
                self._down.setdefault(host, reason)
            else:
                self._failing.add(host)


def by_host(failures: Iterable[MindcorpusError]) -> list[MindcorpusError]:
    """Give the failures of several sources with one for all that failed at the same host."""
    found: dict[object, list[MindcorpusError]] = {}
    for failure in failures:
        host = failure.host if isinstance(failure, HubUnavailableError) else ""
        found.setdefault(host or failure, []).append(failure)
    return [_together(same) if len(same) > 1 else same[0] for same in found.values()]


def _together(failures: list[MindcorpusError]) -> HubUnavailableError:
    first = failures[0]
    assert isinstance(first, HubUnavailableError)
    sources = tuple(failure.source or "?" for failure in failures)
    return HubUnavailableError(
        f"{first.title}; {', '.join(sources)} are read from there", hint=_HINT
    ).at(first.host, first.reason, sources)

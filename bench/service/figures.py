"""What is measured, as plain values that go to JSON as they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Spread:
    """Times of one kind, all in the unit in which they were given."""

    count: int
    p50: float
    p99: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Give the spread of some values, at least one."""
        ordered = sorted(values)
        return cls(len(ordered), rank(ordered, 0.5), rank(ordered, 0.99), ordered[-1])


def rank(ordered: Sequence[float], share: float) -> float:
    """Give the smallest value that so great a share of all does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True)
class Load:
    """Requests of one kind, sent at one rate; times in ms, CPU as a share of one core."""

    request: str
    workers: str
    """idle or busy."""
    asked: float | None
    """Requests a second; None: as fast as the answers come."""
    answered: float
    latency: Spread
    failures: int
    """Answers with another status than expected, and requests without an answer."""
    late_p99: float
    """How late the client sent: its own fault, and part of the latency."""
    cpu: dict[str, float]
    """By process: client, web, redis."""
    working: float | None
    """Share of all looks at which both workers had a job in hand; None if they had none to do."""

    @property
    def web_ms(self) -> float:
        """CPU that the web process spent on a request, in ms."""
        return 1000 * self.cpu["web"] / self.answered


@dataclass(frozen=True)
class FirstProgress:
    """From a POST to the first progress that a client hears, in seconds."""

    heard: Spread
    accepted: float
    """Median until the answer 202."""
    begun: float
    """Median until a worker held the first part."""


@dataclass(frozen=True)
class Delays:
    """From the append in Redis to the client, in ms."""

    events: Spread
    working: float


@dataclass(frozen=True)
class EventHub:
    """Open streams with polling beside them."""

    opened: int
    alive: int
    complete: int
    """Streams that heard every event once, in order."""
    events: int
    delays: Spread
    polling: Load
    listener_cpu: float


@dataclass(frozen=True)
class MergeTimes:
    """One merge: seconds by Redis' clock, from the record to the end."""

    total: float
    begin: float
    """Until a worker held the first part."""
    parts: float
    """From there until the last part was made."""
    last_step: float
    """The rest: comparing, writing, checking, publishing."""
    stages: dict[str, float]
    """The last step's stages, as far as they were told."""


@dataclass(frozen=True)
class Scaling:
    """The same merge by one worker, by two, and by the command line."""

    one: list[MergeTimes]
    two: list[MergeTimes]
    command_line: list[float]
    same_bytes: bool
    parts: int
    """How many parts the merge had."""


@dataclass(frozen=True)
class Recovery:
    """From the kill of a busy worker until another holds what it held, in seconds."""

    held: Spread
    lease: float
    sweep: float


@dataclass(frozen=True)
class Wakes:
    """Until a worker has a job of which no message tells, in seconds."""

    free: Spread
    """Workers that had nothing to do: from the job's record."""
    busy: Spread
    """Workers that had: from the end of what they did."""


@dataclass(frozen=True)
class Crowded:
    """Others' answers beside slow clients, in seconds."""

    alive: Spread
    """`/healthz`."""
    posted: Spread
    readers: int
    writers: int
    served: int
    """Readers who were sent the beginning of what they asked for."""
    cut_off: int
    """Writers who were answered before they had said all."""
    working: float


@dataclass(frozen=True)
class MemoryLook:
    """Bytes after so many jobs; PSS of processes that have nothing to do."""

    jobs: int
    web: int
    workers: int
    redis: int
    redis_used: int
    """As Redis itself counts it."""


@dataclass
class Results:
    """All figures of one run."""

    plan: dict[str, Any]
    machine: str
    loads: list[Load] = field(default_factory=list)
    first_progress: FirstProgress | None = None
    delays: Delays | None = None
    scaling: Scaling | None = None
    streams: EventHub | None = None
    recovery: Recovery | None = None
    wakes: Wakes | None = None
    crowded: Crowded | None = None
    memory: list[MemoryLook] = field(default_factory=list)

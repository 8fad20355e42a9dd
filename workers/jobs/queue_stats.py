"""How many jobs there are in which state, who works, and whether Redis keeps what it is told."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from workers.jobs.job import KINDS, STATES, TERMINAL
from workers.jobs.messages import QUEUES
from workers.jobs.scripts import PREFIX
from workers.redis_client import Client

#: A worker that was not heard of for longer is taken for gone.
WORKER_SECONDS = 30.0
_FULL = 0.7  # of Redis' memory; from there on somebody should look


@dataclass(frozen=True)
class WorkerSeen:
    """A worker, and how many seconds ago it was last heard of."""

    host: str
    pid: int
    seen: float


@dataclass(frozen=True)
class QueueLoad:
    """What waits in a queue and what is done of it, and who could do it."""

    waiting: int
    """What is to be tried again later included."""
    oldest: float
    """Seconds that the first has waited; 0 if none waits."""
    running: int
    capacity: int
    """Slots of the workers that take its jobs and were heard of lately."""
    busy: int
    """Of these slots, those that have work, of whichever queue."""


@dataclass(frozen=True)
class QueueStats:
    """Counts of one moment; durations by kind are how many jobs succeeded, and seconds in all."""

    states: dict[str, int]
    queues: dict[str, int]
    loads: dict[str, QueueLoad]
    oldest_queued: float | None
    """Seconds that the first job of all queues has waited."""
    workers: tuple[WorkerSeen, ...]
    lease_losses: int
    unreadable: int
    """Records that were set aside, as nobody can read them."""
    ended: dict[tuple[str, str], int]
    """How many jobs of a kind ever ended in a state."""
    durations: dict[str, tuple[int, float]]
    memory_share: float | None
    """Share of Redis' memory limit that is used; None without a limit."""


def read_queue_stats(redis: Client) -> QueueStats:
    """Count, in one round trip."""
    with redis.pipeline(transaction=False) as pipe:
        for state in STATES:
            pipe.zcard(f"{PREFIX}:jobs:{state}")
        for queue in QUEUES:
            pipe.zcard(f"{PREFIX}:queue:{queue}")
            pipe.zrange(f"{PREFIX}:queue:{queue}", 0, 0, withscores=True)
        pipe.hgetall(f"{PREFIX}:held")
        pipe.hgetall(f"{PREFIX}:slots")
        pipe.time()
        pipe.zrange(f"{PREFIX}:workers", 0, -1, withscores=True)
        pipe.get(f"{PREFIX}:lost")
        pipe.scard(f"{PREFIX}:unreadable")
        pipe.hgetall(f"{PREFIX}:durations")
        pipe.info("memory")
        answers: list[Any] = pipe.execute()
    states = dict(zip(STATES, answers, strict=False))
    counts = answers[len(STATES) : len(STATES) + 2 * len(QUEUES)]
    held, slots, (seconds, micros), workers, lost, unreadable, durations, memory = answers[-8:]
    now = seconds + micros / 1e6
    seen = tuple(_seen(name, now - float(at) / 1000) for name, at in workers)
    firsts = dict(zip(QUEUES, counts[1::2], strict=True))
    oldest = [float(first[0][1]) / 1000 for first in counts[1::2] if first]
    return QueueStats(
        states=states,
        queues=(queues := dict(zip(QUEUES, counts[::2], strict=True))),
        loads=_loads(queues, firsts, now, held.values(), _live_slots(slots, seen)),
        oldest_queued=max(0.0, now - min(oldest)) if oldest else None,
        workers=seen,
        lease_losses=int(lost or 0),
        unreadable=int(unreadable),
        ended={
            (kind, state): int(durations.get(f"{kind}|{state}|count", 0))
            for kind in KINDS
            for state in STATES
            if state in TERMINAL
        },
        durations={kind: _duration(kind, durations) for kind in KINDS},
        memory_share=_memory_share(memory),
    )


def count_writers(redis: Client, code: str) -> int:
    """Count the slots of live workers that take what some code planned to be written."""
    with redis.pipeline(transaction=False) as pipe:
        pipe.time()
        pipe.zrange(f"{PREFIX}:workers", 0, -1, withscores=True)
        pipe.hgetall(f"{PREFIX}:slots")
        (seconds, micros), workers, slots = pipe.execute()
    since = seconds * 1000 + micros / 1000 - WORKER_SECONDS * 1000
    told = [json.loads(slots[name]) for name, at in workers if at >= since and name in slots]
    return sum(
        each["count"] for each in told if each.get("code") == code and "write" in each["queues"]
    )


def _seen(name: str, seconds: float) -> WorkerSeen:
    host, _, pid = name.rpartition(":")
    return WorkerSeen(host, int(pid), max(0.0, seconds))


def _live_slots(
    slots: Mapping[str, str], workers: Iterable[WorkerSeen]
) -> dict[str, tuple[int, set[str]]]:
    """Give count and queues of each worker's slots that was heard of lately."""
    alive = {f"{each.host}:{each.pid}" for each in workers if each.seen <= WORKER_SECONDS}
    told = {name: json.loads(text) for name, text in slots.items() if name in alive}
    return {name: (each["count"], set(each["queues"])) for name, each in told.items()}


def _loads(
    waiting: Mapping[str, int],
    firsts: Mapping[str, list[tuple[str, float]]],
    now: float,
    held: Iterable[str],
    slots: Mapping[str, tuple[int, set[str]]],
) -> dict[str, QueueLoad]:
    at_work = [tuple(each.split("|", 1)) for each in held]
    of_queue = Counter(queue for queue, _ in at_work)
    of_worker = Counter(worker for _, worker in at_work)
    loads = {}
    for queue, count in waiting.items():
        taking = {name: number for name, (number, queues) in slots.items() if queue in queues}
        since = float(firsts[queue][0][1]) / 1000 if firsts[queue] else now
        loads[queue] = QueueLoad(
            waiting=count,
            oldest=max(0.0, now - since),
            running=of_queue[queue],
            capacity=sum(taking.values()),
            busy=sum(min(number, of_worker[name]) for name, number in taking.items()),
        )
    return loads


def _duration(kind: str, durations: Mapping[str, str]) -> tuple[int, float]:
    ended = f"{kind}|succeeded"
    return int(durations.get(f"{ended}|count", 0)), float(durations.get(f"{ended}|seconds", 0))


def _memory_share(memory: Mapping[str, Any]) -> float | None:
    limit = int(memory.get("maxmemory", 0))
    return int(memory["used_memory"]) / limit if limit else None


def read_durability(redis: Client) -> list[str]:
    """Tell what in Redis' settings or state could lose accepted jobs."""
    with redis.pipeline(transaction=False) as pipe:
        pipe.info("persistence")
        pipe.info("memory")
        persistence, memory = pipe.execute()
    problems = []
    if not int(persistence.get("aof_enabled", 0)):
        problems.append("Redis keeps no append-only file: set `appendonly yes`.")
    if persistence.get("aof_last_write_status", "ok") != "ok":
        problems.append("Redis could not write its append-only file: look at its disk.")
    if memory.get("maxmemory_policy", "noeviction") != "noeviction":
        problems.append("Redis evicts keys: set `maxmemory-policy noeviction`.")
    share = _memory_share(memory)
    if share is not None and share > _FULL:
        problems.append(f"Redis' memory is {share:.0%} full: raise `maxmemory`.")
    return problems

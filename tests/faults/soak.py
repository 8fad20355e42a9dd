"""All faults mixed at random, beside clients that order, cancel and try again."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil
from cluster import LEASE, Cluster
from invariants import Watcher, assert_ended_once, assert_own_result, assert_sound
from reader import look
from registered import FORMATS
from sources import LOCAL, fill

from mindcorpus.errors import MindcorpusError
from workers.app import publish
from workers.errors import JobFinishedError, RedisUnavailableError
from workers.jobs.job import Job

#: Why a prepare may fail in a soak: what it reads may be replaced under it, or not be there yet.
EXPECTED = {"artifact", "no-corpus"}
_OPEN = 6  # jobs that are not over, at most
_LOOK = 300.0  # seconds between two looks at how jobs ended


@dataclass
class Soak:
    """One run: what was ordered, and what was done to whom, for messages of tests that fail."""

    cluster: Cluster
    chance: random.Random
    jobs: list[Job] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    ended: dict[str, Job] = field(default_factory=dict)
    """Those that were found to have ended as they should."""

    # Clients

    def act(self) -> None:
        """Do what one client may do; Redis being away is told to it, and nothing is lost."""
        with contextlib.suppress(RedisUnavailableError, JobFinishedError):
            still = [job for job in self.jobs[-20:] if not self.cluster.store.get(job.id).over]
            what = self.chance.random()
            if what < 0.12 and still:
                self.cluster.job_service.cancel(self.chance.choice(still).id)
            elif what < 0.2 and self.jobs:
                again = self.cluster.job_service.retry(self.chance.choice(self.jobs).id).job
                self._ordered(again)
            elif len(still) < _OPEN:
                self._ordered(self._order())

    def _order(self) -> Job:
        chosen = self.chance.sample(LOCAL, self.chance.randint(1, 3))
        if self.chance.random() < 0.25:
            return self.cluster.prepare(format=self.chance.choice((*FORMATS, "all")))
        # Not what is being read: a merge rightly fails over a file that changes under it.
        merges = [
            job for job in self.cluster.store.list(kind="merge", limit=50).jobs if not job.over
        ]
        read = {name for job in merges for name in job.request["sources"]}
        idle = [name for name in LOCAL if name not in read]
        if idle and self.chance.random() < 0.8:
            changed = self.chance.choice(idle)
            fill(self.cluster.data_dir, changed, megabytes=self.chance.randint(1, 3))
            chosen = list(dict.fromkeys((changed, *chosen)))
        return self.cluster.merge(*chosen)

    def _ordered(self, job: Job) -> None:
        if job.id not in {known.id for known in self.jobs}:
            self.jobs.append(job)

    # What became of it

    def look(self) -> None:
        """Check how jobs ended, before what is long of them goes, an hour later."""
        for job in self.listed():
            if job.over and job.id not in self.ended:
                assert_ended_once(self.cluster, job)
                self.ended[job.id] = job

    def listed(self) -> list[Job]:
        """Give all jobs that there are, also those whose ids nobody was told: Redis hung."""
        page = self.cluster.store.list(limit=100)
        found = [*page.jobs]
        while page.next_cursor is not None:
            page = self.cluster.store.list(limit=100, cursor=page.next_cursor)
            found += page.jobs
        return found

    def tally(self, watcher: Watcher) -> dict[str, int]:
        """Count what must not be, as it is now."""
        listed = {job.id: job for job in self.listed()}
        wrong = 0
        for job in listed.values():
            if job.state == "succeeded" and job.id not in self.ended:
                try:
                    assert_own_result(job)
                except AssertionError:
                    wrong += 1
        return {
            "lost": len({job.id for job in self.jobs} - set(listed)),
            "stuck": sum(not job.over for job in listed.values()),
            "with another's result": wrong,
            "torn": len([*watcher.torn(), *look(self.cluster.data_dir)]),
        }

    # Faults

    def runner(self) -> None:
        """Kill a runner."""
        self._kill(self.cluster.runners())

    def child(self) -> None:
        """Kill a process of a pool."""
        self._kill([child for worker in self.cluster.workers for child in worker.children()])

    def worker(self) -> None:
        """Kill a whole worker, and start another."""
        self.chance.choice(self.cluster.workers).kill()
        self.restart()

    def term(self) -> None:
        """Ask a worker to end, and start another."""
        leaving = self.chance.choice(self.cluster.workers)
        leaving.signal(signal.SIGTERM)
        leaving.wait(15)
        self.restart()

    def paused(self) -> None:
        """Pause a runner and its supervisor, for longer than a lease or not."""
        with contextlib.suppress(psutil.NoSuchProcess, IndexError):
            runner = self.chance.choice(self.cluster.runners())
            child = runner.parent()
            both = [runner, *([child] if child is not None else [])]
            for process in both[::-1]:
                process.suspend()
            time.sleep(self.chance.uniform(0.2, 1.5 * LEASE))
            for process in both:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()

    def redis(self) -> None:
        """Kill Redis, and start it again."""
        self.cluster.redis.kill()
        time.sleep(self.chance.uniform(0, LEASE))
        self.cluster.redis.start()

    def hung(self) -> None:
        """Let Redis hang."""
        self.cluster.redis.pause()
        time.sleep(self.chance.uniform(0.5, 1.5 * LEASE))
        self.cluster.redis.resume()

    def reset(self) -> None:
        """Reset all connections."""
        with self.cluster.client() as client:
            client.client_kill_filter(_type="normal", skipme=True)

    def forgotten(self) -> None:
        """Lose the messages of a queue."""
        with self.cluster.client() as client:
            client.delete(f"mindcorpus:{self.chance.choice(('part', 'finalise', 'prepare'))}")

    def doubled(self) -> None:
        """Send messages of jobs and parts once more, also of some that are over."""
        for job in self.jobs[-3:]:
            for part in self.cluster.parts(job):
                publish(self.cluster.app, part, "part")
            publish(self.cluster.app, job.id, "finalise")

    def restart(self) -> None:
        """Bring back workers that were killed."""
        alive = [worker for worker in self.cluster.workers if worker.alive]
        missing = len(self.cluster.workers) - len(alive)
        self.cluster.workers[:] = alive
        for _ in range(missing):
            self.cluster.start_worker(wait=False)

    def _kill(self, processes: Sequence[psutil.Process]) -> None:
        if processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                self.chance.choice(processes).kill()


FAULTS = (
    *("runner", "child", "worker", "term", "paused"),
    *("redis", "hung", "reset", "forgotten", "doubled"),
)


def soak(
    cluster: Cluster,
    watcher: Watcher,
    seconds: float,
    seed: int,
    *,
    faults: Sequence[str] = FAULTS,
    patience: float = 60,
    jobs: int = 0,
) -> dict[str, Any]:
    """Mix faults for some seconds, and until so many jobs were ordered, then let all jobs end.

    Gives how many jobs ended how, the faults, and the counts of what must not be, which are 0.
    Raises `AssertionError`, with these counts as they are.
    """
    run = Soak(cluster, random.Random(seed))
    fill(cluster.data_dir, *LOCAL, megabytes=2)
    try:
        _mix(run, seconds, jobs, faults)
        run.restart()
        listed = run.listed()
        assert {job.id for job in run.jobs} <= {job.id for job in listed}, "jobs were lost"
        unseen = [job for job in listed if job.id not in run.ended]
        run.ended |= assert_sound(cluster, watcher, unseen, patience)
        failed = {(job.kind, job.error.code) for job in run.ended.values() if job.error}
        assert failed <= {("prepare", code) for code in EXPECTED}, f"failed: {failed}"
    except AssertionError as error:
        raise AssertionError(f"{run.tally(watcher)}: {error}") from None
    states = [job.state for job in run.ended.values()]
    return {
        "seed": seed,
        "jobs": {state: states.count(state) for state in sorted(set(states))},
        **run.tally(watcher),
        "faults": {name: run.done.count(name) for name in sorted(set(run.done))},
        "looks": watcher.looks,
    }


def _mix(run: Soak, seconds: float, jobs: int, faults: Sequence[str]) -> None:
    end = time.monotonic() + seconds
    fault_at = time.monotonic() + 1
    look_at = time.monotonic() + _LOOK
    while time.monotonic() < end or len(run.jobs) < jobs:
        run.act()
        if time.monotonic() >= fault_at:
            name = run.chance.choice(faults)
            fault: Callable[[], None] = getattr(run, name)
            with contextlib.suppress(MindcorpusError):
                fault()
            run.done.append(name)
            fault_at = time.monotonic() + run.chance.uniform(0.3, 2)
        if time.monotonic() >= look_at:
            with contextlib.suppress(RedisUnavailableError):
                run.look()
                look_at = time.monotonic() + _LOOK
        time.sleep(run.chance.uniform(0.05, 0.4))

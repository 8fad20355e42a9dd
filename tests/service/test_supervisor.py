"""A supervisor with real runners: whatever happens to one, it is told, and nothing is left."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from clock import Clock
from own_sources import own_source
from stores import make_stores

from mindcorpus.job_requests import MergeRequest
from mindcorpus.progress import Progress
from mindcorpus.storage.store import Store
from workers.errors import StalledError
from workers.execution import supervisor as module
from workers.execution.supervisor import Supervisor
from workers.jobs.job_specs import merge_spec
from workers.jobs.leases import Claim
from workers.jobs.scripts import job_key

if TYPE_CHECKING:
    from redis_server import RedisServer
    from stores import Stores

ROOT = Path(__file__).parents[2]
#: Rows that take a second or more to read.
MANY = 60_000


class Watched:
    """A merge of one source, whose parts and last step are run under supervision."""

    def __init__(self, url: str, folder: Path, rows: int, **settings: Any) -> None:
        catalog = own_source(folder / "raw", "own", rows)
        chosen = {"data_dir": folder / "data", "catalogs": (catalog,), **settings}
        self.stores: Stores = make_stores(url, **chosen)
        order = merge_spec(MergeRequest(sources=("own",)), self.stores.settings)
        self.job = self.stores.jobs.submit(order).job
        self.claim: Claim
        self.watch: Supervisor

    def run(
        self, meanwhile: Callable[[], object] = lambda: False, job_id: str = ""
    ) -> tuple[str, Any]:
        """Run the part, or a job; `meanwhile` is called all the while, and True stops the worker.

        It is called in this thread: the system ends a runner with the thread that started it.
        """
        stores = self.stores
        self.claim = stores.take(job_id or stores.parts(self.job.id)[0])
        work = stores.claims.work_of(self.claim)
        self.watch = Supervisor(
            self.claim, work, stores.claims, stores.settings, lambda: meanwhile() is True
        )
        outcome = self.watch.run()
        assert runners() == []
        return outcome

    def succeed(self, value: Any, **more: Any) -> object:
        """End the job as a worker does; gives what is to be published."""
        progress = self.watch.progress
        return self.stores.claims.succeed(self.claim, value, progress=progress, **more)

    def once_reading(self, act: Callable[[], object]) -> Callable[[], object]:
        """Give what does something once, when the runner reads."""
        done: list[object] = []

        def meanwhile() -> object:
            if not done and self.stores.jobs.get(self.job.id).stage == "read":
                done.append(act())
                return done[0]
            return False

        return meanwhile


def runners() -> list[psutil.Process]:
    """Give the runners of this process, and what they have started."""
    children = psutil.Process().children()
    ours = [child for child in children if "workers.execution.runner" in child.cmdline()]
    return ours + [below for child in ours for below in child.children(recursive=True)]


def runner() -> psutil.Process:
    """Give the runner of this process."""
    return runners()[0]


@pytest.fixture
def watched(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Watched]:
    """Give a merge to watch; the runner has its settings from variables, as in a worker."""
    monkeypatch.chdir(ROOT)

    def make(rows: int = MANY, **settings: Any) -> Watched:
        monkeypatch.setenv("MINDCORPUS_DATA_DIR", str(tmp_path / "data"))
        monkeypatch.setenv("MINDCORPUS_WORKERS", "1")
        return Watched(redis_url, tmp_path, rows, **settings)

    return make


Make = Callable[..., Watched]


def test_a_runner_s_words_are_handed_on(watched: Make) -> None:
    made = watched(rows=100)
    verdict, found = made.run()
    assert verdict == "done"
    assert found["found"]["source"] == "own"
    stores = made.stores
    assert made.succeed(found, source_size=found["size"])
    progress = stores.jobs.get(made.job.id).progress
    assert progress.rows == 100
    assert progress.done == found["size"]
    verdict, result = made.run(job_id=made.job.id)
    assert (verdict, result["records"]) == ("done", 100)
    assert stores.redis.hget(f"mindcorpus:job:{made.job.id}", "committed") == "1"
    assert Store(stores.settings.data_dir).corpus_exists()
    assert made.succeed(result) == []


def test_a_failure_is_handed_on(watched: Make, tmp_path: Path) -> None:
    made = watched(rows=1)
    (tmp_path / "raw/own.jsonl").unlink()
    verdict, value = made.run()
    assert (verdict, value["error"]["code"]) == ("failed", "source-not-found")


def test_progress_is_told_all_the_while(watched: Make) -> None:
    made = watched()
    verdict, found = made.run()
    assert verdict == "done"
    assert made.succeed(found)
    events = [event.data for event in made.stores.jobs.events(made.job.id)]
    reports = [event for event in events if event["type"] == "progress"]
    pauses = [
        after["at"] - before["at"]
        for before, after in pairwise(reports)
        if before["stage"] == after["stage"]
    ]
    # By the clock that also decides: Redis'.
    assert min(pauses, default=250) >= 250
    assert made.stores.jobs.get(made.job.id).progress.rows == MANY


def test_progress_is_passed_on_four_times_a_second(
    watched: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    made = watched(rows=1)
    stores = made.stores
    part = stores.parts(made.job.id)[0]
    watch = Supervisor(stores.take(part), {}, stores.claims, stores.settings, lambda: False)
    told = []
    # A look every 1/16 s; each time the runner has read one more row.
    for rows in range(1, 21):
        watch._progress = Progress("read", "own", rows, rows * 10)
        watch._look(clock.now)
        told.append(int(str(stores.redis.hget(job_key(part), "rows"))))
        clock.now += 1 / 16
    assert told == [first for first in range(1, 21, 4) for _ in range(4)]


def test_a_cancelled_job_s_runner_is_stopped(watched: Make) -> None:
    made = watched()
    assert made.run(made.once_reading(lambda: made.stores.jobs.cancel(made.job.id))) == (
        "stopped",
        None,
    )
    made.stores.claims.stopped(made.claim)
    assert made.stores.active() == {}


def test_a_job_cancelled_before_it_publishes_does_not(watched: Make) -> None:
    made = watched(rows=10)
    stores = made.stores
    _, found = made.run()
    stores.claims.succeed(made.claim, found)
    # The flag is there before the runner asks; no beat has told of it yet.
    verdict = made.run(lambda: stores.jobs.cancel(made.job.id) and False, job_id=made.job.id)
    assert verdict == ("stopped", None)
    assert not Store(stores.settings.data_dir).corpus_exists()


def test_a_worker_that_stops_hands_its_job_over(watched: Make) -> None:
    made = watched()
    assert made.run(made.once_reading(lambda: True)) == ("released", None)
    assert made.stores.claims.release(made.claim) == [(made.claim.job_id, "part")]
    assert made.run()[0] == "done"


def test_a_runner_that_others_stop_is_handed_over_too(watched: Make) -> None:
    made = watched()
    assert made.run(made.once_reading(lambda: runner().terminate())) == ("released", None)


def test_a_runner_that_is_killed_is_lost(watched: Make, tmp_path: Path) -> None:
    made = watched()
    assert made.run(made.once_reading(lambda: runner().kill())) == ("lost", -signal.SIGKILL)
    assert made.stores.claims.lost(made.claim.job_id, made.claim.fence)
    assert made.run()[0] == "done"


def test_the_deadline_ends_it(watched: Make) -> None:
    made = watched()
    past = made.stores.settings.deadline_seconds + 1
    began = time.monotonic()
    assert made.run(made.once_reading(lambda: made.stores.let_pass(past))) == ("deadline", None)
    assert time.monotonic() - began < 5


def test_one_that_tells_nothing_new_is_ended(
    watched: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_GRACE", 0.5)
    made = watched(no_progress_seconds=1, lease_seconds=2)
    began = time.monotonic()
    # Stopped like this it hears no SIGTERM either: it must be killed.
    assert made.run(made.once_reading(lambda: runner().suspend())) == ("stalled", None)
    assert 1 < time.monotonic() - began < 6
    assert made.stores.claims.fail(made.claim, StalledError("nothing new came of it")) == []
    assert made.stores.state(made.job.id) == "failed"


def test_one_whose_job_was_given_to_another_is_killed(watched: Make) -> None:
    made = watched()
    stores = made.stores

    def take_over() -> None:
        stores.let_pass(60)
        stores.take(made.claim.job_id)

    assert made.run(made.once_reading(take_over)) == ("stale", None)
    assert stores.state(made.claim.job_id) == "running"


def test_one_that_was_paused_past_its_lease_finds_itself_out(watched: Make) -> None:
    made = watched(lease_seconds=1)
    stores = made.stores

    def sleep() -> None:
        # As if this process had been stopped: nothing is beaten meanwhile, and a sweeper came.
        runner().suspend()
        time.sleep(1.2)
        assert stores.claims.sweep()[1] == [made.claim.job_id]
        runner().resume()

    assert made.run(made.once_reading(sleep)) == ("stale", None)
    assert stores.state(made.claim.job_id) == "queued"


def test_redis_may_be_away_for_less_than_the_lease(
    watched: Make, redis_server: RedisServer
) -> None:
    made = watched()

    def kill() -> None:
        redis_server.kill()
        redis_server.start()

    assert made.run(made.once_reading(kill))[0] == "done"
    assert made.stores.claims.beat(made.claim) == "held"


def test_redis_away_for_longer_than_the_lease_ends_it(
    watched: Make, redis_server: RedisServer
) -> None:
    made = watched(lease_seconds=1)

    try:
        assert made.run(made.once_reading(redis_server.pause)) == ("stale", None)
    finally:
        redis_server.resume()


def test_the_lease_is_kept_while_it_runs(watched: Make) -> None:
    made = watched(lease_seconds=1)
    stores = made.stores
    assert made.run(lambda: stores.claims.sweep() and False)[0] == "done"
    assert stores.jobs.queue_stats().lease_losses == 0


def test_what_was_counted_is_told_though_redis_was_away_at_the_end(
    watched: Make, redis_server: RedisServer
) -> None:
    made = watched(rows=20_000, lease_seconds=60)
    try:
        # The runner ends while nobody can be told.
        verdict, found = made.run(made.once_reading(redis_server.pause))
    finally:
        redis_server.resume()
    assert verdict == "done"
    made.succeed(found)
    progress = made.stores.jobs.get(made.job.id).progress
    assert (progress.rows, progress.done) == (20_000, found["size"])


def test_what_was_counted_is_told_though_the_worker_was_stopped_at_the_end(watched: Make) -> None:
    made = watched(rows=100)
    # Not before the runner has said its last word: what comes of it counts.
    verdict, found = made.run(lambda: made.watch._said is not None)
    assert verdict == "done"
    made.succeed(found)
    progress = made.stores.jobs.get(made.job.id).progress
    assert (progress.rows, progress.done) == (100, found["size"])

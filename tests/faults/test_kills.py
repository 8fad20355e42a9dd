"""Processes that are killed, paused or asked to end while they work."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from cluster import LEASE, Cluster
from invariants import assert_sound
from sources import LOCAL, fill

if TYPE_CHECKING:
    from invariants import Sound, Watcher


@pytest.mark.quick
@pytest.mark.parametrize("stage", ["read", "deduplicate", "write"])
def test_a_runner_is_killed(stage: str, cluster: Cluster, sound: Sound) -> None:
    rows = fill(cluster.data_dir, "alpha", "beta")
    job = cluster.merge("alpha", "beta")
    cluster.reach(job, stage)
    for runner in cluster.runners():
        runner.kill()
    ended = sound([job])[job.id]
    assert ended.state == "succeeded"
    assert ended.result is not None
    assert ended.result["records"] == rows
    # What the part that was lost had counted was taken back.
    assert sum(source.rows for source in ended.progress.sources) == rows


@pytest.mark.parametrize("stage", ["read", "write"])
def test_a_child_of_celery_is_killed_and_its_runner_with_it(
    stage: str, cluster: Cluster, sound: Sound
) -> None:
    rows = fill(cluster.data_dir, "alpha")
    job = cluster.merge("alpha")
    cluster.reach(job, stage)
    runner = cluster.a_runner()
    child = runner.parent()
    assert child is not None
    child.kill()
    assert runner.wait(2) is None
    ended = sound([job])[job.id]
    assert (ended.state, ended.result and ended.result["records"]) == ("succeeded", rows)


@pytest.mark.quick
@pytest.mark.parametrize("stage", ["read", "write"])
def test_a_whole_worker_is_killed(stage: str, cluster: Cluster, sound: Sound) -> None:
    fill(cluster.data_dir, "alpha")
    job = cluster.merge("alpha")
    cluster.reach(job, stage)
    runner = cluster.a_runner()
    worker = cluster.worker_of(runner)
    worker.kill()
    assert runner.wait(2) is None
    assert sound([job])[job.id].state == "succeeded"


@pytest.mark.quick
def test_the_main_process_of_a_worker_is_killed(cluster: Cluster, sound: Sound) -> None:
    fill(cluster.data_dir, "alpha")
    job = cluster.merge("alpha")
    cluster.reach(job, "read")
    cluster.worker_of(cluster.a_runner()).signal(signal.SIGKILL)
    assert sound([job])[job.id].state == "succeeded"


def test_the_only_worker_is_killed_and_started_again(cluster: Cluster, sound: Sound) -> None:
    fill(cluster.data_dir, "alpha", "beta")
    cluster.heal(1)
    job = cluster.merge("alpha", "beta")
    cluster.reach(job, "read")
    cluster.workers[0].kill()
    time.sleep(LEASE)
    assert not cluster.store.get(job.id).over
    cluster.heal(1)
    assert sound([job])[job.id].state == "succeeded"


def test_what_kills_for_seconds_fails_no_job(
    build: Callable[..., tuple[Cluster, Watcher]],
) -> None:
    cluster, watcher = build(workers=2, retry_seconds="8")
    rows = fill(cluster.data_dir, "alpha")
    job = cluster.merge("alpha")
    killed: set[int] = set()

    cluster.until("a runner", cluster.runners, job=job)
    end = time.monotonic() + 3
    while time.monotonic() < end:
        for runner in cluster.runners():
            killed.add(runner.pid)
            runner.kill()
        time.sleep(0.02)
    assert len(killed) == 2, "the third attempt waits until what kills has passed"
    ended = assert_sound(cluster, watcher, [job])[job.id]
    assert (ended.state, ended.result and ended.result["records"]) == ("succeeded", rows)


@pytest.mark.quick
def test_a_poison_job_fails_when_its_attempts_are_used_up(cluster: Cluster, sound: Sound) -> None:
    fill(cluster.data_dir, "alpha")
    job = cluster.merge("alpha")
    killed: set[int] = set()

    def over() -> bool:
        for runner in cluster.runners():
            killed.add(runner.pid)
            runner.kill()
        return cluster.store.get(job.id).over

    cluster.until("the job to fail", over, job=job)
    ended = sound([job])[job.id]
    assert ended.state == "failed"
    assert ended.error is not None
    assert ended.error.code == "worker-lost"
    assert len(killed) == cluster.settings.max_attempts


def test_a_job_that_kills_its_whole_worker_fails_when_its_attempts_are_used_up(
    cluster: Cluster, sound: Sound
) -> None:
    fill(cluster.data_dir, "alpha")
    cluster.heal(1)
    job = cluster.merge("alpha")
    for _ in range(cluster.settings.max_attempts):
        runner = cluster.until("a runner", cluster.runners, job=job)[0]
        cluster.worker_of(runner).kill()
        cluster.heal(1)
    ended = sound([job])[job.id]
    assert (ended.state, ended.error and ended.error.code) == ("failed", "worker-lost")


@pytest.mark.parametrize("stage", ["read", "write"])
def test_an_executor_that_was_paused_wakes_up_after_its_lease(
    stage: str, cluster: Cluster, sound: Sound
) -> None:
    fill(cluster.data_dir, "alpha")
    job = cluster.merge("alpha")
    cluster.reach(job, stage)
    runner = cluster.a_runner()
    child = runner.parent()
    assert child is not None
    for process in (child, runner):
        process.suspend()
    ended = cluster.end(job)
    for process in (runner, child):
        process.resume()
    assert ended.state == "succeeded"
    assert sound([job])[job.id].result == ended.result


def test_an_executor_is_paused_while_it_publishes(cluster: Cluster, sound: Sound) -> None:
    fill(cluster.data_dir, "alpha")
    job = cluster.merge("alpha")
    cluster.reach(job, "write")
    runner = cluster.a_runner()
    child = runner.parent()
    assert child is not None
    with cluster.client() as client:
        cluster.until(
            "the job to publish",
            lambda: client.hget(f"mindcorpus:job:{job.id}", "committed") == "1",
            job=job,
            pause=0,
        )
    for process in (child, runner):
        process.suspend()
    time.sleep(LEASE * 2)
    # It may hold the lock on the artifacts: others wait for that, but nothing else stands still.
    other = cluster.prepare()
    for process in (runner, child):
        process.resume()
    ended = sound([job, other])
    assert ended[job.id].state == "succeeded"


def test_a_sweeper_does_not_wait_for_one_who_publishes(cluster: Cluster, sound: Sound) -> None:
    fill(cluster.data_dir, "alpha", "beta")
    job = cluster.merge("alpha", "beta")
    cluster.reach(job, "read")
    held = os.open(cluster.data_dir / "artifacts", os.O_RDONLY)
    try:
        # As a process does that is paused, or whose disk is slow, while it publishes.
        fcntl.flock(held, fcntl.LOCK_EX)
        cluster.workers.pop().kill()
        time.sleep(LEASE + 2)
        seen = [worker.seen < 1.5 for worker in cluster.store.queue_stats().workers]
        assert seen.count(True) == 1
    finally:
        os.close(held)
    assert sound([job])[job.id].state == "succeeded"


def test_all_workers_are_asked_to_end_under_load(cluster: Cluster, sound: Sound) -> None:
    fill(cluster.data_dir, *LOCAL)
    jobs = [cluster.merge(*LOCAL), cluster.merge("alpha"), cluster.merge("beta", "gamma")]
    cluster.reach(jobs[0], "read")
    for worker in cluster.workers:
        worker.signal(signal.SIGTERM)
    for worker in cluster.workers:
        assert worker.wait(10) < 6
    assert cluster.processes() == []
    parts = [part for job in jobs for part in cluster.parts(job).values()]
    assert {part["attempt"] for part in parts if part["state"] == "queued"} == {"0"}
    cluster.heal(2)
    ended = sound(jobs)
    assert {job.state for job in ended.values()} == {"succeeded"}
    assert {job.attempt for job in ended.values()} == {1}

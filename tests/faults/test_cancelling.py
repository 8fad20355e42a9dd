"""Cancelled at any moment: either it ends as cancelled and nothing is published, or it succeeds."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from sources import LOCAL, fill

from workers.errors import JobFinishedError
from workers.jobs.job import Job

if TYPE_CHECKING:
    from cluster import Cluster
    from invariants import Sound


def published_by(cluster: Cluster) -> str:
    """Give the job that made the corpus which is published now."""
    path = cluster.data_dir / "artifacts" / ".corpus.publisher"
    note: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return note.get("job", "")


def assert_published_or_cancelled(cluster: Cluster, job: Job) -> None:
    assert job.state in ("succeeded", "cancelled")
    assert (published_by(cluster) == job.id) == (job.state == "succeeded")


@pytest.mark.quick
def test_without_any_worker(cluster: Cluster, sound: Sound) -> None:
    fill(cluster.data_dir, "alpha")
    cluster.heal(0)
    job = cluster.merge("alpha")
    assert cluster.job_service.cancel(job.id).state == "cancelled"
    sound([job])
    cluster.heal(1)
    time.sleep(1)
    assert_published_or_cancelled(cluster, sound([job])[job.id])


@pytest.mark.quick
def test_when_queued(cluster: Cluster, sound: Sound) -> None:
    fill(cluster.data_dir, *LOCAL)
    busy, job = cluster.merge(*LOCAL), cluster.merge("alpha")
    assert cluster.job_service.cancel(job.id).state == "cancelled"
    ended = sound([busy, job])
    assert [ended[each.id].state for each in (busy, job)] == ["succeeded", "cancelled"]


@pytest.mark.quick
def test_while_its_parts_are_made(cluster: Cluster, sound: Sound) -> None:
    fill(cluster.data_dir, "alpha", "beta", megabytes=8)
    job = cluster.merge("alpha", "beta")
    cluster.reach(job, "read")
    cluster.job_service.cancel(job.id)
    cluster.until("its runners to end", lambda: not cluster.runners(), 4)
    ended = sound([job])[job.id]
    assert ended.state == "cancelled"
    assert_published_or_cancelled(cluster, ended)


@pytest.mark.parametrize("stage", ["deduplicate", "write"])
def test_while_it_runs(stage: str, cluster: Cluster, sound: Sound) -> None:
    fill(cluster.data_dir, "alpha", megabytes=8)
    job = cluster.merge("alpha")
    cluster.reach(job, stage)
    cluster.job_service.cancel(job.id)
    began = time.monotonic()
    ended = cluster.end(job)
    assert time.monotonic() - began < 5
    assert ended.state == "cancelled"
    assert_published_or_cancelled(cluster, sound([job])[job.id])


def test_around_the_moment_of_publishing(cluster: Cluster, sound: Sound) -> None:
    for wait in (0.0, 0.03, 0.06, 0.1, 0.2):
        fill(cluster.data_dir, "alpha", megabytes=1)
        job = cluster.merge("alpha")
        cluster.reach(job, "write", "check", "publish")
        time.sleep(wait)
        try:
            cluster.job_service.cancel(job.id)
            late = False
        except JobFinishedError:
            late = True
        ended = sound([job])[job.id]
        assert_published_or_cancelled(cluster, ended)
        assert ended.state == ("succeeded" if late else "cancelled")


def test_while_it_publishes(cluster: Cluster, sound: Sound) -> None:
    fill(cluster.data_dir, "alpha")
    job = cluster.merge("alpha")
    cluster.reach(job, "write")
    runner = cluster.a_runner()
    with cluster.client() as client:
        cluster.until(
            "the job to publish",
            lambda: client.hget(f"mindcorpus:job:{job.id}", "committed") == "1",
            job=job,
            pause=0,
        )
    runner.suspend()
    with pytest.raises(JobFinishedError):
        cluster.job_service.cancel(job.id)
    runner.resume()
    assert sound([job])[job.id].state == "succeeded"
    assert published_by(cluster) == job.id

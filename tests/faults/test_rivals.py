"""Several processes at one artifact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sources import LOCAL, fill

from workers.app import publish

if TYPE_CHECKING:
    from cluster import Cluster
    from invariants import Sound


def test_two_merges_replace_the_corpus_at_the_same_time(cluster: Cluster, sound: Sound) -> None:
    for _ in range(2):
        fill(cluster.data_dir, *LOCAL, megabytes=2)
        jobs = [cluster.merge("alpha", "beta"), cluster.merge("gamma", "delta")]
        ended = sound(jobs)
        assert {job.state for job in ended.values()} == {"succeeded"}


def test_one_that_began_earlier_publishes_later(cluster: Cluster, sound: Sound) -> None:
    fill(cluster.data_dir, "alpha", "beta")
    slow = cluster.merge("alpha")
    cluster.reach(slow, "deduplicate", "write")
    runner = cluster.a_runner()
    runner.suspend()
    quick = cluster.merge("beta")
    assert cluster.end(quick).state == "succeeded"
    runner.resume()
    ended = sound([slow, quick])
    assert {job.state for job in ended.values()} == {"succeeded"}


def test_a_job_is_offered_to_two_workers_at_once(cluster: Cluster, sound: Sound) -> None:
    fill(cluster.data_dir, "alpha", megabytes=2)
    job = cluster.merge("alpha")

    def queued_to_be_finished() -> bool:
        for _ in range(4):
            publish(cluster.app, job.id, "finalise")
        return cluster.store.get(job.id).over

    cluster.until("the job to end", queued_to_be_finished, job=job)
    ended = sound([job])[job.id]
    assert (ended.state, ended.attempt) == ("succeeded", 1)


def test_merges_and_prepares_at_the_same_time(cluster: Cluster, sound: Sound) -> None:
    fill(cluster.data_dir, "alpha", "beta", megabytes=2)
    first = cluster.merge("alpha")
    assert cluster.end(first).state == "succeeded"
    jobs = [cluster.prepare(), cluster.merge("beta"), cluster.prepare(caps={"alpha": 100})]
    ended = sound([first, *jobs])
    for job in ended.values():
        # What a prepare reads may be replaced under it: then it says so.
        allowed = {"succeeded"} if job.kind == "merge" else {"succeeded", "failed"}
        assert job.state in allowed
        assert job.error is None or job.error["code"] == "artifact"

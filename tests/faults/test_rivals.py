"""Several processes at one artifact."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from invariants import assert_sound
from mutants import mutated
from sources import LOCAL, fill

from mindcorpus.storage.status import OUTDATED
from mindcorpus.storage.store import Store
from mindcorpus.verify import verify
from workers.app import publish

if TYPE_CHECKING:
    from cluster import Cluster
    from invariants import Sound, Watcher

    from workers.jobs.job import Job

_PUBLISHED = 'rename(staging.root / f"replaced-{kind}-{number}")\n        return folder\n'
_SECONDS = 4


@pytest.fixture
def slowed(
    build: Callable[..., tuple[Cluster, Watcher]], tmp_path: Path
) -> tuple[Cluster, Watcher]:
    """Give two workers that rest between publishing and telling what they published."""
    slow = _PUBLISHED.replace("return", f'__import__("time").sleep({_SECONDS})\n        return', 1)
    code = mutated(tmp_path / "code", "mindcorpus/storage/store.py", _PUBLISHED, slow)
    return build(workers=2, code=code)


def result(job: Job) -> Any:
    assert job.state == "succeeded", job.error
    assert job.result is not None
    return job.result


def published_by(cluster: Cluster) -> str:
    """Give the folder that is the corpus now, or ""."""
    link = cluster.data_dir / "artifacts/corpus"
    return str(link.readlink()) if link.is_symlink() else ""


@pytest.mark.quick
def test_two_merges_replace_the_corpus_at_the_same_time(cluster: Cluster, sound: Sound) -> None:
    for _ in range(2):
        fill(cluster.data_dir, *LOCAL, megabytes=2)
        jobs = [cluster.merge("alpha", "beta"), cluster.merge("gamma", "delta")]
        ended = sound(jobs)
        assert [list(result(ended[job.id])["statistics"]["by_source"]) for job in jobs] == [
            ["alpha", "beta"],
            ["gamma", "delta"],
        ]


def test_each_of_two_merges_tells_what_it_made_though_the_other_replaced_it(
    slowed: tuple[Cluster, Watcher],
) -> None:
    cluster, watcher = slowed
    rows = {
        "alpha": fill(cluster.data_dir, "alpha", megabytes=1),
        "beta": fill(cluster.data_dir, "beta", megabytes=2),
    }
    jobs = {name: cluster.merge(name) for name in rows}
    ended = assert_sound(cluster, watcher, list(jobs.values()))
    for name, job in jobs.items():
        made = result(ended[job.id])
        assert made["records"] == rows[name]
        assert made["statistics"]["by_source"] == {name: rows[name]}
    # Two corpora were published, so two manifests are told of.
    digests = {file["sha256"] for job in ended.values() for file in result(job)["artifacts"]}
    assert len(digests) == 2 * len(result(ended[jobs["alpha"].id])["artifacts"])


def test_each_of_two_prepares_tells_what_it_made_though_the_other_replaced_it(
    slowed: tuple[Cluster, Watcher],
) -> None:
    cluster, watcher = slowed
    fill(cluster.data_dir, "alpha", megabytes=1)
    merge = cluster.merge("alpha")
    assert cluster.end(merge).state == "succeeded"
    jobs = {cap: cluster.prepare(caps={"alpha": cap}) for cap in (100, 200)}
    ended = assert_sound(cluster, watcher, list(jobs.values()))
    for cap, job in jobs.items():
        assert result(ended[job.id])["formats"]["openai"]["rows"] == cap


def test_one_that_died_after_publishing_tells_what_it_made_though_another_replaced_it(
    slowed: tuple[Cluster, Watcher],
) -> None:
    cluster, watcher = slowed
    rows = fill(cluster.data_dir, "alpha", megabytes=1)
    fill(cluster.data_dir, "beta", megabytes=2)
    # Not forced: tried again, it could not publish over the other's.
    first = cluster.merge("alpha", force=False)
    mine = cluster.until("the first corpus", lambda: published_by(cluster), job=first)
    (runner,) = cluster.runners()
    runner.suspend()
    second = cluster.merge("beta")
    cluster.until("the second corpus", lambda: published_by(cluster) != mine, job=second)
    runner.kill()
    ended = assert_sound(cluster, watcher, [first, second])
    assert result(ended[first.id])["statistics"]["by_source"] == {"alpha": rows}
    assert list(result(ended[second.id])["statistics"]["by_source"]) == ["beta"]
    assert ended[first.id].attempt == 2


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
    assert list(result(ended[slow.id])["statistics"]["by_source"]) == ["alpha"]
    assert list(result(ended[quick.id])["statistics"]["by_source"]) == ["beta"]


@pytest.mark.quick
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
    jobs = [cluster.prepare(), cluster.merge("beta"), cluster.prepare(seed=7)]
    ended = sound([first, *jobs])
    for job in ended.values():
        # What a prepare reads may be replaced under it; it stays until it has read it all.
        assert job.state == "succeeded", job.error


def test_a_prepare_reads_the_corpus_it_began_with_whoever_replaces_that(
    cluster: Cluster, sound: Sound
) -> None:
    # Each a part of its own: a prepare opens one after the other.
    rows = fill(cluster.data_dir, *LOCAL, megabytes=2)
    first = cluster.merge(*LOCAL)
    assert cluster.end(first).state == "succeeded"
    store, build = Store(cluster.data_dir), published_by(cluster)
    made_of = store.digest("corpus")
    prepare = cluster.prepare()
    cluster.reach(prepare, "write")
    runner = cluster.a_runner()
    runner.suspend()
    assert not cluster.store.get(prepare.id).over
    # More merges than builds are kept, each of which sweeps; a sweep beside them.
    merges = [cluster.merge(name) for name in ("beta", "gamma", "beta")]
    for merge in merges:
        assert cluster.end(merge).state == "succeeded"
    store.sweep()
    assert build not in {published_by(cluster), *(kept.id for kept in store.builds.kept("corpus"))}
    assert (cluster.data_dir / "artifacts" / build).exists(), "it was removed under its reader"
    runner.resume()
    ended = sound([first, prepare, *merges])
    made = result(ended[prepare.id])["formats"]["openai"]
    assert (made["rows"], made["corpus_sha256"]) == (rows, made_of)
    # What was published is what was told, of the corpus it began with; and everybody is told so.
    manifest = store.manifest("openai")
    assert (manifest["rows"], manifest["corpus_sha256"]) == (rows, made_of)
    told = {each["kind"]: each["problem"] for each in verify(cluster.data_dir)}
    assert told == {"openai": OUTDATED["corpus-changed"]}
    assert store.status()["openai"]["outdated"] is True
    # Nobody reads it any more: the next sweep removed it, or does now.
    store.sweep()
    assert not (cluster.data_dir / "artifacts" / build).exists()

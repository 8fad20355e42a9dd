"""What is planned is written by several workers; who dies, sleeps or differs changes no byte."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from cluster import ROOT
from invariants import assert_sound
from sources import LOCAL, fill
from test_exhaustion import MIB, leave

from mindcorpus.job_requests import MergeRequest, PrepareRequest
from mindcorpus.merging.merge import merge
from mindcorpus.preparing.prepare import prepare
from mindcorpus.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cluster import Cluster
    from invariants import Watcher

    from workers.jobs.job import Job

    Build = Callable[..., tuple[Cluster, Watcher]]

#: Each source a part of its own, beside one for statistics and one for lineage.
SMALL = {"write_part_mb": "1"}
PARTS = len(LOCAL) + 2
PREFIX = "mindcorpus"
BEGUN = "a write begins"


def made_alone(
    cluster: Cluster, folder: Path, workers: int = 1, *, formats: bool = False
) -> dict[str, str]:
    """Merge the same sources by the library alone, and prepare; gives the checksums."""
    shutil.copytree(cluster.data_dir / "raw", folder / "raw", dirs_exist_ok=True)
    catalog = str(cluster.data_dir / "catalog.toml")
    settings = Settings(data_dir=folder, cache_dir=folder / "cache", workers=workers)
    merge(MergeRequest(sources=LOCAL, catalogs=(catalog,), force=True), settings)
    if formats:
        prepare(PrepareRequest(), settings)
    return published(folder)


def published(data_dir: Path) -> dict[str, str]:
    """Give the checksums of all that is published."""
    found: dict[str, str] = {}
    for kind in ("corpus", "split", "openai", "huggingface"):
        home = (data_dir / "artifacts" / kind).resolve()
        found |= {
            f"{kind}/{path.relative_to(home)}": hashlib.sha256(path.read_bytes()).hexdigest()
            for path in home.rglob("*")
            if path.is_file()
        }
    assert found
    return found


def writes(cluster: Cluster, job: Job) -> dict[str, dict[str, str]]:
    """Give the records of the parts of a job's writing, by their ids."""
    with cluster.client() as client:
        ids: Any = client.smembers(f"{PREFIX}:writes:{job.id}")
        return {part: client.hgetall(f"{PREFIX}:job:{part}") for part in ids}


def a_writer(cluster: Cluster, job: Job) -> psutil.Process:
    """Wait until a runner has a file open that others write too; give it, paused."""

    def in_the_middle() -> psutil.Process | None:
        for runner in cluster.runners():
            with contextlib.suppress(psutil.Error):
                if not _open_files(runner):
                    continue
                runner.suspend()
                if _open_files(runner):
                    return runner
                runner.resume()
        return None

    found = cluster.until("somebody to write", in_the_middle, job=job, pause=0.002)
    assert found is not None
    return found


def _open_files(runner: psutil.Process) -> list[str]:
    """Give what a process has open of the merged JSON, whether or not that has a name."""
    found = []
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{runner.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found.append(os.readlink(descriptor))
    return [path for path in found if "/staging/job-" in path and ".json" in path]


def succeeded(cluster: Cluster, watcher: Watcher, job: Job, rows: int) -> None:
    """Wait for a merge's end, and see that it is whole."""
    ended = assert_sound(cluster, watcher, [job], 90)[job.id]
    assert (ended.state, ended.result and ended.result["records"]) == ("succeeded", rows)


def files_seen(cluster: Cluster) -> dict[str, tuple[int, int, int]]:
    """Give which file each published one is, when it was written, and how large it is."""
    stats = {path: path.stat() for path in (cluster.data_dir / "artifacts").glob("*-*/**/*")}
    return {
        str(path): (stat.st_ino, stat.st_mtime_ns, stat.st_size) for path, stat in stats.items()
    }


def shares(cluster: Cluster, job: Job) -> list[float]:
    """Give what events told of the whole job, while it was written."""
    events = [event.data for event in cluster.store.events(job.id)]
    return [event["share"] for event in events if event["stage"] in ("write", "publish")]


def test_as_many_as_there_are_write_the_same_bytes(build: Build, tmp_path: Path) -> None:
    cluster, watcher = build(workers=1, **SMALL)
    rows = fill(cluster.data_dir, *LOCAL)
    wanted = made_alone(cluster, tmp_path / "alone")
    assert made_alone(cluster, tmp_path / "two", 2) == wanted
    for count in (1, 2, 4):
        cluster.heal(count)
        shutil.rmtree(cluster.data_dir / "parts", ignore_errors=True)
        job = cluster.merge(*LOCAL)
        succeeded(cluster, watcher, job, rows)
        assert published(cluster.data_dir) == wanted, count
        # One alone would only lose time.
        parts = writes(cluster, job)
        assert len(parts) == (PARTS if count > 1 else 0)
        assert {part["state"] for part in parts.values()} <= {"succeeded"}
        told = shares(cluster, job)
        assert told == sorted(told)
        assert cluster.store.get(job.id).attempt == 1
    assert len({part["pid"] for part in parts.values() if "pid" in part}) <= 4
    workers = [
        worker for worker in cluster.workers if any(p in worker.log.read_text() for p in parts)
    ]
    assert len(workers) > 1, "one wrote it all"
    assert len(told) > 5


@pytest.mark.parametrize("whole", [False, True])
def test_a_writer_is_killed(whole: bool, build: Build, tmp_path: Path) -> None:
    cluster, watcher = build(workers=2, **SMALL)
    rows = fill(cluster.data_dir, *LOCAL)
    wanted = made_alone(cluster, tmp_path / "alone")
    job = cluster.merge(*LOCAL)
    writer = a_writer(cluster, job)
    if whole:
        cluster.worker_of(writer).kill()
    else:
        writer.kill()
    succeeded(cluster, watcher, job, rows)
    assert published(cluster.data_dir) == wanted
    attempts = [int(part["attempt"]) for part in writes(cluster, job).values()]
    assert sorted(attempts) == [1] * (PARTS - 1) + [2]
    told = shares(cluster, job)
    assert told == sorted(told)


def test_a_writer_that_wakes_after_its_lease_changes_nothing(build: Build, tmp_path: Path) -> None:
    cluster, watcher = build(workers=2, **SMALL)
    rows = fill(cluster.data_dir, *LOCAL)
    wanted = made_alone(cluster, tmp_path / "alone")
    job = cluster.merge(*LOCAL)
    sleeper = a_writer(cluster, job)
    child = sleeper.parent()
    assert child is not None
    child.suspend()
    assert cluster.end(job, 90).state == "succeeded"
    (old,) = _open_files(sleeper)
    assert old.endswith(" (deleted)"), "the file is not the one that it has open"

    before = files_seen(cluster)
    assert published(cluster.data_dir) == wanted
    # The runner first: for some moments nobody tells it that it is late.
    sleeper.resume()
    with contextlib.suppress(psutil.TimeoutExpired):
        sleeper.wait(3)
    child.resume()
    succeeded(cluster, watcher, job, rows)
    assert published(cluster.data_dir) == wanted
    assert files_seen(cluster) == before


def test_formats_are_written_by_several_whatever_one_does_that_wakes_late(
    build: Build, tmp_path: Path
) -> None:
    cluster, watcher = build(workers=2, **SMALL)
    # As much as gives runs for all of them.
    rows = fill(cluster.data_dir, *LOCAL, megabytes=20)
    wanted = made_alone(cluster, tmp_path / "alone", 2, formats=True)
    succeeded(cluster, watcher, cluster.merge(*LOCAL), rows)
    job = cluster.prepare(format="all")
    writer = a_writer(cluster, job)
    child = writer.parent()
    assert child is not None
    child.suspend()
    ended = cluster.end(job, 90)
    before = files_seen(cluster)
    assert [path for path in _open_files(writer) if path.endswith(" (deleted)")]
    writer.resume()
    with contextlib.suppress(psutil.TimeoutExpired):
        writer.wait(3)
    child.resume()
    made = assert_sound(cluster, watcher, [job])[job.id]
    assert (ended.state, made.attempt) == ("succeeded", 1)
    assert published(cluster.data_dir) == wanted
    assert files_seen(cluster) == before
    assert len(writes(cluster, job)) == len(LOCAL)
    told = shares(cluster, job)
    assert told == sorted(told)


def test_a_job_that_is_cancelled_while_others_write_leaves_nothing(build: Build) -> None:
    cluster, watcher = build(workers=2, **SMALL)
    rows = fill(cluster.data_dir, *LOCAL)
    job = cluster.merge(*LOCAL)
    writer = a_writer(cluster, job)
    assert cluster.store.cancel(job.id).state == "cancelled"
    writer.resume()
    assert assert_sound(cluster, watcher, [job])[job.id].state == "cancelled"
    assert not (cluster.data_dir / "artifacts/corpus").exists()
    again = cluster.job_service.retry(job.id).job
    succeeded(cluster, watcher, again, rows)


def test_a_job_whose_writers_die_each_time_fails_and_leaves_nothing(build: Build) -> None:
    cluster, watcher = build(workers=2, max_attempts="2", **SMALL)
    fill(cluster.data_dir, *LOCAL)
    job = cluster.merge(*LOCAL)
    while not cluster.store.get(job.id).over:
        for runner in cluster.runners():
            with contextlib.suppress(psutil.Error):
                if _open_files(runner):
                    runner.kill()
    ended = assert_sound(cluster, watcher, [job])[job.id]
    assert (ended.state, ended.error and ended.error.code) == ("failed", "worker-lost")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 200 MiB where the first cluster of `build` will have its data."""
    folder = tmp_path / "cluster0" / "data"
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        message = "no disk of the test's own: this user may not mount one"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_the_disk_is_full_for_those_who_write(disk: Path, build: Build, tmp_path: Path) -> None:
    cluster, watcher = build(workers=2, max_tries="30", disk_floor_mb="0", **SMALL)
    rows = fill(cluster.data_dir, *LOCAL)
    wanted = made_alone(cluster, tmp_path / "alone")
    job = cluster.merge(*LOCAL)
    a_writer(cluster, job)
    for runner in cluster.runners():
        runner.suspend()  # nobody takes space while the rest of it is taken
    leave(disk, MIB // 8)
    for runner in cluster.runners():
        runner.resume()

    def tried_in_vain() -> bool:
        return any(int(part["tries"]) > 0 for part in writes(cluster, job).values())

    cluster.until("writers to wait for space", tried_in_vain, job=job)
    assert not cluster.store.get(job.id).over
    (disk / "filler").unlink()
    succeeded(cluster, watcher, job, rows)
    assert published(cluster.data_dir) == wanted


@pytest.fixture
def other_code(tmp_path: Path) -> Path:
    """This release with a file that differs: as good, but not the same code."""
    folder = tmp_path / "other"
    folder.mkdir()
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("mindcorpus", "workers", "web"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    with (folder / "mindcorpus" / "limits.py").open("a") as file:
        file.write("# Another release.\n")
    return folder


def look_now(cluster: Cluster, job: Job) -> None:
    """Have the next sweep look at a job."""
    with cluster.client() as client:
        client.zadd(f"{PREFIX}:active", {job.id: 1})


def test_other_code_writes_nothing_of_a_plan_and_plans_anew_when_it_is_alone(
    build: Build, other_code: Path, tmp_path: Path
) -> None:
    cluster, watcher = build(workers=2, **SMALL)
    rows = fill(cluster.data_dir, *LOCAL)
    wanted = made_alone(cluster, tmp_path / "alone")
    job = cluster.merge(*LOCAL)
    a_writer(cluster, job)
    parts = set(writes(cluster, job))
    ours = list(cluster.workers)
    for _ in range(2):
        cluster.start_worker(code=other_code)
    theirs = [worker for worker in cluster.workers if worker not in ours]
    # Who planned it is asked to leave: some of it is written, and some is not.
    for process in cluster.processes():
        process.resume()
    for worker in ours:
        worker.kill()
        cluster.workers.remove(worker)
    with cluster.client() as client:
        for name in client.zrange(f"{PREFIX}:workers", 0, -1):
            if int(name.rpartition(":")[2]) not in {worker.pid for worker in theirs}:
                client.zrem(f"{PREFIX}:workers", name)
    look_now(cluster, job)
    succeeded(cluster, watcher, job, rows)
    assert published(cluster.data_dir) == wanted
    begun = [line for each in theirs for line in each.log.read_text().splitlines() if BEGUN in line]
    assert len(begun) == PARTS
    assert not [line for line in begun if any(part in line for part in parts)], "it was not theirs"
    assert set(writes(cluster, job)).isdisjoint(parts)

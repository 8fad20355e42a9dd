"""Memory and disks that run out."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cluster import Cluster
from invariants import Watcher, assert_sound
from sources import fill

from workers.errors import DiskFullError

Build = Callable[..., tuple[Cluster, Watcher]]
MIB = 1 << 20


def test_out_of_memory_ends_the_job_and_not_the_worker(build: Build) -> None:
    cluster, watcher = build(memory_limit_mb="1100")
    rows = fill(cluster.data_dir, "beta", megabytes=1)
    huge = cluster.data_dir / "huge.json"
    # One record, within what a record may be, but of very many words; one of its blanks is none of
    # ASCII, so that each word is a text of its own for a moment.
    huge.write_bytes('[{"a": "é", "q": "é\u00a0'.encode() + b" ab" * (18 * MIB) + b'"}]')
    job = cluster.merge("alpha", paths={"alpha": str(huge)})
    ended = assert_sound(cluster, watcher, [job])[job.id]
    assert ended.state == "failed"
    assert ended.error is not None
    assert ended.error.code == "out-of-memory"
    assert "MINDCORPUS_MEMORY_LIMIT_MB" in ended.error.hint
    other = cluster.merge("beta")
    done = assert_sound(cluster, watcher, [job, other])[other.id]
    assert done.result is not None
    assert done.result["records"] == rows
    assert cluster.workers[0].alive


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 60 MiB where the first cluster of `build` will have its data."""
    folder = tmp_path / "cluster0" / "data"
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        message = "no disk of the test's own: this user may not mount one"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def leave(disk: Path, free: int) -> None:
    """Fill a disk until so many bytes are free."""
    filler = disk / "filler"
    filler.unlink(missing_ok=True)
    stat = os.statvfs(disk)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, stat.f_bavail * stat.f_frsize - free)


@pytest.mark.parametrize("free", [2, 6])
def test_the_disk_is_full_and_then_has_space_again(free: int, disk: Path, build: Build) -> None:
    cluster, watcher = build(workers=2, retry_seconds="1")
    fill(cluster.data_dir, "beta", megabytes=1)
    first = cluster.merge("beta")
    assert cluster.end(first).state == "succeeded"
    rows = fill(cluster.data_dir, "alpha")
    leave(disk, free * MIB)
    job = cluster.merge("alpha")

    def tried_in_vain() -> bool:
        tries = [int(part["tries"]) for part in cluster.parts(job).values()]
        return sum(tries) + cluster.store.get(job.id).tries > 0

    cluster.until("the job to wait for space", tried_in_vain, job=job)
    assert not cluster.store.get(job.id).over
    (disk / "filler").unlink()
    ended = assert_sound(cluster, watcher, [first, job])[job.id]
    assert ended.state == "succeeded"
    assert ended.result is not None
    assert ended.result["records"] == rows


def test_the_disk_stays_full(disk: Path, build: Build) -> None:
    cluster, watcher = build(max_tries="2", retry_seconds="0.2")
    fill(cluster.data_dir, "alpha")
    leave(disk, 2 * MIB)
    job = cluster.merge("alpha")
    ended = assert_sound(cluster, watcher, [job])[job.id]
    assert (ended.state, ended.error and ended.error.code) == ("failed", "storage")


def test_below_the_floor_nothing_is_accepted_or_begun(disk: Path, build: Build) -> None:
    cluster, watcher = build(workers=0, disk_floor_mb="30")
    rows = fill(cluster.data_dir, "alpha", megabytes=2)
    job = cluster.merge("alpha")
    leave(disk, 20 * MIB)
    with pytest.raises(DiskFullError):
        cluster.merge("beta")
    cluster.heal(1)

    def says_why() -> bool:
        now = cluster.store.get(job.id)
        return not now.over and "MiB are free" in now.progress.note

    cluster.until("the job to say what it waits for", says_why, job=job)
    (disk / "filler").unlink()
    ended = assert_sound(cluster, watcher, [job])[job.id]
    assert (ended.state, ended.attempt) == ("succeeded", 1)
    assert ended.result is not None
    assert ended.result["records"] == rows
    assert {part["attempt"] for part in cluster.parts(job).values()} == {"1"}

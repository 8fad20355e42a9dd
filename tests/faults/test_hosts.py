"""Several hosts, one folder: links that are cut, hosts that crash, clocks that disagree."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cluster import LEASE, Cluster
from hosts import Host, NoHostsError, hosts
from invariants import assert_sound
from redis_server import RedisServer
from sources import LOCAL, fill

from mindcorpus.api import merge_all_datasets
from mindcorpus.storage.kinds import MANIFEST

if TYPE_CHECKING:
    from invariants import Watcher

    from workers.jobs.job import Job

SOURCES = LOCAL[:2]
HALF_A_DAY = 12 * 3600


@pytest.fixture
def three(needs_redis: None) -> Iterator[list[Host]]:
    """One host for Redis and the web server, two for workers."""
    try:
        with hosts("home", "one", "two") as made:
            yield made
    except NoHostsError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


def test_hosts_that_are_cut_off_crash_or_disagree_about_the_time(
    three: list[Host],
    build: Callable[..., tuple[Cluster, Watcher]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home, *working = three
    monkeypatch.setenv("NO_PROXY", f"{os.environ['NO_PROXY']},{home.address}")
    redis = RedisServer(tmp_path / "redis", host=home.address, within=home.within)
    cluster, watcher = build(workers=0, redis=redis, host=home.address, write_part_mb="1")
    cluster.start_web(within=home.within)
    for host in working:
        cluster.start_worker(within=host.within)
    rows = fill(cluster.data_dir, *SOURCES)
    wanted = made_by_one_host(cluster, tmp_path / "alone")

    def begin() -> Job:
        # Everything anew: parts that are kept would be work that nobody does.
        shutil.rmtree(cluster.data_dir / "parts", ignore_errors=True)
        with cluster.http() as client:
            asked = {"sources": SOURCES, "force": True}
            told = client.post("/merge", json=asked).raise_for_status().json()
        return cluster.store.get(told["id"])

    def busy(job: Job) -> Host:
        """Wait until a host is at work on a part; give it."""

        def found() -> Host | None:
            held = [part for part in cluster.parts(job).values() if part["state"] == "running"]
            names = {part["host"] for part in held}
            return next((host for host in working if host.name in names), None)

        host = cluster.until("a host to work on a part", found, job=job, pause=0.005)
        assert host is not None
        return host

    def end(job: Job) -> None:
        ended = assert_sound(cluster, watcher, [job], 60)[job.id]
        assert (ended.state, ended.result and ended.result["records"]) == ("succeeded", rows)
        assert corpus(cluster.data_dir) == wanted, "it is not what one host makes"
        with cluster.http() as client:
            assert client.get(f"/jobs/{job.id}").json()["state"] == "succeeded"

    # Both read, and both write.
    end(job := begin())
    assert parts_of_writing(cluster, job) == len(SOURCES) + 2

    # A link is cut for longer than a lease, and comes back.
    job = begin()
    lonely = busy(job)
    lonely.cut()
    time.sleep(1.5 * LEASE)
    # What it held is another's by now; when it comes back it is told so.
    cluster.until("the other host to take over", lambda: lost(cluster) > 0, job=job)
    lonely.mend()
    end(job)
    assert all(worker.alive for worker in cluster.workers), "being alone ends no worker"

    # A host crashes whole, and is started again; it knows nothing of what it did.
    job = begin()
    crashed = busy(job)
    crashed.crash()
    end(job)
    cluster.workers = [worker for worker in cluster.workers if worker.alive]
    assert len(cluster.workers) == 1

    # It comes back with a clock that is half a day ahead, and what it must take over is another's.
    early = cluster.start_worker(within=crashed.ahead(tmp_path / "clock", HALF_A_DAY))
    [right] = [host for host in working if host is not crashed]
    job = begin()
    busy(job)
    right.crash()
    end(job)
    assert f'"job": "{job.id}"' in early.log.read_text(), "it did nothing"
    assert len(cluster.store.list(limit=10).jobs) == 4


def lost(cluster: Cluster) -> int:
    """Give how many leases ran out so far."""
    return cluster.store.queue_stats().lease_losses


def parts_of_writing(cluster: Cluster, job: Job) -> int:
    """Give how many parts there were to what was written."""
    with cluster.client() as client:
        return int(client.scard(f"mindcorpus:writes:{job.id}"))


def made_by_one_host(cluster: Cluster, folder: Path) -> dict[str, str]:
    """Merge the same sources by the library alone."""
    shutil.copytree(cluster.data_dir / "raw", folder / "raw")
    catalogs = (cluster.data_dir / "catalog.toml",)
    merge_all_datasets(folder, sources=SOURCES, catalogs=catalogs)
    return corpus(folder)


def corpus(folder: Path) -> dict[str, str]:
    """Give the checksums of the corpus' files, but for the manifest, which has times."""
    home = (folder / "artifacts" / "corpus").resolve()
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in home.rglob("*")
        if path.is_file() and path.name != MANIFEST
    }

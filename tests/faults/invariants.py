"""What must hold after every fault."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
from cluster import PATIENCE, ROOT, RUNNER, Cluster
from reader import look
from registered import FORMATS

from workers.jobs.job import TERMINAL, Job

Sound = Callable[..., dict[str, Job]]
"""Checks all with the jobs given, and gives them as they ended; the fixture `sound`."""


class Watcher:
    """The reader as a process, from now until `stop`."""

    def __init__(self, data_dir: Path, log: Path) -> None:
        self._log = log
        script = Path(__file__).with_name("reader.py")
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, str(script), str(data_dir)],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=out,
            )

    def torn(self) -> list[str]:
        """Give what it found torn so far; it must still be looking."""
        assert self._process.poll() is None, "the reader died"
        lines = self._log.read_text().splitlines()
        return [line for line in lines if line != "."]

    @property
    def looks(self) -> int:
        """How often it has looked."""
        return self._log.read_text().count(".\n")

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


def assert_sound(
    cluster: Cluster, watcher: Watcher, jobs: Sequence[Job], seconds: float = PATIENCE
) -> dict[str, Job]:
    """Wait until all jobs are over; check all that must hold then. Gives the jobs as they ended.

    Raises `AssertionError` that names what does not hold and tells the history of the jobs.
    """
    ids = [job.id for job in jobs]

    def all_over() -> bool:
        return all(cluster.store.get(job_id).over for job_id in ids)

    try:
        cluster.until("no job to be left non-terminal", all_over, seconds)
        cluster.until("nothing to be active", lambda: _active(cluster) == [], 10)
        cluster.until("no staging to be left", lambda: not _staged(cluster), 10)
        cluster.until("no runner to be left", lambda: not cluster.runners(), 10)
        ended = {job_id: cluster.store.get(job_id) for job_id in ids}
        for job in ended.values():
            assert_ended_once(cluster, job)
        orphans = _orphans(cluster)
        assert not orphans, f"orphan processes: {orphans}"
        assert watcher.looks > 0
        torn = [*watcher.torn(), *look(cluster.data_dir)]
        assert not torn, f"the reader saw torn artifacts: {torn[:5]}"
    except AssertionError as error:
        open_ids = [job_id for job_id in ids if not cluster.store.get(job_id).over]
        raise AssertionError(f"{error}\n{cluster.history(*(open_ids or ids[-3:]))}") from None
    return ended


def assert_ended_once(cluster: Cluster, job: Job) -> None:
    """Check that a job that is over ended once, as its record says, and with a result of its own.

    Its events, which tell it, are kept for an hour.
    """
    events = [event.data for event in cluster.store.events(job.id)]
    states = [event["state"] for event in events if event["type"] == "state"]
    ends = [state for state in states if state in TERMINAL]
    assert ends == [job.state], f"job {job.id} ended as {ends}, its record says {job.state}"
    assert events[-1]["type"] == "state", "something came after the end"
    assert events[-1]["state"] == job.state
    if job.state == "succeeded":
        assert job.error is None
        assert_own_result(job)


def assert_own_result(job: Job) -> None:
    """Check that a job tells what it was asked for and made, not what another job did."""
    made, request = job.result, job.request
    assert made is not None
    assert made["artifacts"], "it published nothing"
    rows = {file["path"]: file["rows"] for file in made["artifacts"]}
    if job.kind == "merge":
        statistics = made["statistics"]
        left_out = {entry["source"] for entry in made["missing"]} | set(statistics["absent"])
        asked = set(request["sources"])
        assert set(statistics["by_source"]) == asked - left_out, "it tells of another's sources"
        assert made["records"] == statistics["records"] == sum(statistics["by_source"].values())
        assert rows["merged_mental_health_dataset.json"] == made["records"]
        # What was counted while it ran, and what is told at the end.
        read = {name: found["read"] for name, found in statistics["sources"].items()}
        counted = {each.name: each.rows for each in job.progress.sources if each.state == "done"}
        assert read == counted, "it counted other rows than it tells"
        return
    formats = made["formats"]
    wanted = FORMATS if request["format"] == "all" else (request["format"],)
    assert tuple(formats) == wanted, "it tells of another's formats"
    assert {file["kind"] for file in made["artifacts"]} == set(formats)
    if "openai" in formats:
        assert rows["mental_health_openai.jsonl"] == formats["openai"]["rows"]
    prepared = max(each["rows"] for each in formats.values())
    assert job.progress.rows == job.progress.rows_total == prepared, "it counted other rows"
    for name, cap in request["caps"].items():
        # With a cap on the one source there is, that many rows and no more.
        assert all(made["rows"] <= cap for made in formats.values()), f"more than {cap} of {name}"


def _active(cluster: Cluster) -> list[str]:
    with cluster.client() as client:
        found: list[str] = client.zrange("mindcorpus:active", 0, -1)
    return found


def _staged(cluster: Cluster) -> list[str]:
    staging = cluster.data_dir / "staging"
    artifacts = cluster.data_dir / "artifacts"
    found = [path.name for path in staging.iterdir()] if staging.is_dir() else []
    if artifacts.is_dir():
        links = {os.readlink(path) for path in artifacts.iterdir() if path.is_symlink()}
        folders = (path for path in artifacts.iterdir() if not path.is_symlink() and path.is_dir())
        found += [path.name for path in folders if path.name not in {*links, ".outcomes", ".pins"}]
        found += [path.name for path in artifacts.glob(".pins/*")]
    return found


def _orphans(cluster: Cluster) -> list[str]:
    """Give processes over our data folder that belong to no living worker or web server."""
    mains = {worker.pid for worker in cluster.workers if worker.alive}
    mains |= {cluster.web.pid} if cluster.web is not None and cluster.web.alive else set()
    found = []
    for process in cluster.processes():
        try:
            above = {process.pid, *(parent.pid for parent in process.parents())}
            if not above & mains or RUNNER in process.cmdline():
                found.append(" ".join(process.cmdline()))
        except psutil.NoSuchProcess:
            continue
    return found

"""Old and new together: a release beside the one before it, on one Redis and one data folder.

The old one is the code of a commit, as `git archive` gives it. It runs on the libraries that are
installed here: both pin the same ones, so what differs is our code alone.
"""

from __future__ import annotations

import base64
import io
import json
import os
import secrets
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cluster import ROOT
from reader import look
from receiver import Receiver
from sources import LOCAL, fill
from standardwebhooks import Webhook

from workers.errors import JobNewerError

if TYPE_CHECKING:
    import httpx2
    from cluster import Cluster
    from invariants import Watcher
    from process import Process

    from workers.jobs.job import Job

PREFIX = "mindcorpus"
SECRET = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
RELEASE = "de691d1"  # the last that had no version in its records
Build = Callable[..., tuple["Cluster", "Watcher"]]


@pytest.fixture(scope="session")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code of the release before."""
    # Whoever owns the checkout: a container may run as another account.
    git = ["git", "-c", "safe.directory=*", "-C", str(ROOT)]
    command = [*git, "archive", RELEASE, "mindcorpus", "workers", "web"]
    try:
        archive = subprocess.run(command, check=True, capture_output=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        message = f"there is no {RELEASE} here: fetch the whole history (git fetch --unshallow)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    return folder


class Both:
    """A service whose processes are of two releases; each test says which of them run."""

    def __init__(self, cluster: Cluster, old: Path, heard: Receiver, origin: str) -> None:
        self.cluster = cluster
        self.heard = heard
        self.origin = origin
        self.code = {"old": old, "new": ROOT}
        self.workers: dict[str, Process] = {}
        self.http = {
            age: cluster.http(cluster.add_web(code=code)[1]) for age, code in self.code.items()
        }

    def run(self, *ages: str) -> None:
        """Have workers of these releases and no others."""
        for age in set(self.workers) - set(ages):
            gone = self.workers.pop(age)
            self.cluster.workers.remove(gone)
            gone.kill()
        for age in set(ages) - set(self.workers):
            self.workers[age] = self.cluster.start_worker(wait=False, code=self.code[age])
        self.cluster.wait_for_workers()

    def end(self, asked: httpx2.Response) -> Job:
        """Wait until what was asked for is over, and see that both tell the same of it."""
        assert asked.status_code in (200, 202), asked.text
        job = self.cluster.end(self.cluster.store.get(asked.json()["id"]), 90)
        told = [http.get(f"/jobs/{job.id}").json() for http in self.http.values()]
        for name in ("id", "kind", "state", "created", "finished", "attempt", "error"):
            assert told[0][name] == told[1][name], name
        return job

    def succeed(self, asked: httpx2.Response, rows: int) -> Job:
        """Likewise; it must have made all that went in, and nothing may be torn."""
        job = self.end(asked)
        assert job.state == "succeeded", self.cluster.history(job.id)
        assert job.result is not None
        path = self.cluster.data_dir / "merged_mental_health_dataset.json"
        if job.kind == "merge":
            assert job.result["records"] == rows == len(json.loads(path.read_text()))
        else:
            path = self.cluster.data_dir / "mental_health_openai.jsonl"
            assert job.result["formats"]["openai"]["rows"] == rows
            assert len(path.read_text().splitlines()) == rows
        assert not list(look(self.cluster.data_dir))
        return job


@pytest.fixture
def both(old: Path, build: Build) -> Iterator[Both]:
    heard = Receiver()
    server = heard.start()
    origin = f"http://127.0.0.1:{server.server_address[1]}"
    # The old release spaces no lost attempts: on a machine that is busy a short lease uses them up.
    patience = {"lease_seconds": "10", "max_attempts": "20"}
    called = {"webhook_hosts": json.dumps([origin]), "webhook_secret": SECRET}
    cluster, _ = build(workers=0, write_part_mb="1", **patience, **called)
    made = Both(cluster, old, heard, origin)
    yield made
    server.shutdown()
    server.server_close()
    for http in made.http.values():
        http.close()


MERGE = {"sources": ["alpha"], "force": True}
#: With what the old release takes of the settings: the new one leaves it to the corpus' split.
PREPARE = {"format": "openai", "force": True, "seed": 42, "validation_share": 0.2}


def test_old_and_new_do_each_others_jobs(both: Both) -> None:
    """Each release asks for what the other does; then a merge's parts are made by both."""
    cluster = both.cluster
    rows = fill(cluster.data_dir, "alpha", megabytes=1)
    for asks, works in (("old", "new"), ("new", "old")):
        asking, other = both.http[asks], both.http[works]
        # Asked while nobody works: so the record lies there as it was written.
        both.run()
        for path, body in (("/merge", MERGE), ("/prepare", PREPARE)):
            key = {"Idempotency-Key": f"{path[1:]}-by-{asks}"}
            first = asking.post(path, json=body, headers=key)
            # The same work is one job, whichever release is asked, and so is the same key.
            joined = other.post(path, json=body)
            assert joined.json()["id"] == first.json()["id"], f"{works} did not join"
            both.run(works)
            both.succeed(first, rows)
            again = other.post(path, json=body, headers=key)
            assert (again.status_code, again.json()["id"]) == (200, first.json()["id"]), again.text
            refused = other.post(path, json={"force": True}, headers=key)
            assert refused.status_code == 422, refused.text

    # An old worker knows of nobody to call: a sweep of this release has the end told.
    both.run("old")
    wanted = {**MERGE, "callback_url": f"{both.origin}/hook"}
    both.succeed(both.http["new"].post("/merge", json=wanted), rows)
    assert not both.heard.calls
    both.run("new")
    cluster.until("the call", lambda: both.heard.of("/hook"))
    headers, raw = both.heard.of("/hook")[0]
    data = Webhook(SECRET).verify(raw, headers)["data"]
    assert (data["state"], data["result"]) == ("succeeded", {"records": rows})

    both.run("old", "new")
    for asks in ("old", "new"):
        rows = fill(cluster.data_dir, *LOCAL, megabytes=1)
        for _ in range(5):
            merge = both.http[asks].post("/merge", json={"sources": LOCAL, "force": True})
            parts = cluster.parts(both.succeed(merge, rows))
            idle = [
                age
                for age, worker in both.workers.items()
                if not any(part in worker.log.read_text() for part in parts)
            ]
            if not idle:  # else the other one was quicker each time
                break
        assert not idle, f"the {idle} worker made no part"
    # What one could not do the other does, once a lease ran out: nothing of that may be needed.
    for worker in both.workers.values():
        assert "raised unexpected" not in worker.log.read_text()


def test_an_old_worker_makes_what_leaves_the_split_open(both: Both) -> None:
    rows = fill(both.cluster.data_dir, "alpha", megabytes=1)
    both.run("old")
    both.succeed(both.http["new"].post("/merge", json=MERGE), rows)
    both.succeed(both.http["new"].post("/prepare", json={"format": "openai"}), rows)


def test_an_old_worker_takes_no_part_of_a_new_ones_writing(both: Both) -> None:
    """It may do all of it by itself, though, where the new ones are gone."""
    cluster = both.cluster
    rows = fill(cluster.data_dir, *LOCAL)
    both.run("new", "old")
    second = cluster.start_worker()

    def writes(job: Job) -> Any:
        with cluster.client() as client:
            return client.smembers(f"{PREFIX}:writes:{job.id}")

    merge = both.http["new"].post("/merge", json={"sources": LOCAL, "force": True})
    job = both.succeed(merge, rows)
    log = both.workers["old"].log.read_text()
    if job.id not in log:  # else it took the plan, and wrote all of it
        assert len(writes(job)) == len(LOCAL) + 2
    assert not [part for part in writes(job) if part in log]
    # Those who planned it go, and none of them comes back while the old one is there.
    fill(cluster.data_dir, *LOCAL)
    both.run("new")
    job = cluster.merge(*LOCAL)
    cluster.until("the writing to be planned", lambda: writes(job), job=job)
    both.run("old")
    second.kill()
    cluster.workers.remove(second)
    assert cluster.until("it to wait", lambda: cluster.store.get(job.id).state) == "waiting"
    both.run("new", "old")
    assert cluster.end(job, 90).state == "succeeded"
    log = both.workers["old"].log.read_text()
    assert not [part for part in writes(job) if part in log]


def test_what_a_newer_release_wrote_is_left_alone(cluster: Cluster) -> None:
    rows = fill(cluster.data_dir, "alpha", "beta", megabytes=1)
    cluster.heal(0)
    waits, held = cluster.merge("alpha"), cluster.prepare()
    known = [waits.id, held.id, *cluster.parts(waits)]
    with cluster.client() as client:
        for job_id in known:
            client.hset(f"{PREFIX}:job:{job_id}", mapping={"v": 99, "unheard-of": "x"})
        # A worker of that release holds it, and its lease is over.
        client.hset(f"{PREFIX}:job:{held.id}", mapping={"state": "running", "lease_until": 1})
        client.zadd(f"{PREFIX}:active", dict.fromkeys([held.id, *cluster.parts(waits)], 1.0))

        def records() -> list[Any]:
            return [client.hgetall(f"{PREFIX}:job:{job_id}") for job_id in known]

        before = records()
        cluster.heal(1)
        # Those of this release are done, though they came later.
        other = cluster.end(cluster.merge("beta"))
        assert (other.state, other.result and other.result["records"]) == ("succeeded", rows // 2)
        cluster.claims().sweep()
        assert records() == before
        for job_id in (waits.id, held.id):
            assert "a newer release wrote this job" in cluster.store.get(job_id).progress.note
            with pytest.raises(JobNewerError):
                cluster.store.cancel(job_id)
        assert {waits.id, held.id} <= {job.id for job in cluster.store.list().jobs}
        # In the hands of who knows them they go on as if nothing had been.
        for job_id in known:
            client.hset(f"{PREFIX}:job:{job_id}", "v", 1)
        client.hset(f"{PREFIX}:job:{held.id}", "state", "queued")
    assert cluster.end(waits).state == cluster.end(held).state == "succeeded"

"""An outcome outlives its job: kept from the end on, by days and by memory, and never lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sources import fill

from mindcorpus.job_requests import PrepareRequest
from mindcorpus.storage.store import Store
from workers.errors import JobForgottenError
from workers.jobs.job_specs import prepare_spec

if TYPE_CHECKING:
    from cluster import Cluster
    from invariants import Sound

PREFIX = "mindcorpus"
SHORT = 1010
KEY = {"Idempotency-Key": "one-merge"}


def come_and_go(cluster: Cluster, how_many: int) -> None:
    """Have so many short jobs asked for and ended, while others do their work."""
    for seed in range(how_many):
        order = prepare_spec(PrepareRequest(format="openai", seed=seed), cluster.settings)
        cluster.store.cancel(cluster.store.submit(order).job.id)


def size(client: Any, job_id: str) -> int:
    """Give the bytes of all names and values of a job's record."""
    record = client.hgetall(f"{PREFIX}:job:{job_id}")
    return sum(len(name.encode()) + len(value.encode()) for name, value in record.items())


def test_a_merge_is_remembered_though_a_thousand_jobs_came_and_went(
    cluster: Cluster, sound: Sound
) -> None:
    rows = fill(cluster.data_dir, "alpha", "beta")
    cluster.start_web()
    body = {"sources": ["alpha", "beta"], "force": True}
    with cluster.http() as http:
        asked = http.post("/merge", json=body, headers=KEY)
        assert asked.status_code == 202, asked.text
        job = cluster.store.get(asked.json()["id"])
        come_and_go(cluster, SHORT)
        sound([job], 90)
        for _ in range(5):
            cluster.claims().sweep()
        shown = http.get(f"/jobs/{job.id}")
        assert shown.status_code == 200, shown.text
        ended = shown.json()
        assert (ended["state"], ended["result"]["records"]) == ("succeeded", rows)
        # Within the hour all of it, as the manifest has it; its record is short from the end on.
        manifest = Store(cluster.data_dir).manifest("corpus")
        assert ended["result"]["statistics"] == manifest["statistics"]
        assert ended["request"]["sources"] == ["alpha", "beta"]
        again = http.post("/merge", json=body, headers=KEY)
        assert (again.status_code, again.json()["id"]) == (200, job.id)
        with cluster.client() as client:
            assert size(client, job.id) <= 2048
            kept = client.keys(f"{PREFIX}:*:{job.id}")
            lasting = [key for key in kept if client.ttl(key) < 0]
            assert set(lasting) == {f"{PREFIX}:job:{job.id}", f"{PREFIX}:lists:{job.id}"}
            assert all(0 < client.ttl(f"{PREFIX}:job:{part}") <= 600 for part in cluster.parts(job))
            client.delete(*(key for key in kept if key not in lasting))  # an hour passes
        short = http.get(f"/jobs/{job.id}").json()["result"]
        digests = {output["path"]: output["sha256"] for output in manifest["outputs"]}
        assert short["records"] == rows
        assert {file["path"]: file["sha256"] for file in short["artifacts"]}.items() <= (
            digests.items()
        )
        with cluster.client() as client:
            # Memory is short: all that is over makes room, and nothing that is not.
            waits = cluster.merge("distant")

            def forgotten() -> bool:
                client.config_set("maxmemory", client.info("memory")["used_memory"] * 5 // 4)
                return client.zscore(f"{PREFIX}:jobs", job.id) is None

            cluster.until("it to be forgotten", forgotten)
            client.config_set("maxmemory", 0)
        with pytest.raises(JobForgottenError):
            cluster.store.get(job.id)
        for answer in (http.get(f"/jobs/{job.id}"), http.post("/merge", json=body, headers=KEY)):
            assert (answer.status_code, answer.json()["code"]) == (410, "job-forgotten")
            outcome = answer.json()["outcome"]
            (made,) = outcome["artifacts"]
            assert (outcome["id"], outcome["state"]) == (job.id, "succeeded")
            assert made["sha256"] == digests[made["path"]]
        assert http.get(f"/jobs/{'0' * 32}").status_code == 404
        assert cluster.store.get(waits.id).id == waits.id, "what is not over is never forgotten"
        cluster.store.cancel(waits.id)
        cluster.end(waits)
    assert cluster.web is not None
    cluster.web.kill()

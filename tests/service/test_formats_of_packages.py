"""A format of an installed package: the API, its document, the workers and the form know it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from alpaca import install
from cluster import ROOT, Cluster

from mindcorpus.verify import verify


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, installed into a folder of its own."""
    return install(tmp_path_factory.mktemp("alpaca"))


_CATALOG = """
[[source]]
name = "own"
path = "rows.jsonl"
type = "talk"
[source.options]
input = "q"
response = "a"
[source.licence]
id = "MIT"
terms = "Keep the notice."
commercial = "yes"
"""


@pytest.fixture
def service(
    build: Callable[..., tuple[Cluster, object]],
    installed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Cluster:
    rows = [{"q": f"question {n}", "a": f"answer {n}"} for n in range(50)]
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (tmp_path / "own.toml").write_text(_CATALOG)
    monkeypatch.setenv("PYTHONPATH", f"{installed}{os.pathsep}{ROOT}")
    cluster, _ = build(workers=1, catalogs=json.dumps([str(tmp_path / "own.toml")]))
    cluster.start_web()
    return cluster


def done(client: httpx2.Client, path: str, asked: dict[str, object]) -> dict[str, object]:
    """Send a request, and wait for the end of its job."""
    answer = client.post(path, json=asked)
    assert answer.status_code == 202, answer.text
    end = time.monotonic() + 60
    while (job := client.get(answer.headers["Location"].partition("/api/ai/data")[2]).json())[
        "state"
    ] not in ("succeeded", "failed"):
        assert time.monotonic() < end, job
        time.sleep(0.1)
    assert job["state"] == "succeeded", job["error"]
    found: dict[str, object] = job["result"]
    return found


def test_the_service_makes_a_format_of_a_package(service: Cluster) -> None:
    with service.http() as client:
        done(client, "/merge", {"sources": ["own"]})
        asked: dict[str, object] = {
            "formats": ["alpaca"],
            "instruction": "Say yes.",
            "min_words": 2,
        }
        result = done(client, "/prepare", asked)
        assert list(result["formats"]) == ["alpaca"]  # type: ignore[call-overload]
        assert client.get("/prepare").json()["formats"]["alpaca"]["exists"] is True
        files = client.get("/artifacts").json()["artifacts"]["alpaca"]
        assert "mental_health_alpaca/train.jsonl" in [file["path"] for file in files]
    lines = (service.data_dir / "mental_health_alpaca/train.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == 40
    assert all(json.loads(line)["instruction"] == "Say yes." for line in lines)
    with httpx2.Client(base_url=service.url, timeout=30) as browser:
        same = {"Origin": service.url}
        browser.post("/sign-in", data={"token": service.token}, headers=same)
        assert "Alpaca JSON lines" in browser.get("/jobs/new/prepare").text
        assert '"alpaca"' in browser.get("/openapi.json").text
    # Who has not installed it sees no problem in what is there.
    assert verify(service.data_dir) == []

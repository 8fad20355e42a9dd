"""The running service keeps to its own OpenAPI document, whatever is sent to it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis_server import RedisServer
from running import Service

pytest.importorskip("schemathesis")

EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "12")


@pytest.fixture
def served(redis_server: RedisServer, tmp_path: Path, made_sample: Path) -> Iterator[Service]:
    """A service with the sample and jobs that come and go: none stays queued for long."""
    redis = RedisServer(tmp_path / "redis")
    redis.start()
    running = Service(tmp_path, redis.url)
    running.data_dir.symlink_to(made_sample)
    over = threading.Event()
    canceller = threading.Thread(target=cancel_all, args=(running, over))
    try:
        running.start_web()
        canceller.start()
        yield running
    finally:
        over.set()
        if canceller.is_alive():
            canceller.join()
        running.stop()
        redis.stop()


def cancel_all(running: Service, over: threading.Event) -> None:
    """Cancel what is queued, so that streams of events end."""
    with running.client() as client:
        while not over.wait(0.2):
            for job in client.get("/jobs", params={"state": "queued"}).json()["jobs"]:
                client.delete(f"/jobs/{job['id']}")


def test_the_api_is_what_its_document_says(
    served: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        *("--config-file", str(Path(__file__).with_name("schemathesis.toml"))),
        *("run", f"{served.url}/openapi.json"),
        *("--header", f"Authorization:Bearer {served.token}"),
        *("--include-path-regex", "^/api/"),
        *("--max-examples", EXAMPLES, "--seed", "1", "--checks", "all"),
        # DELETE cancels a job, and it stays: one wants to see what became of it.
        *("--exclude-checks", "use_after_free"),
        *("--request-timeout", "20", "--no-color"),
    ]
    environment = {**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path / "hypothesis")}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr}\n{served.log()}"
    cases = next(line.strip() for line in done.stdout.splitlines() if " generated" in line)
    with capsys.disabled():
        print(f"\nschemathesis: {cases}")  # noqa: T201 - `make soak` repeats it

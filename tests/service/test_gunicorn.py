"""The app as gunicorn serves it: real sockets, real signals, a log that machines can read."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TOKEN = "a ready token, long enough"
PATIENCE = 20.0


class Served:
    """A gunicorn of the test's own."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.home = folder / "home"
        self.home.mkdir()
        self._log = folder / "log"
        environment = {
            **os.environ,
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(self.home),
            "MINDCORPUS_REDIS_URL": redis_url,
            "MINDCORPUS_DATA_DIR": str(folder / "data"),
            "MINDCORPUS_PORT": str(self.port),
            "MINDCORPUS_TOKEN": TOKEN,
            "MINDCORPUS_BODY_LIMIT_KB": "1",
        }
        command = [sys.executable, "-m", "gunicorn"]
        command += ["-c", "python:web.gunicorn_config", "web:create_app()"]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
            )

    def wait(self) -> None:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            assert self.process.poll() is None, self._log.read_text()
            try:
                self.request("GET", "/healthz")
            except ConnectionError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError(self._log.read_text())

    def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: Any = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with closing(connection):
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]


@pytest.fixture
def served(tmp_path: Path, redis_url: str) -> Iterator[Served]:
    server = Served(tmp_path, redis_url)
    try:
        server.wait()
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()


def test_it_serves_logs_and_ends(served: Served) -> None:
    allowed = {"Authorization": f"Bearer {TOKEN}"}
    status, headers, body = served.request("GET", "/api/ai/data/jobs?cursor=", allowed)
    assert status == 422, body
    status, headers, body = served.request("GET", "/api/ai/data/jobs", allowed)
    assert status == 200, body
    assert json.loads(body)["jobs"] == []
    # A body whose length is not told is counted while it is read; http.client sends it in chunks.
    chunks = (b" " * 512 for _ in range(8))
    status, headers, body = served.request("POST", "/api/ai/data/merge", allowed, chunks)
    assert (status, json.loads(body)["code"]) == (413, "body-too-large")
    assert not list(served.home.rglob("*"))  # no control socket
    began = time.monotonic()
    assert served.stop() == 0
    assert time.monotonic() - began < 5
    lines = served.lines()
    assert [line["status"] for line in lines if line["logger"] == "web.access"][-3:] == [
        422,
        200,
        413,
    ]
    assert {line["logger"] for line in lines} >= {"web.access", "gunicorn.error"}
    assert headers["X-Request-ID"] in {line.get("request_id") for line in lines}
    assert TOKEN not in json.dumps(lines)

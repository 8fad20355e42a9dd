"""What Compose would run, run by hand: its commands, environments and checks, without an engine.

Folders of the image and of volumes are folders of the test, names of services are this host, and
ports are free ones. Everything else is taken as it stands in docker-compose.yml and Dockerfile.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from deployment import ROOT, command, interpolate, read_compose, read_dockerfile, variables
from front import configured, nginx
from redis_server import find_binary
from sample_numbers import KEPT

PASSWORD = "0123456789abcdef"
PATIENCE = 60.0


def children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Host:
    """One host: where the folders of containers lie, and what their ports are here."""

    folder: Path
    redis_port: int = field(default_factory=free_port)
    web_port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.image = read_dockerfile()
        self.services = interpolate(read_compose(), {"REDIS_PASSWORD": PASSWORD})["services"]
        for name in ("data", "cache", "redis", "state", "tmp"):
            (self.folder / name).mkdir(mode=0o700)
        # As the image has it: the two packages, read-only, and nothing else of the project.
        for name in ("workers", "web"):
            skipped = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, self.folder / "app" / name, ignore=skipped)

    def here(self, text: str) -> str:
        """Turn what holds in a container into what holds here."""
        for name in ("data", "cache", "state"):
            if text == f"/{name}":
                return str(self.folder / name)
        text = text.replace("@redis:6379", f"@127.0.0.1:{self.redis_port}")
        text = text.replace("/socket/", f"{self.folder}/")
        return text.replace("127.0.0.1:8000", f"127.0.0.1:{self.web_port}")

    def front_command(self) -> list[str]:
        """Give the command of nginx, with this host's folders and port in its file."""
        config = self.folder / "nginx.conf"
        config.write_text(configured(self.folder, self.web_port))
        program, *options = self.services["front"]["command"]
        assert program == "nginx"
        return [nginx(), *(part if part.startswith("-") else str(config) for part in options)]

    def environment(self, service: str) -> dict[str, str]:
        """Give what a container's processes get: what the image sets, then what Compose sets."""
        given: Mapping[str, str | None] = self.services[service].get("environment") or {}
        named = {**variables(self.image), **given}
        found = {name: self.here(text) for name, text in named.items() if text is not None}
        found |= {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.folder / "tmp"),
            "TMPDIR": str(self.folder / "tmp"),
            "MINDCORPUS_HOST": "127.0.0.1",
            "MINDCORPUS_PORT": str(self.web_port),
        }
        if "PYTHONPATH" in os.environ:  # where mindcorpus is not installed
            found["PYTHONPATH"] = os.environ["PYTHONPATH"]
        return found

    def redis_command(self) -> list[str]:
        """Give the command of Redis, with this host's folder and port."""
        redis = self.services["redis"]
        given = [*redis["entrypoint"], *redis["command"]]
        given[given.index("/data")] = str(self.folder / "redis")
        return [*given, "--port", str(self.redis_port), "--bind", "127.0.0.1"]

    def check(self, name: str) -> int:
        """Run the health check of Redis, of the web server or of nginx; give how it ended."""
        if name == "redis":
            _, shell = self.services["redis"]["healthcheck"]["test"]
            test = ["sh", "-c", shell.replace("redis-cli", f"redis-cli -p {self.redis_port}")]
        elif name == "web":
            test = [self.here(part) for part in self.services["web"]["healthcheck"]["test"][1:]]
        else:
            test = [self.here(part) for part in command(self.image, "HEALTHCHECK")]
        done = subprocess.run(test, env=self.environment(name), capture_output=True, check=False)
        return done.returncode

    @contextmanager
    def running(self, name: str, arguments: list[str]) -> Iterator[subprocess.Popen[bytes]]:
        """Run a container's process; whatever becomes of the test, none is left."""
        log = (self.folder / f"{name}.log").open("wb")
        process = subprocess.Popen(
            arguments,
            cwd=self.folder / "app",
            env=self.environment(name),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            log.close()
            for child in children(process):
                child.kill()
            process.kill()
            process.wait()

    def ask(self, method: str, path: str, token: str = "", body: object = None) -> tuple[int, Any]:
        """Send a request to the web server; a server that does not answer is status 0."""
        connection = http.client.HTTPConnection("127.0.0.1", self.web_port, timeout=10)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        try:
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except OSError:
            return 0, None
        finally:
            connection.close()

    def logs(self) -> str:
        """Give the last words of all processes."""
        return "\n".join(
            f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}"
            for log in sorted(self.folder.glob("*.log"))
        )


def until(host: Host, true: Callable[[], object], *processes: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        ended = [process.args for process in processes if process.poll() is not None]
        assert not ended, f"{ended!r} ended: {host.logs()}"
        assert time.monotonic() < end, host.logs()
        time.sleep(0.1)


def stop(host: Host, process: subprocess.Popen[bytes]) -> int:
    """Stop as an engine does: SIGTERM; whoever is still there after the grace fails the test."""
    below = children(process)
    process.send_signal(signal.SIGTERM)
    try:
        status = process.wait(30)
    except subprocess.TimeoutExpired:
        pytest.fail(f"{process.args!r} does not end: {host.logs()}")
    _, alive = psutil.wait_procs(below, timeout=5)
    assert not alive, alive
    return status


@pytest.fixture
def host(tmp_path: Path) -> Host:
    if find_binary() != shutil.which("redis-server") or not find_binary():
        message = "there is no redis-server; install it with apt-get install redis-server"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return Host(tmp_path)


def test_what_compose_runs_merges_the_sample_and_stops_when_told(host: Host) -> None:
    def token(name: str) -> str:
        arguments = [
            sys.executable,
            "-m",
            "web",
            "token",
            "new",
            "--name",
            name,
            "--scope",
            "write",
        ]
        return subprocess.run(
            arguments,
            cwd=host.folder / "app",
            env=host.environment("web"),
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()

    def job_state(path: str) -> str:
        return str(host.ask("GET", path, write)[1]["state"])

    code = sorted((host.folder / "app").rglob("*"))
    with (
        host.running("redis", host.redis_command()) as redis,
        host.running("web", command(host.image)) as web,
        host.running("front", host.front_command()) as front,
    ):
        until(host, lambda: host.check("redis") == 0, redis)
        until(host, lambda: host.check("web") == 0, web)
        until(host, lambda: host.check("front") == 0, front)
        # Up, but of no use yet, and it says why.
        status, problem = host.ask("GET", "/readyz")
        assert (status, problem["code"]) == (503, "not-ready")
        assert [each["check"] for each in problem["checks"] if not each["ok"]] == ["worker"]

        with host.running("worker", host.services["worker"]["command"]) as worker:
            until(host, lambda: host.ask("GET", "/readyz")[0] == 200, redis, web, worker)
            write = token("by-hand")
            assert host.ask("POST", "/api/ai/data/merge", "wrong", {"sample": True})[0] == 401
            status, job = host.ask("POST", "/api/ai/data/merge", write, {"sample": True})
            assert status == 202
            path = f"/api/ai/data/jobs/{job['id']}"
            until(host, lambda: job_state(path) in {"succeeded", "failed"}, redis, web, worker)
            assert host.ask("GET", path, write)[1]["error"] is None
            assert host.ask("GET", "/api/ai/data/merge", write)[1]["rows"] == KEPT
            assert stop(host, worker) == 0
        assert stop(host, front) == 0
        assert stop(host, web) == 0
        assert stop(host, redis) == 0

    # Beside the volumes and /tmp nothing was written, so a read-only root is enough.
    assert sorted((host.folder / "app").rglob("*")) == code
    assert (host.folder / "data/merged_mental_health_dataset.json").exists()
    assert list((host.folder / "redis/appendonlydir").iterdir())
    secrets = (PASSWORD, write)
    assert not [secret for secret in secrets if secret in host.logs()]


def test_redis_keeps_what_it_was_told_and_lets_nobody_administer(host: Host) -> None:
    def cli(*arguments: str) -> str:
        return subprocess.run(
            ["redis-cli", "-p", str(host.redis_port), *arguments],
            env=host.environment("redis"),
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()

    with host.running("redis", host.redis_command()) as redis:
        until(host, lambda: host.check("redis") == 0, redis)
        assert cli("SET", "a", "b") == "OK"
        for forbidden in ("FLUSHALL", "KEYS *", "CONFIG GET maxmemory", "SHUTDOWN NOSAVE"):
            assert cli(*forbidden.split()).startswith("NOPERM")
        assert "maxmemory_policy:noeviction" in cli("INFO", "memory")
        time.sleep(1.5)  # the append-only file reaches the disk every second
        redis.kill()
    with host.running("redis", host.redis_command()) as redis:
        until(host, lambda: host.check("redis") == 0, redis)
        assert cli("GET", "a") == "b"


def test_health_checks_fail_where_nobody_answers(host: Host) -> None:
    assert host.check("redis") != 0
    assert host.check("web") != 0
    assert host.check("front") != 0

"""A real service: gunicorn and Celery workers as processes of their own, over one folder."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2

ROOT = Path(__file__).parents[2]
BASE = "/api/ai/data"
_PATIENCE = 60.0
_GRACE = 15.0
_TERMINAL = ("succeeded", "failed", "cancelled")


class Running:
    """One process of the service, in a session of its own; its output goes to a file."""

    def __init__(
        self, name: str, command: list[str], environment: dict[str, str], log: Path
    ) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The main process; it may have children."""
        return self.process.pid

    def stop(self) -> int:
        """Ask it to end; kills what does not. Gives its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.wait()

    def kill(self) -> None:
        """Kill it and all of its session, as a crash of the machine would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()


class Service:
    """A service over one data folder and one Redis; settings are `MINDCORPUS_…` without prefix."""

    def __init__(self, folder: Path, redis_url: str, **settings: str) -> None:
        self.folder = folder
        self.redis_url = redis_url
        self.data_dir = folder / "data"
        self.token = f"test-{secrets.token_hex(16)}"
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._settings = {
            "redis_url": redis_url,
            "data_dir": str(self.data_dir),
            "cache_dir": str(folder / "cache"),
            "token": self.token,
            "port": str(self.port),
            "post_limit": "100000/minute",
            "failed_limit": "100000/minute",
            "lease_seconds": "3",
            "sweep_seconds": "0.3",
            "disk_floor_mb": "1",
            "workers": "1",
            **settings,
        }
        self.processes: list[Running] = []

    @property
    def tokens_file(self) -> Path:
        """The tokens, in the state folder beside the data folder."""
        return self.folder / "data-state" / "tokens.json"

    def listen_at(self, path: Path) -> None:
        """Have the web server listen at a socket, for a proxy that has the port."""
        self._settings |= {"socket": str(path), "trusted_proxies": '["unix"]'}

    def start_web(self) -> Running:
        """Start gunicorn; returns when it answers."""
        web = self.begin_web()
        self.wait_for_web()
        return web

    def begin_web(self) -> Running:
        """Start gunicorn; returns at once."""
        return self._start(
            "web", "gunicorn", "-c", "python:web.gunicorn_config", "web:create_app()"
        )

    def wait_for_web(self) -> None:
        """Wait until the web server that was started last answers."""
        self._wait(next(p for p in reversed(self.processes) if p.name == "web"), "/healthz")

    def start_worker(self, *, slots: int = 1) -> Running:
        """Start a worker; returns at once: `wait_until_ready` waits for it."""
        name = f"worker{sum(each.name.startswith('worker') for each in self.processes) + 1}"
        return self._start(
            name,
            *("celery", "-A", "workers.worker", "worker", "--concurrency", str(slots)),
            *("--queues", "finalise,prepare,write,part", "--loglevel", "INFO"),
            *("--hostname", f"{name}-{self.port}@%h"),
        )

    def wait_until_ready(self) -> None:
        """Wait until /readyz says that all is well."""
        self._wait(self.processes[0], "/readyz")

    def stop(self) -> None:
        """Stop all processes, the last started first."""
        for process in reversed(self.processes):
            process.stop()

    def client(self, token: str | None = None, **options: Any) -> httpx2.Client:
        """Give a client of the API; its addresses are below `/api/ai/data`."""
        headers = {"Authorization": f"Bearer {token or self.token}"}
        timeout = options.pop("timeout", 30.0)
        return httpx2.Client(
            base_url=f"{self.url}{BASE}", headers=headers, timeout=timeout, **options
        )

    def log(self) -> str:
        """Give what all processes have written, for messages of tests that fail."""
        return "\n".join(
            f"--- {process.name}\n{process.log.read_text()[-4000:]}" for process in self.processes
        )

    def _start(self, name: str, module: str, *arguments: str) -> Running:
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = {
            **{key: text for key, text in os.environ.items() if not key.startswith("MINDCORPUS_")},
            **{f"MINDCORPUS_{key.upper()}": text for key, text in self._settings.items()},
            "PYTHONUNBUFFERED": "1",
        }
        command = [sys.executable, "-m", module, *arguments]
        running = Running(name, command, environment, self.folder / f"{name}.log")
        self.processes.append(running)
        return running

    def _wait(self, process: Running, path: str) -> None:
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until and process.process.poll() is None:
            with contextlib.suppress(httpx2.TransportError):
                if httpx2.get(f"{self.url}{path}", timeout=5).status_code == 200:
                    return
            time.sleep(0.05)
        raise TimeoutError(f"{path} is not well:\n{self.log()}")


def finished(client: httpx2.Client, job: dict[str, Any], seconds: float = 90) -> dict[str, Any]:
    """Wait until a job is over, and give it."""
    until = time.monotonic() + seconds
    while job["state"] not in _TERMINAL and time.monotonic() < until:
        time.sleep(0.1)
        job = client.get(f"/jobs/{job['id']}").raise_for_status().json()
    assert job["state"] in _TERMINAL, job
    return job


def read_events(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    """Read server-sent events, each as its fields; comments as `{"": text}`."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line:
            if fields:
                yield fields
            fields = {}
            continue
        name, _, value = line.partition(":")
        fields[name] = value.removeprefix(" ")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

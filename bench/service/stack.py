"""The service as it is deployed: Redis, Celery workers and gunicorn, over a folder of their own."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
from redis.exceptions import RedisError

import bench
from bench.service.api import Api
from mindcorpus.execution import parent_death
from web.local.local_redis import set_up
from workers.jobs.job_store import JobStore
from workers.jobs.messages import QUEUES
from workers.redis_client import Client, connect
from workers.settings import ServiceSettings

ROOT = Path(bench.__file__).parents[1]
_PATIENCE = 60.0
_GRACE = 15.0

# A limit that would be what is measured is raised; all else is as the settings have it.
_RAISED = {
    "post_limit": "1000000/second",
    "queue_limit": "1000000",
    "token_streams": "1000",
}
_REDIS_MEMORY = ("--maxmemory", "4gb")


class StackError(Exception):
    """The service does not do what the bench needs; the message says what."""


class Stack:
    """A service with a Redis and a data folder of its own, from `with` to the end of its block.

    Workers take jobs of `queues` only; the others' jobs wait for ever, whatever is submitted.
    `settings` are `MINDCORPUS_…` without the prefix.
    """

    def __init__(
        self, folder: Path, catalog: Path, queues: Sequence[str] = QUEUES, **settings: str
    ) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.data_dir.mkdir(parents=True)
        self.token = f"bench-{secrets.token_hex(16)}"
        self.port = _free_port()
        self.pids: dict[str, int] = {}
        self._queues = queues
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._redis_files = set_up(folder, folder)
        given = {
            "redis_url": self._redis_files.url.get_secret_value(),
            "data_dir": str(self.data_dir.absolute()),
            "cache_dir": str(folder.absolute() / "cache"),
            "catalogs": json.dumps([str(catalog.absolute())]),
            "token": self.token,
            "port": str(self.port),
            **_RAISED,
            **settings,
        }
        self.environment = {
            **without_settings(),
            **{f"MINDCORPUS_{name.upper()}": text for name, text in given.items()},
        }
        self.settings = ServiceSettings.model_validate(
            {
                "redis_url": given["redis_url"],
                "data_dir": self.data_dir.absolute(),
                "catalogs": (catalog.absolute(),),
            }
        )
        self.redis: Client = connect(self.settings)
        self.store = JobStore(self.redis, self.settings)

    def __enter__(self) -> Self:
        command = (*self._redis_files.command, *_REDIS_MEMORY)
        try:
            self._start("redis", command, folder=self._redis_files.folder)
            self._until("Redis to answer", self._answers)
            gunicorn = ("-m", "gunicorn", "-c", "python:web.gunicorn_config", "web:create_app()")
            self._start("web", (sys.executable, *gunicorn))
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # What it holds is thrown away: nothing has to end in good order.
        for process in reversed(self._processes.values()):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.redis.close()

    def api(self) -> Api:
        """Give a client of the API."""
        return Api(self.port, self.token)

    def run_workers(self, number: int) -> None:
        """Have so many workers; returns when the service is ready and knows of all of them."""
        wanted = [f"worker{at + 1}" for at in range(number)]
        for name in set(self.workers) - set(wanted):
            process = self._processes.pop(name)
            process.terminate()
            process.wait(_GRACE)
            del self.pids[name]
        for name in wanted:
            if name not in self.workers:
                self._start_worker(name)
        pids = set(self.workers.values())
        self._until(
            f"{number} workers to be there",
            lambda: pids <= {worker.pid for worker in self.store.queue_stats().workers},
        )
        self._until("the service to be ready", self._ready)

    @property
    def workers(self) -> dict[str, int]:
        """The workers' processes by name."""
        return {name: pid for name, pid in self.pids.items() if name.startswith("worker")}

    def kill_worker(self, name: str) -> set[int]:
        """Kill a worker and its pool at once; gives the processes that this were.

        `run_workers` starts it again.
        """
        process = self._processes.pop(name)
        gone = {self.pids.pop(name), *_children(process.pid)}
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return gone

    def working(self) -> int:
        """Count the workers that have a runner: a job in hand."""
        workers = self.workers.values()
        return sum(any(_children(child) for child in _children(worker)) for worker in workers)

    def wait_until_idle(self) -> None:
        """Wait until no worker has anything in hand."""
        self._until("the workers to be idle", lambda: self.working() == 0)

    def wait_until_busy(self) -> None:
        """Wait until all workers have something in hand."""
        self._until("the workers to be busy", lambda: self.working() == len(self.workers))

    def memory(self, name: str) -> int:
        """Give the bytes of a process and its children; pages that several share are divided."""
        process = psutil.Process(self.pids[name])
        tree = (process, *process.children(recursive=True))
        return sum(each.memory_full_info().pss for each in tree)

    def _start_worker(self, name: str) -> None:
        celery = ("-m", "celery", "-A", "workers.worker", "worker", "--concurrency", "1")
        options = ("--queues", ",".join(self._queues), "-n", f"{name}@%h", "--loglevel", "WARNING")
        alone = ("--without-gossip", "--without-mingle", "--without-heartbeat")
        self._start(name, (sys.executable, *celery, *options, *alone))

    def _start(
        self, name: str, command: Sequence[str], folder: Path = ROOT, **variables: str
    ) -> None:
        # Tied to us: whatever becomes of the bench, nothing of it is left running.
        tied = (sys.executable, "-I", "-S", parent_death.__file__, str(os.getpid()), *command)
        with self._log(name).open("ab") as log:
            self._processes[name] = subprocess.Popen(
                tied,
                cwd=folder,
                env={**self.environment, **variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pids[name] = self._processes[name].pid

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _answers(self) -> bool:
        try:
            return bool(self.redis.ping())
        except RedisError:
            return False

    def _ready(self) -> bool:
        with contextlib.suppress(OSError):
            return self.api().status("/readyz") == 200
        return False

    def _until(self, what: str, condition: Callable[[], Any]) -> None:
        until = time.monotonic() + _PATIENCE
        while not condition():
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise StackError(f"{name} ended: {self._log(name).read_text()[-2000:]}")
            if time.monotonic() > until:
                raise StackError(f"waited {_PATIENCE:.0f} s in vain for {what}")
            time.sleep(0.05)


def without_settings() -> dict[str, str]:
    """Give our environment without the user's settings, so that defaults are what is measured."""
    return {
        **{name: text for name, text in os.environ.items() if not name.startswith("MINDCORPUS_")},
        "PYTHONPATH": str(ROOT),
    }


def _children(pid: int) -> list[int]:
    # psutil looks at every process of the machine for this, which is no small part of a core.
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):
            found += map(int, (thread / "children").read_text().split())
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

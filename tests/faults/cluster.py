"""A whole service of a test's own, to be hurt: Redis, workers and a web server as processes."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import httpx2
import psutil
from process import Process
from redis_server import RedisServer
from sources import CATALOG

from mindcorpus.job_requests import MergeRequest, PrepareRequest
from workers.app import make_app
from workers.jobs.job import Job
from workers.jobs.job_specs import merge_spec, prepare_spec
from workers.jobs.job_store import JobStore
from workers.jobs.leases import ClaimStore
from workers.jobs.submission import JobService
from workers.redis_client import connect
from workers.settings import ServiceSettings

if TYPE_CHECKING:
    import redis

ROOT = Path(__file__).parents[2]
PATIENCE = 45.0
LEASE = 2.0

RUNNER = "workers.execution.runner"

T = TypeVar("T")


class Keeper(Protocol):
    """What keeps the jobs: a Redis, or several that are one to their clients."""

    @property
    def url(self) -> str: ...
    def start(self) -> None: ...
    def kill(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def client(self) -> redis.Redis: ...


class Cluster:
    """Redis, workers and, if asked for, a web server, over one data folder.

    `settings` are `MINDCORPUS_…` without the prefix; `code` is the folder whose `workers` run.
    """

    def __init__(
        self, folder: Path, *, code: Path = ROOT, redis: Keeper | None = None, **settings: str
    ) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.redis: Keeper = redis or RedisServer(folder / "redis")
        self.redis.start()
        catalog = self.data_dir / "catalog.toml"
        catalog.write_text(CATALOG)
        self.port = _free_port()
        self.url = f"http://{settings.get('host', '127.0.0.1')}:{self.port}"
        self.token = f"faults-{secrets.token_hex(16)}"
        self._code = code
        self._given = {
            "redis_url": self.redis.url,
            "data_dir": str(self.data_dir),
            "cache_dir": str(folder / "cache"),
            "catalogs": f'["{catalog}"]',
            "lease_seconds": str(LEASE),
            "sweep_seconds": "0.3",
            "retry_seconds": "0.5",
            "disk_floor_mb": "1",
            "workers": "1",
            "fetch_tries": "2",
            "fetch_timeout": "2",
            "port": str(self.port),
            "token": self.token,
            "post_limit": "100000/minute",
            **settings,
        }
        fields = set(ServiceSettings.model_fields)
        # But lists, which a variable holds as JSON.
        known = {k: v for k, v in self._given.items() if k in fields and v[:1] != "["}
        self.settings = ServiceSettings.model_validate({**known, "catalogs": (catalog,)})
        self._redis = connect(self.settings)
        self.store = JobStore(self._redis, self.settings)
        self.app = make_app(self.settings)
        self.job_service = JobService(self.store, self.app, self.settings)
        self.workers: list[Process] = []
        self.web: Process | None = None
        self._webs: list[Process] = []
        self._logs: list[Path] = []

    # Its processes

    def start_worker(
        self, *, wait: bool = True, within: Sequence[str] = (), code: Path | None = None
    ) -> Process:
        """Start a worker, of another code if asked; returns when it takes jobs."""
        name = f"worker{len(self._logs)}"
        worker = self._start(
            name,
            *("celery", "--quiet", "-A", "workers.worker", "worker", "--concurrency", "1"),
            *("--hostname", f"{name}-{self.port}@%h", "--without-gossip", "--without-mingle"),
            within=within,
            code=code,
        )
        self.workers.append(worker)
        if wait:
            self.wait_for_workers()
        return worker

    def wait_for_workers(self) -> None:
        """Wait until all workers that live take jobs."""

        def all_there() -> bool:
            assert all(worker.alive for worker in self.workers), "a worker ended"
            seen: Any = self._redis.zrange("mindcorpus:workers", 0, -1)
            # Whatever their hosts are called: all of them share this machine's processes.
            return {worker.pid for worker in self.workers} <= {
                int(name.rpartition(":")[2]) for name in seen
            }

        self.until("all workers to be there", all_there)

    def start_web(self, *, within: Sequence[str] = ()) -> None:
        """Start gunicorn; returns when it answers."""
        self.web, self.url = self.add_web(self.port, within=within)

    def add_web(
        self, port: int = 0, code: Path | None = None, within: Sequence[str] = ()
    ) -> tuple[Process, str]:
        """Start one more web server, of another code if asked; gives it and its address."""
        port = port or _free_port()
        command = ("gunicorn", "-c", "python:web.gunicorn_config", "web:create_app()")
        web = self._start("web", *command, within=within, code=code, port=str(port))
        self._webs.append(web)
        url = f"http://{self._given.get('host', '127.0.0.1')}:{port}"

        def answers() -> bool:
            with contextlib.suppress(httpx2.TransportError):
                return httpx2.get(f"{url}/healthz", timeout=5).status_code == 200
            return False

        self.until("the web server to answer", answers)
        return web, url

    def heal(self, workers: int) -> None:
        """Bring back whatever is hurt: Redis answers, and so many workers take jobs."""
        self.redis.start()
        for process in self.processes():
            process.send_signal(signal.SIGCONT)
        self.workers = [worker for worker in self.workers if worker.alive]
        while len(self.workers) > workers:
            self.workers.pop().kill()
        while len(self.workers) < workers:
            self.start_worker(wait=False)
        self.wait_for_workers()

    def stop(self) -> None:
        """Stop everything, in any state; nothing of it may be left."""
        for process in self.processes():
            process.send_signal(signal.SIGCONT)
        for each in [*self.workers, *self._webs]:
            each.kill()
        self.app.pool.force_close_all()
        self.app.close()
        self._redis.close()
        self.redis.start()
        self.redis.kill()
        self.until("all processes to be gone", lambda: not self.processes(), 10)

    def processes(self) -> list[psutil.Process]:
        """Give every living process that works on our data folder, whoever its parent is."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                ours = process.environ().get("MINDCORPUS_DATA_DIR") == str(self.data_dir)
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def runners(self) -> list[psutil.Process]:
        """Give the processes that do the jobs' work."""
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                if RUNNER in process.cmdline():
                    found.append(process)
        return found

    def a_runner(self) -> psutil.Process:
        """Wait until a job has a runner; give it."""
        return self.until("a runner", self.runners)[0]

    def worker_of(self, runner: psutil.Process) -> Process:
        """Give the worker to which a runner belongs."""
        above = {process.pid for process in runner.parents()}
        return next(worker for worker in self.workers if worker.pid in above)

    # Its jobs

    def merge(self, *sources: str, **request: Any) -> Job:
        """Submit a merge of sources of `sources.py`, replacing the corpus."""
        wanted = MergeRequest(**{"sources": sources, "force": True, **request})
        return self.job_service.submit(merge_spec(wanted, self.settings)).job

    def prepare(self, **request: Any) -> Job:
        """Submit a prepare of the OpenAI format, replacing the one there is."""
        wanted = PrepareRequest(**{"format": "openai", "force": True, **request})
        return self.job_service.submit(prepare_spec(wanted, self.settings)).job

    def parts(self, job: Job) -> dict[str, dict[str, str]]:
        """Give the records of a merge's parts by their ids."""
        with self.redis.client() as client:
            ids: Any = client.smembers(f"mindcorpus:parts:{job.id}")
            records: Any = {part: client.hgetall(f"mindcorpus:job:{part}") for part in ids}
        return dict(records)

    def reach(self, job: Job, *stages: str) -> None:
        """Wait until a job is in one of some stages; ends the test if it is over before."""

        def there() -> bool:
            now = self.store.get(job.id)
            assert not now.over, f"the job was over before it was seen in {stages}"
            return now.stage in stages

        self.until(f"job to reach {stages}", there, job=job, pause=0.005)

    def end(self, job: Job, seconds: float = PATIENCE) -> Job:
        """Wait until a job is over; give it."""
        self.until("job to end", lambda: self.store.get(job.id).over, seconds, job=job)
        return self.store.get(job.id)

    def until(
        self,
        what: str,
        condition: Callable[[], T],
        seconds: float = PATIENCE,
        *,
        job: Job | None = None,
        pause: float = 0.02,
    ) -> T:
        """Wait until something holds, and give it; shows the job's history if it does not come."""
        end = time.monotonic() + seconds
        try:
            while not (found := condition()):
                assert time.monotonic() < end, f"waited {seconds} s for {what}"
                time.sleep(pause)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.history(*([job.id] if job else []))}") from None
        return found

    def client(self) -> redis.Redis:
        """Give a client of Redis for what no part of the service would do."""
        return self.redis.client()

    def claims(self) -> ClaimStore:
        """Give the worker's side of the jobs, to sweep without waiting."""
        return ClaimStore(self._redis, self.settings)

    def http(self, url: str = "") -> httpx2.Client:
        """Give a client of the API; its addresses are below `/api/ai/data`."""
        headers = {"Authorization": f"Bearer {self.token}"}
        base = f"{url or self.url}/api/ai/data"
        return httpx2.Client(base_url=base, headers=headers, timeout=10)

    def history(self, *jobs: str) -> str:
        """Tell all that there is to know of jobs, and the ends of the logs."""
        lines = []
        with contextlib.suppress(Exception):
            for job_id in jobs:
                lines.append(f"--- job {self.store.get(job_id).as_dict()}")
                lines += [str(event.data) for event in self.store.events(job_id)]
        logs = [f"--- {log.name}\n{log.read_text()[-3000:]}" for log in self._logs[-5:]]
        return "\n".join([*lines, *logs])

    def _start(
        self,
        name: str,
        *arguments: str,
        within: Sequence[str] = (),
        code: Path | None = None,
        **settings: str,
    ) -> Process:
        given = {**self._given, **settings}
        environment = {
            **{key: text for key, text in os.environ.items() if not key.startswith("MINDCORPUS_")},
            **{f"MINDCORPUS_{key.upper()}": text for key, text in given.items()},
            "PYTHONUNBUFFERED": "1",
        }
        log = self.folder / f"{name}.{len(self._logs)}.log"
        self._logs.append(log)
        return Process(name, arguments, environment, log, code or self._code, within)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

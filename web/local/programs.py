"""What the local service runs: Redis, two workers, the web server."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from web.local.local_redis import LocalRedis
from web.local.processes import Program
from web.settings import WebSettings
from workers.jobs.messages import QUEUES

WORKERS = 2


def programs(
    settings: WebSettings, redis: LocalRedis | None, lock: int
) -> tuple[tuple[Program, ...], ...]:
    """Give the programs in the order of starting; without `redis` it is that of the settings.

    `lock` is the descriptor of the lock of the data folder.
    """
    environment = {"MINDCORPUS_PORT": str(settings.port)}  # it may have been 0: any
    stages: list[tuple[Program, ...]] = []
    if redis is not None:
        environment["MINDCORPUS_REDIS_URL"] = redis.url.get_secret_value()
        # It keeps the lock: no second Redis ever writes to its files.
        stages.append((Program("redis", redis.command, folder=redis.folder, inherits=(lock,)),))
    stages.append(tuple(_worker(number, environment) for number in range(1, WORKERS + 1)))
    gunicorn = ("-m", "gunicorn", "-c", "python:web.gunicorn_config", "web:create_app()")
    stages.append((Program("web", (sys.executable, *gunicorn), environment),))
    return tuple(stages)


def _worker(number: int, environment: Mapping[str, str]) -> Program:
    name = f"worker{number}"
    celery = ("-m", "celery", "-A", "workers.worker", "worker", "--concurrency", "1")
    options = ("--queues", ",".join(QUEUES), "-n", f"{name}@%h", "--loglevel", "INFO")
    # They need to know nothing of each other, and begin sooner without asking.
    alone = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    return Program(name, (sys.executable, *celery, *options, *alone), environment)

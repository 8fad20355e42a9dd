"""What `celery -A workers.worker worker` loads: the app, its one task, and how a worker ends.

On SIGTERM a worker hands its jobs over to others, which takes a second or two, and then leaves.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from functools import cache
from typing import Any

from celery.signals import setup_logging, worker_ready, worker_shutdown, worker_shutting_down

from workers.app import TASK, make_app
from workers.claims import ClaimStore
from workers.logs import configure
from workers.redis import connect
from workers.settings import ServiceSettings
from workers.sweeper import start_sweeper
from workers.tasks import Executor

_settings = ServiceSettings.load()
app = make_app(_settings)

# One byte that the pool's processes share with the main one. It can be set in a signal handler,
# where no lock may be taken.
_stopping = mmap.mmap(-1, 1)
_stop_sweeper: list[Callable[[], None]] = []


@cache
def _executor() -> Executor:
    """Make this process' executor when its first job comes, after it was forked."""
    claims = ClaimStore(connect(_settings), _settings)
    return Executor(claims, app, _settings, lambda: _stopping[0] != 0)


@app.task(name=TASK, ignore_result=True)  # type: ignore[untyped-decorator]
def run(job_id: str) -> None:
    """Do the job that a message names."""
    _executor().execute(job_id)


@setup_logging.connect  # type: ignore[untyped-decorator]
def _log(**_given: Any) -> None:
    configure()


@worker_ready.connect  # type: ignore[untyped-decorator]
def _begin(**_given: Any) -> None:
    _stop_sweeper.append(start_sweeper(_settings, app, worker=True))


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _hand_over(**_given: Any) -> None:
    _stopping[0] = 1


@worker_shutdown.connect  # type: ignore[untyped-decorator]
def _end(**_given: Any) -> None:
    for stop in _stop_sweeper:
        stop()

"""What `celery -A workers.worker worker` loads: the app, its one task, and how a worker ends.

On SIGTERM a worker hands its jobs over to others, which takes a second or two, and then leaves.
"""

from __future__ import annotations

import logging
import mmap
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from celery import Task  # noqa: TC002 - Celery looks at the signature
from celery.exceptions import Reject
from celery.signals import (
    celeryd_init,
    setup_logging,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)

from mindcorpus.privacy import keep_umask_private
from workers.app import TASK, make_app
from workers.execution.executor import Executor
from workers.exposure import warn_if_exposed
from workers.jobs.leases import ClaimStore, Slots
from workers.logs import configure
from workers.redis_client import connect
from workers.settings import WorkerSettings
from workers.sweeper import start_sweeper
from workers.webhooks import key_of, start_webhooks

log = logging.getLogger(__name__)

_LOOK = 0.5
_LONGEST_STOP = 12.0  # seconds: a runner has ten of them

_settings = WorkerSettings.load()
if _settings.webhook_hosts:
    key_of(_settings)  # without one no worker begins
app = make_app(_settings)

# The main process, by which the pool's are known too.
_name = f"{socket.gethostname()}:{os.getpid()}"
# One byte that the pool's processes share with the main one. It can be set in a signal handler,
# where no lock may be taken.
_stopping = mmap.mmap(-1, 1)
_stop_sweeper: list[Callable[[], None]] = []


@cache
def _executor() -> Executor:
    """Make this process' executor when its first job comes, after it was forked."""
    claims = ClaimStore(connect(_settings), _settings)
    return Executor(claims, app, _settings, lambda: _stopping[0] != 0, _name)


@app.task(name=TASK, ignore_result=True, bind=True)  # type: ignore[untyped-decorator]
def run(self: Task, job_id: str, others: Sequence[str] = ()) -> None:
    """Do the job that a message names; it may name others of the same queue."""
    if _stopping[0]:
        # Received as the worker was told to stop: another one is to have it, and now.
        raise Reject("stopping", requeue=True)
    _executor().execute(job_id, others, self.request.delivery_info["routing_key"])


@celeryd_init.connect  # type: ignore[untyped-decorator]
def _begin_privately(**_given: Any) -> None:
    keep_umask_private()


@setup_logging.connect  # type: ignore[untyped-decorator]
def _log(**_given: Any) -> None:
    configure()


def _slots_of(consumer: Any) -> Slots:
    return Slots(consumer.pool.num_processes, tuple(consumer.app.amqp.queues.consume_from))


def _leave_in_time() -> None:
    """End this process some seconds after it was told to, though Celery should wait for longer.

    All jobs are handed over by then; a connection that breaks meanwhile can make Celery wait on.
    """
    while _stopping[0] == 0:
        time.sleep(_LOOK)
    time.sleep(_LONGEST_STOP)
    log.warning("the worker did not end by itself")
    os._exit(0)  # its pool's processes end with it


@worker_ready.connect  # type: ignore[untyped-decorator]
def _begin(sender: Any, **_given: Any) -> None:
    warn_if_exposed(_settings)
    threading.Thread(target=_leave_in_time, name="leave", daemon=True).start()
    _stop_sweeper.append(start_sweeper(_settings, app, _slots_of(sender)))
    _stop_sweeper.append(start_webhooks(_settings))


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _hand_over(**_given: Any) -> None:
    _stopping[0] = 1


@worker_shutdown.connect  # type: ignore[untyped-decorator]
def _end(**_given: Any) -> None:
    for stop in _stop_sweeper:
        stop()

"""The Celery app: how messages travel. A message is a hint that a job waits; Redis has the job."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from celery import Celery
from kombu.entity import Queue
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from workers.errors import RedisUnavailableError
from workers.jobs.messages import QUEUES, Message
from workers.jobs.scripts import PREFIX
from workers.redis_address import RedisAddress
from workers.settings import ServiceSettings

log = logging.getLogger(__name__)

TASK = "workers.run"


def make_app(settings: ServiceSettings) -> Celery:
    """Make the app; it connects when it first sends or a worker starts.

    The settings are those that were measured to lose nothing (docs/decisions.md, "Celery").
    """
    address = RedisAddress.parse(settings.redis())
    app = Celery("mindcorpus", broker=address.broker, set_as_current=False)
    outer = settings.deadline_seconds
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        # Results live in the job's record.
        task_ignore_result=True,
        result_backend=None,
        # A message is acknowledged when its job is over, and comes back if the process dies: faster
        # than waiting for the lease. How often that may happen is counted in the record.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        task_queues=[Queue(name) for name in QUEUES],  # type: ignore[no-untyped-call]
        task_default_queue="part",
        task_create_missing_queues=False,
        broker_transport_options={
            # Longer than any job: a shorter one would run jobs twice.
            "visibility_timeout": 6 * 3600,
            "unacked_mutex_expire": 10,
            "socket_timeout": 3,
            "socket_connect_timeout": 1,
            "global_keyprefix": f"{PREFIX}:",
            "queue_order_strategy": "priority",
            **_sentinel(address),
        },
        broker_use_ssl=address.tls_options,
        broker_connection_timeout=2,
        broker_connection_max_retries=None,
        broker_connection_retry_on_startup=True,
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0.2},
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_soft_shutdown_on_idle=False,
        # Nets below the job's own deadline.
        task_soft_time_limit=outer + 60,
        task_time_limit=outer + 120,
        # Hygiene: what the supervising processes may leak goes with them.
        worker_max_tasks_per_child=200,
        worker_hijack_root_logger=False,
        worker_send_task_events=True,
        enable_utc=True,
    )
    return app


def _sentinel(address: RedisAddress) -> dict[str, Any]:
    if address.master is None:
        return {}
    return {"master_name": address.master, "sentinel_kwargs": address.sentinel_options}


def publish(
    app: Celery,
    job_id: str,
    queue: str,
    others: Sequence[str] = (),
    name_of: Callable[[str], str] = lambda _job_id: "",
) -> None:
    """Tell workers of a job, and whoever takes it of others; the sweeper tells what gets lost.

    `name_of` gives what the message is called where people look at it; workers take any.
    """
    try:
        app.send_task(
            TASK,
            args=[job_id, list(others)],
            queue=queue,
            ignore_result=True,
            shadow=_named(name_of, job_id),
        )
    except (OperationalError, RedisError, OSError) as error:
        log.warning("job %s not published (%s): the sweeper will", job_id, type(error).__name__)


def _named(name_of: Callable[[str], str], job_id: str) -> str | None:
    try:
        return name_of(job_id) or None
    except (RedisUnavailableError, ValueError):
        return None  # no name is worth losing a message


def publish_all(
    app: Celery, messages: Sequence[Message], name_of: Callable[[str], str] = lambda _job_id: ""
) -> None:
    """Tell workers of several jobs in one message a queue: a message costs a millisecond."""
    by_queue: dict[str, list[str]] = {}
    for job_id, queue in messages:
        by_queue.setdefault(queue, []).append(job_id)
    for queue, (first, *others) in by_queue.items():
        publish(app, first, queue, others, name_of)

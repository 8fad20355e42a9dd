"""Connections to Redis that answer, or fail, within seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import BusyLoadingError, OutOfMemoryError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from workers.errors import RedisUnavailableError
from workers.settings import ServiceSettings

Client = redis.Redis

#: How long one read of a stream may wait; below the socket's time-out, or that would strike first.
BLOCK_SECONDS = 1.0
_SOCKET_SECONDS = 1.5
_CONNECTIONS = 400  # redis-py's own limit of 100 is less than the threads of a web process


def connect(settings: ServiceSettings, *, blocking: bool = False) -> Client:
    """Give a client that connects when it is first used; `blocking` is for reads that wait.

    Where Redis hangs, one command takes 2 x 1.5 s, and a health check before it as long: every
    script of ours may be sent twice.
    """
    return redis.Redis.from_url(
        settings.redis(),
        decode_responses=True,
        socket_timeout=_SOCKET_SECONDS + (BLOCK_SECONDS if blocking else 0),
        socket_connect_timeout=1.0,
        retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.2), 1),
        health_check_interval=10,
        max_connections=_CONNECTIONS,
    )


@contextmanager
def unavailable_errors() -> Iterator[None]:
    """Turn Redis' failures to answer or to write into `RedisUnavailableError`."""
    try:
        yield
    except (RedisConnectionError, RedisTimeoutError, BusyLoadingError, OutOfMemoryError) as error:
        raise _unavailable(error) from error
    except ResponseError as error:
        # The disk under Redis is full, or it is a replica.
        if not str(error).startswith(("MISCONF", "READONLY", "OOM", "MASTERDOWN")):
            raise
        raise _unavailable(error) from error


def _unavailable(error: RedisError) -> RedisUnavailableError:
    if isinstance(error, RedisTimeoutError):
        reason = "Redis does not answer"
    elif isinstance(error, ResponseError | OutOfMemoryError):
        reason = "Redis takes no writes"
    elif isinstance(error, BusyLoadingError):
        reason = "Redis is still loading its data"
    else:
        reason = "Redis cannot be reached"
    return RedisUnavailableError(
        reason, hint="Nothing is lost: try again in a few seconds; operators see /readyz."
    )

"""Connections to Redis that answer, or fail, within seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.connection import Connection, SSLConnection
from redis.exceptions import BusyLoadingError, OutOfMemoryError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from workers.errors import RedisUnavailableError
from workers.redis_address import RedisAddress
from workers.settings import ServiceSettings

Client = redis.Redis

#: How long one read of a stream may wait; below the socket's time-out, or that would strike first.
BLOCK_SECONDS = 1.0
_SOCKET_SECONDS = 1.5
_QUICK_SECONDS = 0.5
_CONNECTIONS = 400  # redis-py's own limit of 100 is less than the threads of a web process
#: How long a replica may take to have what was written; below the socket's time-out, too.
_REPLICA_MS = 1000


class ClusterRefusedError(RedisConnectionError):
    """This Redis is part of a Cluster: the scripts use keys that they do not declare."""


def connect(settings: ServiceSettings, *, blocking: bool = False, quick: bool = False) -> Client:
    """Give a client that connects when it is first used.

    `blocking` is for reads that wait, `quick` for what can do without an answer: it tries once.
    Where Redis hangs, one command of the others takes 2 x 1.5 s, and a health check before it as
    long: every script of ours may be sent twice. Behind Sentinel each new connection goes to the
    server that is the master by then. Raises `SettingsError`.
    """
    address = RedisAddress.parse(settings.redis())
    seconds = _QUICK_SECONDS if quick else _SOCKET_SECONDS
    backoff = NoBackoff() if quick else ExponentialWithJitterBackoff(base=0.05, cap=0.2)
    tls = address.tls_options
    options: dict[str, Any] = {
        "socket_connect_timeout": min(seconds, 1.0),
        "socket_timeout": seconds + (BLOCK_SECONDS if blocking else 0),
        **address.login,
        **(tls or {}),
        "db": address.database,
        "decode_responses": True,
        "retry": Retry(backoff, 0 if quick else 1),
        "health_check_interval": 10,
        "max_connections": _CONNECTIONS,
        "redis_connect_func": _greet,
    }
    if address.master is None:
        kind = Connection if tls is None else SSLConnection
        host, port = address.hosts[0]
        pool = redis.ConnectionPool(connection_class=kind, host=host, port=port, **options)
    else:
        asked = Sentinel(  # type: ignore[no-untyped-call]
            address.hosts, sentinel_kwargs=address.sentinel_options
        )
        pool = SentinelConnectionPool(  # type: ignore[no-untyped-call]
            address.master, asked, ssl=tls is not None, **options
        )
    return redis.Redis.from_pool(pool)


def _greet(connection: Connection) -> None:
    connection.on_connect()  # type: ignore[no-untyped-call]
    told: dict[Any, Any] = {**(connection.handshake_metadata or {})}
    if told.get("mode", told.get(b"mode")) in {"cluster", b"cluster"}:
        raise ClusterRefusedError


def has_replicas(client: Client) -> bool:
    """Whether what this client writes to may fail, and another go on with what it was sent."""
    return isinstance(client.connection_pool, SentinelConnectionPool)


def with_replica(client: Client, *command: str | float) -> tuple[Any, bool]:
    """Give the answer to a command, and whether a replica has all that the master had by then.

    Both are sent at once, so where the connection breaks both are asked again, of one server.
    """
    with client.pipeline(transaction=False) as pipe:
        pipe.execute_command(*command)  # type: ignore[no-untyped-call]
        pipe.wait(1, _REPLICA_MS)
        answer, replicas = pipe.execute()
    return answer, int(replicas) > 0


@contextmanager
def unavailable_errors() -> Iterator[None]:
    """Turn Redis' failures to answer or to write into `RedisUnavailableError`."""
    try:
        yield
    except (RedisConnectionError, RedisTimeoutError, BusyLoadingError, OutOfMemoryError) as error:
        raise _unavailable(error) from error
    except ResponseError as error:
        # The disk under Redis is full, or it is a replica.
        if not str(error).startswith(("MISCONF", "READONLY", "OOM", "MASTERDOWN", "NOREPLICAS")):
            raise
        raise _unavailable(error) from error


def _unavailable(error: RedisError) -> RedisUnavailableError:
    if isinstance(error, ClusterRefusedError):
        return RedisUnavailableError(
            "this Redis is part of a Cluster, over which jobs cannot be spread",
            hint="Set MINDCORPUS_REDIS_URL to a single Redis, or to Sentinel.",
        )
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

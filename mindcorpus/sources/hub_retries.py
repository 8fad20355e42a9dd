"""Patience with the hub: what is tried again, when, and how a request is made to end.

The hub's own client raises at once on some passing failures, sleeps through whole rate windows on
others, and cannot be stopped. So within an exchange its HTTP client (`hub_client`) tells every
passing failure as `PassingError`, an exception none of its own retry loops knows, and the one loop
here decides.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mindcorpus.progress import Cancellation
from mindcorpus.retrying import backoff
from mindcorpus.sources.addresses import AddressPolicy
from mindcorpus.sources.hosts import HostVerdicts
from mindcorpus.sources.hub_http import httpx

log = logging.getLogger(__name__)

T = TypeVar("T")

#: The first pause is up to this many seconds; each further one up to twice as long.
BASE_DELAY = 1.0
MAX_DELAY = 30.0
#: A longer pause than this (twice the hub's rate window) is not waited for.
PATIENCE = 600.0

_LOOK = 0.1  # seconds between two looks at the cancellation


class PassingError(Exception):
    """A failure that may be gone with the next try: a status, a transport error, wrong bytes."""

    def __init__(
        self,
        reason: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        garbled: bool = False,
        host: str = "",
        unreachable: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.retry_after = retry_after
        self.garbled = garbled
        self.host = host
        self.unreachable = unreachable
        """Whether nothing came from the host, as it may be for all that is asked of it."""
        self.tries = 0
        """How often it was tried; 0 where somebody else's tries were enough."""


@dataclass
class Exchange:
    """One thing asked of a server, over all its tries."""

    tries: int
    timeout: float
    cancel: Cancellation
    hosts: HostVerdicts
    policy: AddressPolicy
    limit: int
    """Bytes of the largest file that is taken."""
    failures: int = 0
    received: int = 0
    """Bytes of the file so far, for progress."""
    note: str = ""
    """What is waited for, for progress."""
    began: float = field(default_factory=time.monotonic)

    def failed(self, reason: str, **details: Any) -> PassingError:
        """Count a failure, and give the error to raise."""
        self.failures += 1
        return PassingError(reason, **details)

    def refuse_to_ask(self, host: str) -> None:
        """Raise the error of a host that another source of the merge gave up."""
        if reason := self.hosts.down(host):
            raise PassingError(reason, host=host, unreachable=True)

    def tries_for(self, error: PassingError) -> int:
        """Say how often to try, by what failed."""
        spent = time.monotonic() - self.began
        return self.hosts.tries(error.host, self.tries, spent, unreachable=error.unreachable)

    def give_up(self, error: PassingError) -> None:
        """Note that it has been tried often enough, for the error and for other sources."""
        error.tries = self.failures
        if error.unreachable or (error.status or 0) >= 500:
            self.hosts.give_up(error.host, error.reason, unreachable=error.unreachable)

    def put_off(self, error: PassingError, tries: int) -> float:
        """Give the seconds to the next try, and note that it is waited for.

        They are what the hub asked for, and then exponential, at random: anything from nothing, or
        from the half where a host is out of reach, so that all tries outlast a short break.
        """
        least = 0.5 if error.unreachable else 0.0
        jitter = backoff(self.failures, base=BASE_DELAY, longest=MAX_DELAY, least=least)
        pause = (error.retry_after or 0.0) + jitter
        self.note = (
            f"{error.reason}; trying again in {math.ceil(pause)} s"
            f" (try {self.failures + 1} of {tries})"
        )
        log.info("%s", self.note)
        return pause


#: The exchange that this thread works for.
EXCHANGE: ContextVar[Exchange | None] = ContextVar("mindcorpus_exchange", default=None)


def persist(
    work: Callable[[Exchange], T], exchange: Exchange, report: Callable[[int, str], None]
) -> T:
    """Do work that asks the hub, as often as it takes, and give its result.

    The work runs in a thread of its own, which is left behind when somebody cancels: a blocked
    read cannot be interrupted. `report` receives the bytes so far, and why nothing comes
    while a next try is waited for, in the caller's thread.
    Raises what the work raises, or its last `PassingError` once the tries are used up.
    """
    while True:
        try:
            return _apart(work, exchange, report)
        except PassingError as error:
            most = exchange.tries_for(error)
            known = error.unreachable and exchange.hosts.down(error.host)
            if known or exchange.failures >= most or (error.retry_after or 0.0) > PATIENCE:
                exchange.give_up(error)
                raise
            pause = exchange.put_off(error, most)
        report(exchange.received, exchange.note)
        exchange.cancel.wait(pause)
        exchange.note = ""


def _apart(
    work: Callable[[Exchange], T], exchange: Exchange, report: Callable[[int, str], None]
) -> T:
    exchange.cancel.check()
    outcome: Future[T] = Future()

    def run() -> None:
        EXCHANGE.set(exchange)
        try:
            outcome.set_result(work(exchange))
        except httpx.RequestError as error:  # past the client: while a body was being read
            outcome.set_exception(broken(exchange, error, ""))
        except BaseException as error:  # noqa: BLE001 - it is raised in the other thread
            outcome.set_exception(error)

    threading.Thread(target=copy_context().run, args=(run,), name="fetch", daemon=True).start()
    told: tuple[int, str] | None = None
    while not wait([outcome], timeout=_LOOK).done:
        exchange.cancel.check()
        now = (exchange.received, exchange.note)
        if not exchange.note or now != told:  # who waits says so once
            report(*now)
        told = now
    return outcome.result()


def broken(
    exchange: Exchange, error: httpx.RequestError, host: str, *, answered: bool = False
) -> PassingError:
    """Count a failure of the network, and give the error to raise."""
    whose = host or "the hub"
    match error:
        case httpx.ConnectTimeout() | httpx.ConnectError() | httpx.ProxyError():
            reason = f"no connection to {whose}"
        case httpx.TimeoutException():
            reason = f"{whose} did not answer in time"
        case httpx.DecodingError():
            reason = f"the answer of {whose} came broken"
        case _:
            reason = f"the connection to {whose} broke"
    lost = isinstance(error, httpx.TransportError) and not answered
    return exchange.failed(reason, host=host, unreachable=lost and host != "")

"""Patience with the hub: what is tried again, when, and how a request is made to end.

The hub's own client raises at once on some passing failures, sleeps through whole rate windows on
others, and cannot be stopped. So within `persist` its HTTP client tells every passing failure as
`PassingError`, an exception none of its own retry loops knows, and the one loop here decides.
"""

from __future__ import annotations

import logging
import math
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx2
from huggingface_hub import get_session, set_client_factory
from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]

from mindcorpus.errors import FetchError, RefusedAddressError
from mindcorpus.progress import Cancellation
from mindcorpus.retrying import backoff, retry_after
from mindcorpus.sources.addresses import AddressPolicy
from mindcorpus.sources.hosts import HostVerdicts
from mindcorpus.sources.transport import CheckedTransport

log = logging.getLogger(__name__)

T = TypeVar("T")

#: The first pause is up to this many seconds; each further one up to twice as long.
BASE_DELAY = 1.0
MAX_DELAY = 30.0
#: A longer pause than this (twice the hub's rate window) is not waited for.
PATIENCE = 600.0

_LOOK = 0.1  # seconds between two looks at the cancellation
#: What the hub's client wants to know for its User-Agent, once a process, and does without.
_UNASKED = "/api/agent-harnesses"


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


_EXCHANGE: ContextVar[Exchange | None] = ContextVar("mindcorpus_exchange", default=None)
_INSTALLING = threading.Lock()


def persist(
    work: Callable[[Exchange], T], exchange: Exchange, report: Callable[[int, str], None]
) -> T:
    """Do work that asks the hub, as often as it takes, and give its result.

    The work runs in a thread of its own, which is left behind when somebody cancels: a blocked
    read cannot be interrupted. `report` receives the bytes so far, and why nothing comes
    while a next try is waited for, in the caller's thread.
    Raises what the work raises, or its last `PassingError` once the tries are used up.
    """
    _install()
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
        _EXCHANGE.set(exchange)
        try:
            outcome.set_result(work(exchange))
        except httpx2.RequestError as error:  # past the client: while a body was being read
            outcome.set_exception(_broken(exchange, error, ""))
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


class _Client(httpx2.Client):
    """The hub's client; within an exchange it keeps the time and tells passing failures apart.

    It goes there only where the exchange's policy allows it.
    """

    def _init_transport(self, *_given: Any, **options: Any) -> httpx2.BaseTransport:
        # Given as an argument, a transport would switch the environment's proxies off.
        del options["transport"]
        return CheckedTransport(_policy, **options)

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        exchange = _EXCHANGE.get()
        if exchange is None:
            return super().send(request, **options)
        exchange.cancel.check()
        if request.url.path == _UNASKED:
            raise httpx2.ConnectError("nobody asked for it")
        host = request.url.netloc.decode("ascii")
        exchange.refuse_to_ask(host)
        limits = httpx2.Timeout(exchange.timeout).as_dict()
        request.extensions = {**request.extensions, "timeout": limits}
        try:
            response = super().send(request, **options)
        except httpx2.TooManyRedirects:
            raise endless(host) from None
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            # Not chained: an error about a header would show the token.
            raise _broken(exchange, error, host) from None
        status = response.status_code
        if status < 500:
            exchange.hosts.answered(host)
        if status in {408, 425, 429} or status >= 500:
            response.close()
            raise exchange.failed(
                f"the hub answered {status} {response.reason_phrase}".rstrip(),
                status=status,
                host=host,
                retry_after=_retry_after(response.headers),
            )
        # Without this mark files come over plain HTTPS, where time-outs, progress and cancellation
        # are ours; the Xet library has its own network stack, which knows none of them.
        response.headers.pop("X-Xet-Hash", None)
        if options.get("stream"):
            assert isinstance(response.stream, httpx2.SyncByteStream)
            response.stream = _Body(response.stream, exchange, host)
        return response


class _Body(httpx2.SyncByteStream):
    """A body on its way: counted, and stopped when somebody cancels."""

    def __init__(self, stream: httpx2.SyncByteStream, exchange: Exchange, host: str) -> None:
        self._stream = stream
        self._exchange = exchange
        self._host = host

    def __iter__(self) -> Iterator[bytes]:
        exchange = self._exchange
        try:
            for chunk in self._stream:
                exchange.cancel.check()
                exchange.received += len(chunk)
                yield chunk
        except httpx2.TransportError as error:
            # It did answer: another file may well come whole.
            raise _broken(exchange, error, self._host, answered=True) from None

    def close(self) -> None:
        self._stream.close()


def _policy() -> AddressPolicy | None:
    exchange = _EXCHANGE.get()
    return exchange.policy if exchange else None


def _check_request(request: httpx2.Request) -> None:
    """Refuse a request for its address; called for each that is sent, redirects among them."""
    if policy := _policy():
        try:
            policy.check(request.url.scheme, request.url.host, request.url.port)
        except OSError as error:
            raise httpx2.ConnectError(str(error), request=request) from None


def _check_redirect(response: httpx2.Response) -> None:
    """Refuse a redirect that leads out of the web, or from https to http."""
    policy = _policy()
    if policy is None or not response.has_redirect_location:
        return
    asked = response.request.url
    try:
        target = asked.join(response.headers["Location"])
    except httpx2.InvalidURL:
        raise RefusedAddressError(f"{asked.host} redirects to no web address") from None
    if target.scheme not in ("http", "https"):
        raise RefusedAddressError(
            f"{asked.host} redirects to an address that begins with {target.scheme}:, which is not"
            " followed"
        )
    if (asked.scheme, target.scheme) == ("https", "http"):
        raise RefusedAddressError(
            f"{asked.host} redirects from https to http ({target.host}), which is not followed"
        )


def endless(host: str) -> FetchError:
    """Give the error for redirects that do not end."""
    return RefusedAddressError(f"{host} redirects without end")


class _Quiet(logging.Filter):
    """Keeps back the hub client's own words on retries, which hold signed addresses."""

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - logging's signature
        return _EXCHANGE.get() is None


def _install() -> None:
    with _INSTALLING:
        session = get_session()
        if isinstance(session, _Client):
            return
        hooks = session.event_hooks
        hooks["request"] = [*hooks["request"], _check_request]
        hooks["response"] = [*hooks["response"], _check_redirect]
        set_client_factory(lambda: _Client(event_hooks=hooks, follow_redirects=True, timeout=None))
        for module in ("file_download", "utils._http"):
            logging.getLogger(f"huggingface_hub.{module}").addFilter(_Quiet())
        warnings.filterwarnings("ignore", category=UserWarning, module=r"huggingface_hub\b")


def _broken(
    exchange: Exchange, error: httpx2.RequestError, host: str, *, answered: bool = False
) -> PassingError:
    """Count a failure of the network, and give the error to raise."""
    whose = host or "the hub"
    match error:
        case httpx2.ConnectTimeout() | httpx2.ConnectError() | httpx2.ProxyError():
            reason = f"no connection to {whose}"
        case httpx2.TimeoutException():
            reason = f"{whose} did not answer in time"
        case httpx2.DecodingError():
            reason = f"the answer of {whose} came broken"
        case _:
            reason = f"the connection to {whose} broke"
    lost = isinstance(error, httpx2.TransportError) and not answered
    return exchange.failed(reason, host=host, unreachable=lost and host != "")


def _retry_after(headers: httpx2.Headers) -> float | None:
    """Read Retry-After, in seconds or as a date, or else the hub's own rate-limit header."""
    value = headers.get("Retry-After", "").strip()
    if value:
        return retry_after(value)
    limit = parse_ratelimit_headers(headers)
    return float(limit.reset_in_seconds) if limit and limit.remaining == 0 else None

"""The HTTP client that the hub's own code works with: ours, within an exchange.

It keeps the time, tells passing failures apart, goes only where the policy allows, and can be
stopped. Outside an exchange it is the hub's client as ever.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from typing import Any

from huggingface_hub import get_session, set_client_factory
from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]

from mindcorpus.errors import FetchError, RefusedAddressError
from mindcorpus.retrying import retry_after
from mindcorpus.sources.addresses import AddressPolicy
from mindcorpus.sources.hub_http import httpx
from mindcorpus.sources.hub_retries import EXCHANGE, Exchange, broken
from mindcorpus.sources.transport import CheckedTransport

#: What the hub's client wants to know for its User-Agent, once a process, and does without.
_UNASKED = "/api/agent-harnesses"
_INSTALLING = threading.Lock()


class _Client(httpx.Client):
    """The hub's client; within an exchange it keeps the time and tells passing failures apart.

    It goes there only where the exchange's policy allows it.
    """

    def _init_transport(self, *_given: Any, **options: Any) -> httpx.BaseTransport:
        # Given as an argument, a transport would switch the environment's proxies off.
        del options["transport"]
        return CheckedTransport(_policy, **options)

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        exchange = EXCHANGE.get()
        if exchange is None:
            return super().send(request, **options)
        exchange.cancel.check()
        if request.url.path == _UNASKED:
            raise httpx.ConnectError("nobody asked for it")
        host = request.url.netloc.decode("ascii")
        exchange.refuse_to_ask(host)
        limits = httpx.Timeout(exchange.timeout).as_dict()
        request.extensions = {**request.extensions, "timeout": limits}
        try:
            response = super().send(request, **options)
        except httpx.TooManyRedirects:
            raise endless(host) from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            # Not chained: an error about a header would show the token.
            raise broken(exchange, error, host) from None
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
            assert isinstance(response.stream, httpx.SyncByteStream)
            response.stream = _Body(response.stream, exchange, host)
        return response


class _Body(httpx.SyncByteStream):
    """A body on its way: counted, and stopped when somebody cancels."""

    def __init__(self, stream: httpx.SyncByteStream, exchange: Exchange, host: str) -> None:
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
        except httpx.TransportError as error:
            # It did answer: another file may well come whole.
            raise broken(exchange, error, self._host, answered=True) from None

    def close(self) -> None:
        self._stream.close()


def _policy() -> AddressPolicy | None:
    exchange = EXCHANGE.get()
    return exchange.policy if exchange else None


def _check_request(request: httpx.Request) -> None:
    """Refuse a request for its address; called for each that is sent, redirects among them."""
    if policy := _policy():
        try:
            policy.check(request.url.scheme, request.url.host, request.url.port)
        except OSError as error:
            raise httpx.ConnectError(str(error), request=request) from None


def _check_redirect(response: httpx.Response) -> None:
    """Refuse a redirect that leads out of the web, or from https to http."""
    policy = _policy()
    if policy is None or not response.has_redirect_location:
        return
    asked = response.request.url
    try:
        target = asked.join(response.headers["Location"])
    except httpx.InvalidURL:
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
        return EXCHANGE.get() is None


def install() -> None:
    """Make the hub's client ours, for this process; asked again, it does nothing."""
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


def _retry_after(headers: httpx.Headers) -> float | None:
    """Read Retry-After, in seconds or as a date, or else the hub's own rate-limit header."""
    value = headers.get("Retry-After", "").strip()
    if value:
        return retry_after(value)
    limit = parse_ratelimit_headers(headers)
    return float(limit.reset_in_seconds) if limit and limit.remaining == 0 else None

"""One service's address: requests with a token, tried again where that is safe, and streams."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import httpx2

from mindcorpus._version import __version__
from mindcorpus.client.problems import PASSING, refusal, unreachable
from mindcorpus.errors import MindcorpusError, SettingsError
from mindcorpus.retrying import backoff, retry_after

#: How often a request is sent before its failure counts.
TRIES = 6
#: Seconds after which no further try begins, whatever the service asks us to wait.
PATIENCE = 60.0

_BASE = "/api/ai/data"
_FIRST_PAUSE = 0.25  # seconds; each further one is up to twice as long
_LONGEST_PAUSE = 10.0


class Connection:
    """The connections to one service; threads may share it."""

    def __init__(self, url: str, token: str | None, timeout: float) -> None:
        """Raise `SettingsError` for an address or a token that cannot be one."""
        self.address = _address(url)
        headers = {"User-Agent": f"mindcorpus/{__version__}", "Accept": "application/json"}
        if token:
            if not (token.isascii() and token.isprintable()) or " " in token:
                raise SettingsError(
                    "MINDCORPUS_TOKEN holds characters that no token has",
                    hint="Take it as it was printed, without quotes, blanks or line ends.",
                )
            headers["Authorization"] = f"Bearer {token}"
        self._http = httpx2.Client(
            base_url=f"{self.address}{_BASE}", headers=headers, timeout=timeout
        )

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        tries: int = TRIES,
    ) -> httpx2.Response:
        """Send a request that may arrive twice without harm, as often as it takes.

        Gives the first answer that is a success, or a 304; raises the error of one that is not,
        `UnreachableError` once tries or patience are used up.
        """
        failures = 0
        deadline = time.monotonic() + PATIENCE
        while True:
            wanted = 0.0
            try:
                response = self._http.request(
                    method, path, params=dict(query or {}), json=body, headers=dict(headers or {})
                )
            except httpx2.RequestError as error:
                failure: MindcorpusError = unreachable(error, self.address)
            else:
                if response.is_success or response.status_code == httpx2.codes.NOT_MODIFIED:
                    return response
                failure = refusal(response)
                if response.status_code not in PASSING:
                    raise failure
                wanted = wanted_pause(response)
            failures += 1
            wanted += pause(failures)
            if failures >= tries or time.monotonic() + wanted > deadline:
                raise failure  # not chained: an error about a header would show the token
            time.sleep(wanted)

    def stream(
        self, path: str, headers: Mapping[str, str]
    ) -> AbstractContextManager[httpx2.Response]:
        """Begin one GET whose body is read bit by bit, whatever its status; tried once."""
        return self._http.stream("GET", path, headers=dict(headers))


def pause(failures: int) -> float:
    """Give the seconds to wait after so many failures: growing, with full jitter."""
    return backoff(failures, base=_FIRST_PAUSE, longest=_LONGEST_PAUSE)


def wanted_pause(response: httpx2.Response) -> float:
    """Give the seconds that an answer asks to wait with Retry-After; 0 if it does not."""
    return retry_after(response.headers.get("Retry-After", "")) or 0.0


def hang_up(response: httpx2.Response) -> None:
    """End a stream that another thread reads: its read returns at once."""
    stream = response.extensions.get("network_stream")
    line = stream.get_extra_info("socket") if stream is not None else None
    if isinstance(line, socket.socket):
        try:
            # Not the TLS layer's own shutdown, which waits for the other side.
            socket.socket.shutdown(line, socket.SHUT_RDWR)
        except OSError:
            return  # closed already


def _address(url: str) -> str:
    hint = "Give it as http://HOST:PORT or https://HOST."
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        raise SettingsError("the service's address is not a URL", hint=hint) from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise SettingsError("the service's address is not a URL", hint=hint)
    if parsed.userinfo:
        raise SettingsError(
            "the service's address holds a user or a password",
            hint="Leave them out: the token goes into MINDCORPUS_TOKEN.",
        )
    if parsed.query or parsed.fragment:
        raise SettingsError("the service's address has a query or a fragment", hint=hint)
    return str(parsed).rstrip("/")

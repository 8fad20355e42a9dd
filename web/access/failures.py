"""Wrong tokens, counted for each address they come from: beyond a limit they get 429.

Only failures are counted, and only a request that bears a wrong token is refused. Who is behind
the same address with a good one is never locked out; nor can anybody lock another out on purpose.
"""

from __future__ import annotations

import ipaddress
import time
from typing import cast

from flask import Flask, Response, current_app, request
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import FixedWindowRateLimiter, RateLimiter
from redis.exceptions import RedisError

from web.access.counts import STORAGE, storage_options
from web.problems import problem
from web.settings import WebSettings

_EXTENSION = "mindcorpus-failures"
_PAUSE = 5.0  # seconds that a Redis which did not answer is left alone


class Failures:
    """The count of all processes in Redis; while that is away each process has its own."""

    def __init__(self, settings: WebSettings) -> None:
        self._limit: RateLimitItem = parse(settings.failed_limit)
        storage = storage_from_string(STORAGE, **storage_options(settings))
        self._shared: RateLimiter = FixedWindowRateLimiter(storage)
        self._own: RateLimiter = FixedWindowRateLimiter(MemoryStorage())
        self._away_until = 0.0

    def count(self, address: str) -> int | None:
        """Count a failure; gives the seconds to wait if there were too many of them."""
        if time.monotonic() >= self._away_until:
            try:
                return self._hit(self._shared, address)
            except RedisError:
                self._away_until = time.monotonic() + _PAUSE
        return self._hit(self._own, address)

    def _hit(self, limiter: RateLimiter, address: str) -> int | None:
        if limiter.hit(self._limit, "failed", address):
            return None
        reset = limiter.get_window_stats(self._limit, "failed", address).reset_time
        return max(1, round(reset - time.time()))


def install(app: Flask, settings: WebSettings) -> None:
    """Count for an app."""
    app.extensions[_EXTENSION] = Failures(settings)


def too_many() -> Response | None:
    """Count that this request bore a wrong token; gives the answer if it was one too many."""
    wait = cast("Failures", current_app.extensions[_EXTENSION]).count(_client())
    if wait is None:
        return None
    return problem(
        429,
        code="rate-limited",
        title="too many wrong tokens came from your address",
        hint=f"Wait {wait} s, and look at the token: a good one is taken at any time.",
        headers={"Retry-After": str(wait)},
    )


def _client() -> str:
    address = request.remote_addr or ""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "nowhere"
    # One line gets a whole /64: all of its addresses are one client.
    wide = isinstance(parsed, ipaddress.IPv6Address)
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if wide else address

"""Limits: how often a token may change something, and how long a request may be.

The counts stand in Redis, so that all processes share them. Where Redis is down or hung the first
request finds out, within a second, and each process goes on counting for itself.
"""

from __future__ import annotations

import time
from contextlib import suppress

from flask import Flask, Response, abort, request
from flask_limiter import ApplicationLimit, Limiter, RequestLimit
from redis.exceptions import RedisError

from web.access.auth import current_token
from web.access.counts import STORAGE, storage_options
from web.problems import problem
from web.settings import WebSettings

#: These change cookies of the browser that asks, and nothing here.
_OF_A_BROWSER = ("pages.sign_out", "pages.reveal")


def install(app: Flask, settings: WebSettings) -> None:
    """Limit requests to an app; what guards tokens must be installed before."""
    app.config["MAX_CONTENT_LENGTH"] = settings.body_limit_kb * 1024
    app.before_request(_refuse_long_bodies)
    limiter = Limiter(
        _token_name,
        app=app,
        application_limits=[ApplicationLimit(settings.post_limit, exempt_when=_only_reads)],
        storage_uri=STORAGE,
        storage_options=storage_options(settings),
        in_memory_fallback_enabled=True,
        on_breach=_refuse,
    )

    def tell(response: Response) -> Response:
        # As far as they are counted: where Redis went just now, nobody can tell.
        with suppress(RedisError):
            if (limit := limiter.current_limit) is not None:
                response.headers.update(_told(limit))
        return response

    app.after_request(tell)


def _told(limit: RequestLimit) -> dict[str, str]:
    """Give the headers of draft-ietf-httpapi-ratelimit-headers: what may be done, what is left."""
    window = limit.limit.get_expiry()
    reset = min(window, max(1, round(limit.reset_at - time.time())))
    return {
        "RateLimit-Policy": f'"changes";q={limit.limit.amount};w={window}',
        "RateLimit": f'"changes";r={max(0, limit.remaining)};t={reset}',
    }


def _token_name() -> str:
    token = current_token()
    return token.name if token else "nobody"


def _only_reads() -> bool:
    if request.method not in ("POST", "DELETE") or request.endpoint in _OF_A_BROWSER:
        return True
    # Who has no token changes nothing; one count of all who sign in would lock the others out.
    return current_token() is None


def _refuse_long_bodies() -> None:
    # Also where a view would not read the body.
    length = request.content_length or 0
    if "Transfer-Encoding" in request.headers:
        # Werkzeug cuts a body whose length is not told at the limit, without a word.
        length = len(request.get_data()) + 1
    if length > (request.max_content_length or 0):
        abort(413)


def _refuse(limit: RequestLimit) -> Response:
    wait = max(1, round(limit.reset_at - time.time()))
    return problem(
        429,
        code="rate-limited",
        title=f"more than {limit.limit.amount} changes {_per(limit)}",
        hint=f"Wait {wait} s.",
        headers={"Retry-After": str(wait)},
    )


def _per(limit: RequestLimit) -> str:
    return f"per {limit.limit.GRANULARITY.name}"

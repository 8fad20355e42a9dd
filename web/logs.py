"""The log of requests: one line each, with an id under which all else that it caused is found.

A line holds the route's template, never the path, query or body as they came: those may hold
words somebody searched for.
"""

from __future__ import annotations

import re
import time
from functools import partial
from typing import Any, cast
from uuid import uuid4

import structlog
from flask import Flask, Response, g, request
from gunicorn.glogging import Logger

from web.access.auth import current_token
from workers.logs import configure

_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_JOB = re.compile(r"/jobs/([0-9a-f]{32})(?:/|$)")


class GunicornLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Hands gunicorn's own messages to our log."""

    def setup(self, cfg: Any) -> None:
        """Set up nothing but the way to our handler; gunicorn calls this in every process."""
        self.cfg = cfg
        configure()
        self.error_log.propagate = True


def install(app: Flask) -> None:
    """Give every request an id and, when it is answered, a line in the log."""
    app.before_request(_begin)
    app.after_request(_end)


def request_id() -> str:
    """Give the id of the request that is being answered."""
    return cast("str", g.request_id)


def _begin() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _SANE_ID.fullmatch(given) else uuid4().hex
    g.began = time.perf_counter()
    # The thread answered others before.
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _end(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    token = current_token()
    job = _JOB.search(request.path) or _JOB.search(response.location or "")
    line = {
        "request_id": g.request_id,
        "method": request.method,
        "route": request.url_rule.rule if request.url_rule else None,
        "status": response.status_code,
        "token": token.name if token else None,
        "job": job[1] if job else None,
    }
    log = partial(_log, line, g.began)
    if response.is_streamed:
        # A download or a stream of events is logged when it ends.
        response.call_on_close(log)
    else:
        log()
    return response


def _log(line: dict[str, Any], began: float) -> None:
    milliseconds = round((time.perf_counter() - began) * 1000, 1)
    given = {name: value for name, value in line.items() if value is not None}
    structlog.get_logger("web.access").info("request", ms=milliseconds, **given)

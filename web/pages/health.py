"""What the service lacks just now, looked at once for many pages."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import cast

from flask import current_app

from web.health import Check, look_around
from web.services import services
from workers.errors import RedisUnavailableError
from workers.redis_client import connect, unavailable_errors

_EXTENSION = "mindcorpus-health"
_SHORTEST, _LONGEST = 1.0, 5.0  # seconds that a look is believed


@dataclass(frozen=True)
class _Look:
    lacks: list[Check]
    until: float


def health() -> list[Check]:
    """Give what the service lacks; a look that took long is believed a little longer."""
    extensions, began = current_app.extensions, time.monotonic()
    last = cast("_Look | None", extensions.get(_EXTENSION))
    if last is None or last.until < began:
        lacks = _look()
        now = time.monotonic()
        believed = min(_LONGEST, max(_SHORTEST, now - began))
        last = extensions[_EXTENSION] = _Look(lacks, now + believed)
    return last.lacks


def expect_redis() -> None:
    """Raise `RedisUnavailableError` at once if Redis was found to be away just now."""
    for check in health():
        if check.check == "redis":
            raise RedisUnavailableError(check.detail, hint=check.hint)


def _look() -> list[Check]:
    # First whether Redis answers at all: the clients of jobs wait longer, and try twice.
    try:
        with connect(services().settings, quick=True) as quick, unavailable_errors():
            quick.ping()
    except RedisUnavailableError as error:
        return [Check("redis", ok=False, detail=error.title, hint=error.hint)]
    return [check for check in look_around() if not check.ok]

"""Answers that clients poll: with an ETag, so that what did not change is not sent again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from flask import Response, jsonify, request

#: Seconds after which it is worth asking again.
PAUSE = "1"


def polled(payload: Mapping[str, Any], *, active: bool) -> Response:
    """Answer with JSON, or with 304 if the client has it; `active` says that it will change."""
    response = jsonify(payload)
    response.set_etag(hashlib.sha256(response.get_data()).hexdigest()[:32])
    response.headers["Cache-Control"] = "private, no-cache"
    if active:
        response.headers["Retry-After"] = PAUSE
    response.make_conditional(request)
    return response

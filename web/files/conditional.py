"""Answers that clients poll: with an ETag, so that what did not change is not sent again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Response, abort, jsonify, request

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
    if response.status_code == HTTPStatus.PRECONDITION_FAILED:
        abort(HTTPStatus.PRECONDITION_FAILED)  # with a problem, not with what was not wanted
    return response

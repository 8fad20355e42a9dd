"""Every error as `application/problem+json` (RFC 9457), and the one table from code to status.

Beside the standard's members a problem carries the library's: `code`, which never changes, `hint`,
`remedy`, and where it says so `source`, `file`, `row` and `field`. `type` leads to the code's line
in /docs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
import structlog
from flask import Response, request
from werkzeug.exceptions import HTTPException

from mindcorpus.errors import MindcorpusError
from web.paths import without_server_paths
from web.remedies import in_answers
from workers.errors import JobForgottenError

if TYPE_CHECKING:
    from apiflask import APIFlask, HTTPError
    from werkzeug.sansio.response import Response as AnyResponse

    from mindcorpus.remedies import Remedy

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Kind:
    """What a code means to a client: the status, in words, and after how long to try again."""

    status: int
    meaning: str
    retry_after: int | None = None


KINDS: Mapping[str, Kind] = {
    # What a client did
    "bad-request": Kind(400, "The request cannot be understood."),
    "malformed-body": Kind(400, "The body is not JSON."),
    "unauthorized": Kind(401, "There is no token, or not a valid one."),
    "token-expired": Kind(401, "The token's time is over; a new one is needed."),
    "forbidden": Kind(403, "The token lacks the scope."),
    "sources-off": Kind(403, "Sources cannot be added here: the operator allows none."),
    "source-refused": Kind(403, "What was named is of no folder or owner that may be read."),
    "not-found": Kind(404, "There is nothing under this address."),
    "record-not-found": Kind(404, "The corpus has no such row."),
    "artifact-not-found": Kind(404, "There is no such file to download."),
    "job-not-found": Kind(404, "No such job, or nothing is known of it any more."),
    "no-build": Kind(404, "No such build is kept, or none."),
    "method-not-allowed": Kind(405, "The address does not know this method."),
    "not-acceptable": Kind(406, "The answer cannot be had in a form that was asked for."),
    "request-timeout": Kind(408, "The request did not arrive in time."),
    "already-exists": Kind(409, "Nothing is overwritten unasked: say `force`."),
    "no-corpus": Kind(409, "There is no corpus to work on yet; 404 where it was to be read."),
    "job-finished": Kind(409, "The job is in a state that does not allow this."),
    "job-newer": Kind(409, "A newer release of the service wrote the job: ask a server of it."),
    "job-shared": Kind(409, "Others asked for the job too; it goes on for them."),
    "cancelled": Kind(409, "The job was cancelled."),
    "job-forgotten": Kind(410, "The job is over, and was forgotten; `outcome` says how it ended."),
    "precondition-failed": Kind(412, "What is there is not what the request expects."),
    "body-too-large": Kind(413, "The request's body is too long."),
    "address-too-long": Kind(414, "The request's address is too long."),
    "media-type": Kind(415, "The body says of itself that it is not JSON."),
    "range-not-satisfiable": Kind(416, "The file has no such bytes."),
    "wrong-host": Kind(421, "The service is not asked under a name of its own."),
    "invalid-request": Kind(422, "The request is understood, but wrong; `errors` says where."),
    "settings": Kind(422, "An option is wrong, or there is no such source, type or tag."),
    "source-unfit": Kind(422, "What was named cannot be a source; `title` says why."),
    "idempotency-key-reused": Kind(422, "The key was used before, with another request."),
    "rate-limited": Kind(429, "The token made too many requests.", 60),
    "token-busy": Kind(429, "The token has as much open at once as one token may.", 5),
    "queue-full": Kind(429, "Too many jobs wait.", 30),
    "headers-too-large": Kind(431, "The request's headers are too long."),
    # What goes wrong here
    "error": Kind(500, "Something nobody foresaw; the log has it under the request's id."),
    "catalog": Kind(500, "An entry of the service's own catalogue is wrong."),
    "artifact": Kind(500, "Something is wrong with what is stored."),
    "corrupt-artifact": Kind(500, "An artifact is not what its manifest says."),
    "bad-data": Kind(500, "A source's file cannot be read."),
    "too-many-lost": Kind(500, "Too many rows of a source give no record."),
    "worker-lost": Kind(500, "The job's processes died, again and again."),
    "out-of-memory": Kind(500, "The job needs more memory than it may have."),
    "deadline": Kind(500, "The job took too long."),
    "no-progress": Kind(500, "The job stopped making progress."),
    "not-implemented": Kind(501, "The request is coded in a way that is not known here."),
    "fetch-failed": Kind(502, "A source's files could not be had."),
    "access-denied": Kind(502, "A source is gated or private."),
    "source-not-found": Kind(502, "A source is not where it was."),
    "address-refused": Kind(502, "A source leads where it may not."),
    "file-too-large": Kind(502, "A source's file is larger than one may be."),
    "wrong-bytes": Kind(502, "A source's file is not what the hub or the lock says."),
    "sources-failed": Kind(502, "Several sources failed."),
    "hub-unavailable": Kind(502, "The hub is down, too slow, or out of reach."),
    "hub-rate-limited": Kind(503, "The hub asks for a pause.", 60),
    "redis-unavailable": Kind(503, "Redis is down, does not answer, or takes no writes.", 5),
    "not-replicated": Kind(503, "The job is in Redis, but in no replica yet; it may run.", 5),
    "audit-unavailable": Kind(503, "What is asked cannot be written down, so it is refused.", 5),
    "not-ready": Kind(503, "The service cannot do its work now; `checks` says why.", 5),
    "busy": Kind(503, "So many requests of this kind are worked on that no more fit.", 1),
    "too-many-streams": Kind(503, "So many streams of events are open that no more fit.", 10),
    "unavailable": Kind(503, "The service cannot answer now.", 5),
    "disk-full": Kind(507, "The data folder has too little free space.", 60),
    "storage": Kind(507, "The data folder cannot be written.", 60),
}

#: For errors that only have a status: the code under which they go, and what to do.
_STATUSES: Mapping[int, tuple[str, str]] = {
    400: ("bad-request", "Send a JSON object."),
    404: ("not-found", "See /docs for what there is."),
    405: ("method-not-allowed", "The header Allow names the methods."),
    406: ("not-acceptable", ""),
    408: ("request-timeout", "Send the whole request at once."),
    412: ("precondition-failed", ""),
    413: ("body-too-large", "Send less: options of a job take a few hundred bytes."),
    414: ("address-too-long", "Send less in the address."),
    415: ("media-type", "Send JSON, with Content-Type: application/json."),
    416: ("range-not-satisfiable", "The header Content-Range tells the length."),
    421: ("wrong-host", "MINDCORPUS_HOSTS names the hosts that the service is asked under."),
    422: ("invalid-request", "`errors` names each field."),
    429: ("rate-limited", "Wait for as many seconds as Retry-After says."),
    431: ("headers-too-large", "Send fewer headers, or shorter ones."),
    501: ("not-implemented", "Send the body as it is, or in chunks."),
    502: ("unavailable", "Try again soon; if it lasts, tell the operator."),
    504: ("unavailable", "Try again soon; if it lasts, tell the operator."),
    503: ("unavailable", "Wait for as many seconds as Retry-After says."),
}


def problem(
    status: int,
    *,
    code: str,
    title: str,
    detail: str = "",
    hint: str = "",
    remedy: Remedy | None = None,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> Response:
    """Make the answer that tells of an error; `members` are further ones of the problem."""
    body = _body(
        status,
        request.path,
        code=code,
        title=title,
        detail=detail,
        hint=hint,
        remedy=remedy,
        **members,
    )
    response = Response(
        orjson.dumps(without_server_paths(body)), status=status, mimetype=MEDIA_TYPE
    )
    response.headers.update(headers or {})
    kind = KINDS.get(code)
    wait = kind.retry_after if kind else None
    if status == 503 and wait is None:
        wait = 5
    if wait is not None and "Retry-After" not in response.headers:
        response.headers["Retry-After"] = str(wait)
    return response


def refusal(status: int) -> bytes:
    """Make the body of the problem of what never became a request of the app."""
    code, title, hint = _told_by(status)
    detail = "" if status >= 500 else KINDS[code].meaning
    return orjson.dumps(_body(status, "", code=code, title=title, detail=detail, hint=hint))


def _body(
    status: int,
    path: str,
    *,
    code: str,
    title: str,
    detail: str = "",
    hint: str = "",
    remedy: Remedy | None = None,
    **members: Any,
) -> dict[str, Any]:
    return {
        "type": f"/docs#problem-{code}",
        "title": title,
        "status": status,
        "detail": detail or title,
        "instance": path,
        "code": code,
        **in_answers(hint, remedy),
        "source": None,
        "file": None,
        "row": None,
        "field": None,
        **members,
    }


def install(app: APIFlask) -> None:
    """Answer every error of an app with a problem."""
    # APIFlask's handler of werkzeug's errors, which the first call sets too, drops descriptions.
    app.error_processor(_of_apiflask)
    app.register_error_handler(HTTPException, _of_werkzeug)
    app.register_error_handler(MindcorpusError, of_error)
    app.register_error_handler(Exception, _of_bug)


def of_error(error: MindcorpusError) -> Response:
    """Make the problem of one of our own errors."""
    kind = KINDS.get(error.code, KINDS["error"])
    if kind.status >= 500:
        # A client can do little about it: an operator should know.
        structlog.get_logger("web").warning("failed", code=error.code, reason=str(error))
    told = {**error.as_dict(), "remedy": error.remedy}
    if isinstance(error, JobForgottenError):
        told["outcome"] = error.outcome
    return problem(kind.status, detail=str(error), **told)


def _of_status(status: int, detail: str, headers: Mapping[str, str], **members: Any) -> Response:
    code, title, hint = _told_by(status)
    return problem(
        status, code=code, title=title, detail=detail, hint=hint, headers=headers, **members
    )


def _told_by(status: int) -> tuple[str, str, str]:
    """Give code, title and hint of what is nothing but a status."""
    code, hint = _STATUSES.get(status, ("error" if status >= 500 else "bad-request", ""))
    try:
        title = HTTPStatus(status).phrase.lower()
    except ValueError:
        title = "error"
    return code, title, hint


def _of_apiflask(error: HTTPError) -> Response:
    headers = {name: str(text) for name, text in dict(error.headers).items()}
    if error.status_code != 422:
        return _of_status(error.status_code, error.message or "", headers)
    errors = _field_errors(error.detail)
    detail = "; ".join(f"{one['field']}: {one['message']}" for one in errors[:3])
    field = errors[0]["field"] if len(errors) == 1 else None
    return _of_status(422, detail, headers, errors=errors, field=field)


def _field_errors(detail: Any) -> list[dict[str, str]]:
    """Flatten {location: {field: [message, …]}}; a location alone stands for all of a body."""
    if not isinstance(detail, Mapping):
        return []
    return [
        {"field": str(location) if field == "_schema" else str(field), "message": str(message)}
        for location, fields in detail.items()
        for field, messages in (fields.items() if isinstance(fields, Mapping) else [])
        for message in (messages if isinstance(messages, list) else [messages])
    ]


def _of_werkzeug(error: HTTPException) -> AnyResponse:
    if error.response is not None:
        return error.response
    unchanged = ("content-type", "content-length")
    headers = {name: text for name, text in error.get_headers() if name.lower() not in unchanged}
    # A plain 500 may hold words of what broke; the others are written for clients.
    detail = "" if error.code == 500 else (error.description or "")
    return _of_status(error.code or 500, detail, headers)


def _of_bug(error: Exception) -> Response:
    # The log gets the frames, workers/logs.py leaves the words out: they may quote a record.
    structlog.get_logger("web").error("unexpected error", exc_info=error)
    return problem(
        500,
        code="error",
        title="something unexpected went wrong",
        hint="Tell the operator the X-Request-ID of this answer: the log has more under it.",
    )

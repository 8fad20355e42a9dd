"""What a service says has gone wrong, as our errors: problem answers, a job's error, no answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import httpx2

from mindcorpus import errors
from mindcorpus.errors import DeniedError, MindcorpusError, ServiceError, UnreachableError
from mindcorpus.remedies import apart

#: Answers after which the same request may well succeed; nothing was done.
PASSING = frozenset({429, 502, 503, 504})

_SIGN_IN = (
    "Set MINDCORPUS_TOKEN to a token of the service; `python -m web token new --name NAME` makes"
    " one there, and submitting, cancelling and retrying need the scope write."
)


def refusal(response: httpx2.Response) -> MindcorpusError:
    """Make an error of an answer, read to its end, that is no success."""
    status = response.status_code
    problem = _problem(response)
    if status in (401, 403):
        title = _text(problem, "title") or f"the service answered {status}"
        return DeniedError(title, hint=_SIGN_IN, answered=_text(problem, "code"))
    if "title" not in problem:
        said = f"{status} {response.reason_phrase}".rstrip()
        hint = f"Is {response.url.host} a mindcorpus service, and the address complete?"
        kind = UnreachableError if status in PASSING else ServiceError
        return kind(f"the service answered {said}", hint=hint)
    error = error_from(problem)
    if status in PASSING and type(error) is ServiceError:
        return UnreachableError(
            error.title, hint=error.hint, remedy=error.remedy, answered=error.answered
        )
    return error


def error_from(problem: Mapping[str, Any]) -> MindcorpusError:
    """Make an error of a problem, or of a job's error: by its code, or else a `ServiceError`."""
    code = _text(problem, "code")
    title, detail = _text(problem, "title"), _text(problem, "detail")
    if not detail.startswith(title):  # which says the same and where, as our errors do, too
        title = f"{title}: {detail}"
    where: dict[str, Any] = {
        name: _text(problem, name) or None for name in ("source", "file", "field")
    }
    where["hint"], where["remedy"] = apart(problem)
    title = title or "the service failed"
    kind = _by_code().get(code)
    return kind(title, **where) if kind else ServiceError(title, answered=code, **where)


def read_json(text: str) -> dict[str, Any]:
    """Read a JSON object that a service sent; raises `ServiceError` if it is none."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ServiceError(
            "the service's answer is no JSON object", hint="Is it a mindcorpus service?"
        )
    return value


def unreachable(error: httpx2.RequestError, address: str) -> UnreachableError:
    """Make an error of a request that got no answer."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return UnreachableError(
            f"the certificate of {address} is not trusted",
            hint="SSL_CERT_FILE names a file of authorities to trust.",
        )
    match error:
        case httpx2.ConnectError():
            reason = f"nobody answers at {address}"
        case httpx2.TimeoutException():
            reason = f"{address} did not answer in time"
        case _:
            reason = f"the connection to {address} broke"
    return UnreachableError(reason, hint="Is the service up, and the address right?")


@cache
def _by_code() -> dict[str, type[MindcorpusError]]:
    # Only our own module: in the service's processes the root has more children.
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    found = {kind.code: kind for kind in kinds if issubclass(kind, MindcorpusError)}
    found["sources-failed"] = errors.FetchError  # the errors of each source stay behind
    return {code: kind for code, kind in found.items() if code not in ("error", "service")}


def _problem(response: httpx2.Response) -> Mapping[str, Any]:
    try:
        return read_json(response.text)
    except ServiceError:
        return {}


def _text(problem: Mapping[str, Any], name: str) -> str:
    value = problem.get(name)
    return value if isinstance(value, str) else ""

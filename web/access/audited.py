"""What requests leave in the audit log: who, from where, what, and how it ended; never text.

`audited` says on a view under which name it goes, `note` adds what it was about. The line is
written before the answer is sent, and a read that cannot be written down is not answered: 503. So
is a change, before it is made, where the log cannot be opened; what was made already when writing
failed is told all the same, and the failure stands in the other log.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeVar, cast

import structlog
from flask import Flask, Response, current_app, g, request

from mindcorpus.corpus_name import DEFAULT_CORPUS
from mindcorpus.errors import StorageError
from web.access.private_files import KeyFile
from web.access.tokens import Token
from web.problems import problem
from web.services import services

SIGN_IN, SIGN_OUT = "session.begin", "session.end"
#: Nobody is kept from leaving.
_ALWAYS = (SIGN_OUT,)
_JOB = re.compile(r"[0-9a-f]{32}")
_READING = ("GET", "HEAD", "OPTIONS")
_View = TypeVar("_View", bound=Callable[..., Any])


def audited(action: str) -> Callable[[_View], _View]:
    """Have each request for a view written down; goes below all its other decorators."""

    def mark(view: _View) -> _View:
        # Decorators above it hand this on, as they do its name.
        view.audit_action = action  # type: ignore[attr-defined]
        return view

    return mark


def note(**values: Any) -> None:
    """Add what a request is about to its line; what is None is left out."""
    g.setdefault("audit_object", {}).update(
        {name: value for name, value in values.items() if value is not None}
    )


def note_rows(rows: Iterable[int], build: str) -> None:
    """Add which records of which build are shown."""
    note(rows=_ranges(rows), build=build)


def note_filter(wanted: Mapping[str, Any]) -> None:
    """Add a digest of what records are filtered by, if by anything.

    Keyed, as what people search for could be guessed: the same filter has the same digest, and
    nobody without the key learns which it is.
    """
    given = {name: str(value) for name, value in wanted.items() if value not in (None, "")}
    if given:
        key = KeyFile(services().settings.state_path / "audit.key").make()
        text = json.dumps(given, sort_keys=True).encode()
        note(filter=hmac.new(key, text, "sha256").hexdigest()[:32])


def note_job(job: str, kind: str, outcome: str) -> None:
    """Add which job a request made, joined, or had made before."""
    note(job=job, kind=kind, outcome=outcome)


def note_asked(**ids: str) -> None:
    """Add which job a request names, if it may be one: the rest are a client's own words."""
    note(**{name: job_id for name, job_id in ids.items() if _JOB.fullmatch(job_id)})


def refused_token(expired: str | None) -> None:
    """Write down that a request bore a wrong token, or an expired one, whose name is given."""
    with suppress(StorageError):  # it opens nothing, written down or not
        _write("token.refused", 401, None, {"expired": expired} if expired else None)


def install(app: Flask) -> None:
    """Write down the audited requests of an app.

    Must be installed after what finds out who asks, and after what completes answers: its answer
    may take the place of another one.
    """
    app.before_request(_expect_log)
    app.after_request(_write_down)


def _action() -> str | None:
    view = current_app.view_functions.get(request.endpoint or "")
    return cast("str | None", getattr(view, "audit_action", None))


def _expect_log() -> Response | None:
    action = _action()
    if action is None or action in _ALWAYS:
        return None
    try:
        services().audit.expect()
    except StorageError as error:
        return _unavailable(error)
    return None


def _write_down(response: Response) -> Response:
    action = _action()
    # Who presents one wrong token after the other does not fill the disk.
    if action is None or response.status_code == 429 or g.get("audit_failed"):
        return response
    asker: Token | None = g.get("asker") or g.get("flask_httpauth_user")
    if asker is None and action != SIGN_IN:
        return response
    about = dict(g.get("audit_object", {}))
    if about.get("outcome") == "joined" and action == "job.ask":
        action = "job.join"
    try:
        _write(action, response.status_code, asker, about)
    except StorageError as error:
        done = request.method not in _READING and action != SIGN_IN
        if done:
            structlog.get_logger("web").error("not in the audit log", action=action)
            return response
        response.close()
        return _unavailable(error)
    return response


def _write(action: str, status: int, asker: Token | None, about: Mapping[str, Any] | None) -> None:
    values = {
        "token": asker.name if asker else None,
        "address": request.remote_addr,
        "corpus": DEFAULT_CORPUS,
        "object": about or None,
        "status": status,
        "request_id": g.get("request_id"),
    }
    services().audit.append(action, values)


def _unavailable(error: StorageError) -> Response:
    structlog.get_logger("web").error("the audit log cannot be written", reason=error.title)
    g.audit_failed = True
    return problem(
        503,
        code="audit-unavailable",
        title="the audit log cannot be written",
        hint="Nothing is shown that cannot be written down. The operator sees why at /readyz.",
    )


def _ranges(rows: Iterable[int]) -> str:
    """Give numbers as people write them: 0-19,25."""
    found: list[list[int]] = []
    for row in sorted(rows):
        if found and row == found[-1][1] + 1:
            found[-1][1] = row
        else:
            found.append([row, row])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in found)

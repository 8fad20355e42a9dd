"""What all pages share: who may see them, what every template knows, and their headers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar, cast

from apiflask import APIBlueprint
from flask import Response, current_app, redirect, render_template, request, url_for

from mindcorpus import __version__
from web.auth import cross_site, current_token, may
from web.operations import Check, look_around
from web.pages.wording import FILTERS
from web.problems import problem
from web.session import same_origin

pages = APIBlueprint("pages", __name__, enable_openapi=False)

_HEALTH = "mindcorpus-health"
_OPEN = ("pages.sign_in", "pages.sign_in_with", "pages.style")
_Page = TypeVar("_Page", bound=Callable[..., Any])


def writes(page: _Page) -> _Page:
    """Keep a page from who may only read."""

    @wraps(page)
    def kept(*values: Any, **named: Any) -> Any:
        token = current_token()
        if token is None or not may(token, "write"):
            return problem(
                403,
                code="forbidden",
                title="your token may only look",
                hint="Sign in with a token that has the scope write to make or change jobs.",
            )
        return page(*values, **named)

    return cast("_Page", kept)


def show(template: str, status: int = 200, **values: Any) -> Response:
    """Answer with a page; an unchanged one is not sent again to who shows its ETag."""
    response = Response(render_template(template, **values), status=status, mimetype="text/html")
    # Asked for again at each visit: what it tells of changes at any time.
    response.headers["Cache-Control"] = "private, no-cache"
    if request.method in ("GET", "HEAD") and status == 200:
        response.add_etag()
        response.make_conditional(request)
    return response


@dataclass(frozen=True)
class _Look:
    lacks: list[Check]
    until: float


def health() -> list[Check]:
    """Give what the service lacks just now; a look that took long is believed for a while."""
    extensions, now = current_app.extensions, time.monotonic()
    last = cast("_Look | None", extensions.get(_HEALTH))
    if last is None or last.until < now:
        lacks = [check for check in look_around() if not check.ok]
        took = time.monotonic() - now
        last = extensions[_HEALTH] = _Look(lacks, now + took + max(1.0, 10 * took))
    return last.lacks


@pages.before_request
def _admit() -> Any:
    if request.method not in ("GET", "HEAD") and not same_origin():
        return cross_site()
    if request.endpoint in _OPEN or current_token() is not None:
        return None
    # Back to where one wanted to go; what was posted is not posted again.
    there = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("pages.sign_in", next=there if there != "/" else None), 303)


@pages.after_request
def _add_headers(response: Response) -> Response:
    # With `no-referrer` browsers send `Origin: null` with our own forms.
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("Cache-Control", "no-store")
    response.vary.add("Cookie")
    return response


@pages.app_context_processor
def _known() -> dict[str, Any]:
    token = current_token()
    return {
        "me": token,
        "may_write": token is not None and may(token, "write"),
        "health": health,
        "version": __version__,
    }


@pages.record_once
def _add_filters(state: Any) -> None:
    state.app.jinja_env.filters.update(FILTERS)
    state.app.jinja_env.trim_blocks = True
    state.app.jinja_env.lstrip_blocks = True

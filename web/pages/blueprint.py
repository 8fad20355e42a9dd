"""What all pages share: who may see them, what every template knows, and their headers."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from apiflask import APIBlueprint
from flask import Response, current_app, redirect, render_template, request, url_for

from mindcorpus import __version__
from web.access.auth import cross_site, current_token, may
from web.access.session import has_cookie, same_origin
from web.pages.charts import drawn
from web.pages.filters import FILTERS
from web.pages.health import health
from web.pages.remedies import FILTERS as WORDS
from web.problems import problem

pages = APIBlueprint("pages", __name__, enable_openapi=False)

_OPEN = ("pages.sign_in", "pages.sign_in_with", "pages.style")
_CAME_ANEW = "mindcorpus_came_anew"
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


def my_name() -> str:
    """Give the name of the token that asks; nobody gets so far without one."""
    token = current_token()
    assert token is not None
    return token.name


def show(template: str, status: int = 200, **values: Any) -> Response:
    """Answer with a page; an unchanged one is not sent again to who shows its ETag."""
    response = Response(render_template(template, **values), status=status, mimetype="text/html")
    # Asked for again at each visit: what it tells of changes at any time.
    response.headers["Cache-Control"] = "private, no-cache"
    if request.method in ("GET", "HEAD") and status == 200:
        response.add_etag()
        response.make_conditional(request)
    return add_headers(response)


def add_headers(response: Response) -> Response:
    """Put on an answer what holds for every page."""
    # With `no-referrer` browsers send `Origin: null` with our own forms.
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers.setdefault("Cache-Control", "no-store")
    response.vary.add("Cookie")
    return response


@pages.before_request
def _admit() -> Any:
    if request.method not in ("GET", "HEAD") and not same_origin():
        return cross_site()
    token = current_token()
    if request.endpoint in _OPEN or (token is not None and may(token, "read")):
        return None
    if token is not None:
        return None if request.endpoint == "pages.sign_out" else _may_not_look()
    if request.method == "GET":
        if _came_by_a_link_from_elsewhere():
            return _come_anew()
        there = request.full_path.rstrip("?")
        return redirect(url_for("pages.sign_in", next=there if there != "/" else None), 303)
    # Back to the form, if it was one; what was posted is not posted again.
    form = current_app.create_url_adapter(request)
    back = request.path if form and form.test(request.path, "GET") else None
    return redirect(url_for("pages.sign_in", next=back, unsent=1 if back else None), 303)


def _may_not_look() -> Response:
    return problem(
        403,
        code="forbidden",
        title="your token may not look at this corpus",
        hint="Sign out, and in again with a token that has the scope read.",
    )


def _came_by_a_link_from_elsewhere() -> bool:
    # Then browsers keep the session's cookie to themselves, but send it from a page of ours.
    elsewhere = request.headers.get("Sec-Fetch-Site") == "cross-site"
    return elsewhere and not has_cookie() and _CAME_ANEW not in request.cookies


def _come_anew() -> Response:
    response = show("again.html", there=request.full_path.rstrip("?"))
    response.headers["Cache-Control"] = "no-store"
    # Once: this cookie comes also with what another site asks for.
    response.set_cookie(_CAME_ANEW, "1", max_age=10, httponly=True, samesite="Lax")
    return response


pages.after_request(add_headers)


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
    state.app.jinja_env.filters.update({**FILTERS, **WORDS}, drawn=drawn)
    state.app.jinja_env.trim_blocks = True
    state.app.jinja_env.lstrip_blocks = True

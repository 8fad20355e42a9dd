"""Signing in with a token, and out."""

from __future__ import annotations

from importlib import resources
from typing import Any

from flask import Response, g, redirect, request, url_for

from web.access.audited import SIGN_IN, SIGN_OUT, audited
from web.access.auth import current_token
from web.access.failures import too_many
from web.access.session import begin_session, end_session
from web.pages.blueprint import pages, show
from web.services import services

_LONGEST_TOKEN = 1000


@pages.get("/sign-in")
def sign_in() -> Any:
    """Ask for a token; who is signed in goes on."""
    there = _own_path(request.args.get("next", ""))
    if current_token() is not None:
        return redirect(there, 303)
    return show("sign_in.html", there=there, wrong_="", unsent="unsent" in request.args)


@pages.post("/sign-in")
@audited(SIGN_IN)
def sign_in_with() -> Any:
    """Exchange a token for a session."""
    there = _own_path(request.form.get("next", ""))
    text = request.form.get("token", "").strip()
    token = services().tokens.verify(text) if 0 < len(text) <= _LONGEST_TOKEN else None
    if token is None:
        if text and (refused := too_many()) is not None:
            return refused
        wrong = "This token is not valid." if text else "Paste a token."
        return show("sign_in.html", 422, there=there, wrong_=wrong, unsent=False)
    # Its own name is written down, not that of a session before.
    g.asker = token
    answer = redirect(there, 303)
    begin_session(answer, token)  # type: ignore[arg-type]
    return answer


@pages.post("/sign-out")
@audited(SIGN_OUT)
def sign_out() -> Any:
    """End the session in this browser."""
    answer = redirect(url_for("pages.sign_in"), 303)
    end_session(answer)  # type: ignore[arg-type]
    # Nor can the pages seen so far be looked at again.
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


@pages.get("/charts.css")
def style() -> Response:
    """Give the style of the charts and the colours of the house, as the library ships them."""
    text = resources.files("mindcorpus.report").joinpath("charts.css").read_text("utf-8")
    response = Response(text, mimetype="text/css")
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()
    response.make_conditional(request)
    return response


def _own_path(there: str) -> str:
    """Give a path of this service to go on to; the overview for what is none."""
    # Browsers take \\ for /, and leave out tabs and line ends wherever they stand.
    plain = not any(letter == "\\" or ord(letter) < 33 or ord(letter) == 127 for letter in there)
    own = plain and there.startswith("/") and not there.startswith("//")
    return there if own else url_for("pages.overview")

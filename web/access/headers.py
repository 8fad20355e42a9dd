"""Headers of every answer: what a browser may do with it, and who may keep it."""

from __future__ import annotations

from flask import Flask, Response, request

from web.access.auth import PROTECTED

#: For what is no page of ours: a browser that shows it may load, run and send nothing.
STRICT = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox"
#: For pages: our own files only, and nothing written into the page itself.
PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
#: What holds for every answer, whoever gives it.
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


def install(app: Flask) -> None:
    """Put the headers on every answer of an app."""
    app.after_request(_add)


def _add(response: Response) -> Response:
    protected = request.path.startswith(PROTECTED)
    page = response.mimetype == "text/html" and not protected
    headers = response.headers
    headers.setdefault("Content-Security-Policy", PAGE if page else STRICT)
    for name, text in ALWAYS.items():
        headers.setdefault(name, text)
    if protected:
        headers.setdefault("Cache-Control", "no-store")
    return response

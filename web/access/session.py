"""The dashboard's session: a token that was shown once, remembered in a cookie without its text.

The cookie holds the token's name, the time, an id, and a keyed digest over these and the token's
hash. So it ends with the token, whatever name a later one has, and what it may do is read at each
request. A session that was signed out leaves an empty file named as its id: a copy of its cookie is
worth nothing, in any process, whether or not Redis is there.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from contextlib import suppress
from pathlib import Path

from flask import Flask, Response, g, request

from web.access.private_files import KeyFile
from web.access.tokens import Token
from web.services import services
from web.settings import WebSettings

COOKIE = "mindcorpus_session"
#: Set while this browser session shows all texts unfolded.
REVEAL = "mindcorpus_reveal"
_COOKIE = re.compile(r"([^~]+)~([0-9]{1,12})~([0-9a-f]{32})~([0-9a-f]{64})")
_SAFE_SITES = ("same-origin", "none")


def install(app: Flask) -> None:
    """Find out before each request for a page who asks; the API does so by itself."""
    app.before_request(_recognise)


def current_session() -> Token | None:
    """Give the token of the request's cookie if that is valid, young enough and not revoked."""
    parts = _COOKIE.fullmatch(request.cookies.get(COOKIE, ""))
    if parts is None:
        return None
    name, issued, number, digest = parts.groups()
    settings = services().settings
    token, key = services().tokens.named(name), _key(settings).read()
    age = time.time() - int(issued)
    if token is None or key is None or not -60 <= age < settings.session_hours * 3600:
        return None
    valid = hmac.compare_digest(_digest(key, token, f"{issued}~{number}"), digest)
    return token if valid and not (_ended(settings) / number).exists() else None


def begin_session(response: Response, token: Token) -> None:
    """Sign in: put the cookie on an answer; raises `StorageError` if no key can be kept."""
    settings = services().settings
    said = f"{int(time.time())}~{secrets.token_hex(16)}"
    response.set_cookie(
        COOKIE,
        f"{token.name}~{said}~{_digest(_key(settings).make(), token, said)}",
        max_age=int(settings.session_hours * 3600),
        secure=is_secure(),
        httponly=True,
        samesite="Strict",
    )
    _fold(response)


def end_session(response: Response) -> None:
    """Sign out: take the cookie away, and make copies of it worthless."""
    if current_session() is not None:
        _remember_ended(services().settings, request.cookies[COOKIE].split("~")[2])
    response.delete_cookie(COOKIE, secure=is_secure(), httponly=True, samesite="Strict")
    _fold(response)


def _fold(response: Response) -> None:
    # Whoever comes next has not asked for the texts.
    if REVEAL in request.cookies:
        response.delete_cookie(REVEAL, secure=is_secure(), httponly=True, samesite="Strict")


def _remember_ended(settings: WebSettings, number: str) -> None:
    folder = _ended(settings)
    # On a disk that is full or read-only one can sign out all the same.
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / number).touch(mode=0o600)
        for old in folder.iterdir():
            if time.time() - old.stat().st_mtime > settings.session_hours * 3600 + 60:
                old.unlink(missing_ok=True)


def _ended(settings: WebSettings) -> Path:
    return settings.state_path / "signed-out"


def is_secure() -> bool:
    """Whether the browser talks HTTPS, to us or to a proxy before us.

    Only to be used for what a lie would not gain anything: it is the client that says so.
    """
    return request.is_secure or request.headers.get("X-Forwarded-Proto") == "https"


def same_origin() -> bool:
    """Whether a request was made by a page of ours, or by the user, not by a page of elsewhere.

    Browsers tell by Sec-Fetch-Site where the connection is secure, by Origin everywhere; who tells
    neither is no browser, and should send a token.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in _SAFE_SITES
    scheme = "https" if is_secure() else "http"
    return request.headers.get("Origin") == f"{scheme}://{request.host}"


def _recognise() -> None:
    if COOKIE in request.cookies and not request.path.startswith(("/api/", "/static/")):
        # Where Flask-HTTPAuth keeps who asks: logs and limits look there.
        g.flask_httpauth_user = current_session()


def _digest(key: bytes, token: Token, said: str) -> str:
    return hmac.new(key, f"{token.name}~{said}~{token.sha256}".encode(), "sha256").hexdigest()


def _key(settings: WebSettings) -> KeyFile:
    return KeyFile(settings.state_path / "session.key")

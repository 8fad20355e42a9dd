"""The dashboard's session: a token that was shown once, remembered in a cookie without its text.

The cookie holds the token's name, when it began and was last visited, an id, and a keyed digest
over these and the token's hash. So it ends with the token, whatever name a later one has, and what
it may do is read at each request. A visit gives the browser a newer one, so that one that is left
alone ends. A session that was signed out leaves an empty file named as its id: a copy of its cookie
is worth nothing, in any process, whether or not Redis is there.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from flask import Flask, Response, g, request

from web.access.private_files import KeyFile
from web.access.tokens import Token
from web.services import services
from web.settings import WebSettings

_COOKIE = "mindcorpus_session"
#: Set while this browser session shows all texts unfolded.
REVEAL = "mindcorpus_reveal"
#: What the dashboard's script sends with what it asks for by itself, again and again.
_POLL = "X-Mindcorpus-Poll"
_VALUE = re.compile(r"([^~]+)~([0-9]{1,12})~([0-9]{1,12})~([0-9a-f]{32})~([0-9a-f]{64})")
_SAFE_SITES = ("same-origin", "none")
_RENEWED_AFTER = 60.0  # seconds since the last visit that was told to the browser


@dataclass(frozen=True)
class Session:
    """What a valid cookie says: whose it is, since when, and when it was last visited."""

    token: Token
    issued: int
    seen: int
    number: str

    def value(self, key: bytes) -> str:
        """Give what the cookie holds."""
        said = f"{self.token.name}~{self.issued}~{self.seen}~{self.number}"
        digest = hmac.new(key, f"{said}~{self.token.sha256}".encode(), "sha256").hexdigest()
        return f"{said}~{digest}"


def install(app: Flask) -> None:
    """Find out before each request for a page who asks; the API does so by itself."""
    app.before_request(_recognise)
    app.after_request(_renew)


def current_session() -> Token | None:
    """Give the token of the request's cookie if that is valid, young enough and not revoked."""
    session = _session()
    return session.token if session else None


def has_cookie() -> bool:
    """Whether the browser sent a session's cookie, valid or not."""
    return _cookie_name() in request.cookies


def _session() -> Session | None:
    parts = _VALUE.fullmatch(request.cookies.get(_cookie_name(), ""))
    if parts is None:
        return None
    settings, now = services().settings, time.time()
    age, idle = now - int(parts[2]), now - int(parts[3])
    if not -60 <= age < settings.session_hours * 3600:
        return None
    if not -60 <= idle < settings.session_idle_minutes * 60:
        return None
    token, key = services().tokens.named(parts[1]), _key(settings).read()
    if token is None or key is None:
        return None
    session = Session(token, int(parts[2]), int(parts[3]), parts[4])
    valid = hmac.compare_digest(session.value(key), parts[0])
    if not valid or (_ended(settings) / session.number).exists():
        return None
    services().tokens.note_use(token)
    return session


def begin_session(response: Response, token: Token) -> None:
    """Sign in: put the cookie on an answer; raises `StorageError` if no key can be kept."""
    now = int(time.time())
    _put(response, Session(token, now, now, secrets.token_hex(16)))
    _fold(response)


def _put(response: Response, session: Session) -> None:
    # Of two that this request could set the other one is the newer.
    g.pop("to_renew", None)
    settings = services().settings
    left = session.issued + settings.session_hours * 3600 - time.time()
    response.set_cookie(
        _cookie_name(),
        session.value(_key(settings).make()),
        max_age=max(1, int(left)),
        secure=is_secure(),
        httponly=True,
        samesite="Strict",
    )


def _cookie_name() -> str:
    # With the prefix browsers take it from this very host alone, over HTTPS, for all its paths.
    return f"__Host-{_COOKIE}" if is_secure() else _COOKIE


def end_session(response: Response) -> None:
    """Sign out: take the cookie away, and make copies of it worthless."""
    if (session := _session()) is not None:
        _remember_ended(services().settings, session.number)
    g.pop("to_renew", None)
    response.delete_cookie(_cookie_name(), secure=is_secure(), httponly=True, samesite="Strict")
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
    if not has_cookie() or request.path.startswith(("/api/", "/static/")):
        return
    session = _session()
    # Where Flask-HTTPAuth keeps who asks: logs and limits look there.
    g.flask_httpauth_user = session.token if session else None
    if session and _POLL not in request.headers and _is_due(session):
        g.to_renew = session


def _is_due(session: Session) -> bool:
    # Well before it would end, also where it ends soon.
    after = min(_RENEWED_AFTER, services().settings.session_idle_minutes * 60 / 4)
    return time.time() - session.seen >= after


def _renew(response: Response) -> Response:
    session: Session | None = g.get("to_renew")
    if session is not None:
        _put(response, replace(session, seen=int(time.time())))
    return response


def _key(settings: WebSettings) -> KeyFile:
    return KeyFile(settings.state_path / "session.key")

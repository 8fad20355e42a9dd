"""The dashboard's session: a token that was shown once, remembered in a cookie without its text.

The cookie holds the token's name, the time, and a keyed digest over both and the token's hash. So
it ends with the token, whatever name a later one has, and what it may do is read at each request.
"""

from __future__ import annotations

import hmac
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response, g, request

from mindcorpus.errors import StorageError, storage_errors
from web.means import means
from web.settings import WebSettings
from web.tokens import Token

COOKIE = "mindcorpus_session"
_KEY_BYTES = 32
_SAFE_SITES = ("same-origin", "none")


def install(app: Flask) -> None:
    """Find out before each request for a page who asks; the API does so by itself."""
    app.before_request(_recognise)


def current_session() -> Token | None:
    """Give the token of the request's cookie if that is valid, young enough and not revoked."""
    name, _, rest = request.cookies.get(COOKIE, "").partition("~")
    issued, _, digest = rest.partition("~")
    if not issued.isascii() or not issued.isdecimal() or len(issued) > 12:
        return None
    age = time.time() - int(issued)
    token = means().tokens.named(name)
    key = _read_key(means().settings)
    if token is None or key is None or not -60 <= age < means().settings.session_hours * 3600:
        return None
    valid = hmac.compare_digest(_digest(key, token, issued).encode(), digest.encode())
    return token if valid else None


def begin_session(response: Response, token: Token) -> None:
    """Sign in: put the cookie on an answer; raises `StorageError` if no key can be kept."""
    settings = means().settings
    issued = str(int(time.time()))
    response.set_cookie(
        COOKIE,
        f"{token.name}~{issued}~{_digest(_make_key(settings), token, issued)}",
        max_age=int(settings.session_hours * 3600),
        secure=is_secure(),
        httponly=True,
        samesite="Strict",
    )


def end_session(response: Response) -> None:
    """Sign out: take the cookie away."""
    response.delete_cookie(COOKIE, secure=is_secure(), httponly=True, samesite="Strict")


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
    return urlsplit(request.headers.get("Origin", "")).netloc == request.host


def _recognise() -> None:
    if COOKIE in request.cookies and request.blueprint == "pages":
        # Where Flask-HTTPAuth keeps who asks: logs and limits look there.
        g.flask_httpauth_user = current_session()


def _digest(key: bytes, token: Token, issued: str) -> str:
    return hmac.new(key, f"{token.name}~{issued}~{token.sha256}".encode(), "sha256").hexdigest()


def _key_path(settings: WebSettings) -> Path:
    return settings.data_dir / ".service" / "session.key"


def _read_key(settings: WebSettings) -> bytes | None:
    """Give the key, the same in all processes; None if there is none that can be read."""
    try:
        key = _key_path(settings).read_bytes()
    except OSError:
        return None
    return key if len(key) == _KEY_BYTES else None


def _make_key(settings: WebSettings) -> bytes:
    """Give the key, making it if there is none: the first process to write it decides."""
    path = _key_path(settings)
    if (known := _read_key(settings)) is not None:
        return known
    draft = path.with_name(f".session.key.{secrets.token_hex(4)}")
    with storage_errors(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
                file.write(secrets.token_bytes(_KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                path.hardlink_to(draft)
        finally:
            draft.unlink(missing_ok=True)
        key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise StorageError("the session key is damaged", file=str(path), hint="Delete it.")
    return key

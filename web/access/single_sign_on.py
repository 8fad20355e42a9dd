"""Single sign-on: a proxy that has found out who asks names the user in a header.

The header counts from the proxies alone that the operator lists, as the last hop before us or
before our own front; from anybody else it is as if it were not there. A file says what each user
may do. In logs, jobs and the audit log users are called `user:NAME`.
"""

from __future__ import annotations

import hashlib
import tomllib
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, cast

import structlog
from flask import Flask, current_app, g, request
from pydantic import TypeAdapter, ValidationError

from web.access.scopes import Grant
from web.access.tokens import Token
from web.settings import WebSettings

_EXTENSION = "mindcorpus-single-sign-on"
_SCOPES = TypeAdapter(dict[str, tuple[Grant, ...]])
_Signature = tuple[int, int, int]


class SingleSignOn:
    """Who is let in by which proxies; the file is read anew when it has changed."""

    def __init__(self, header: str, proxies: tuple[str, ...], users: Path) -> None:
        self._header = header
        self._networks = [ip_network(each, strict=False) for each in proxies]
        self._users = users
        self._known: tuple[_Signature | None, dict[str, Token]] = (None, {})

    def user(self) -> Token | None:
        """Give who asks, if a listed proxy says so and the file has the name."""
        said = request.headers.get(self._header)
        if not said or not any(map(self._lists, _last_hops())):
            return None
        # What WSGI hands on as Latin-1 are the bytes of a name in UTF-8.
        return self._current().get(said.encode("latin-1").decode("utf-8", "replace"))

    def _lists(self, hop: str) -> bool:
        try:
            address = ip_address(hop)
        except ValueError:
            return False
        return any(address in network for network in self._networks)

    def _current(self) -> dict[str, Token]:
        try:
            status = self._users.stat()
            signature = status.st_mtime_ns, status.st_size, status.st_ino
            if signature != self._known[0]:
                # A file that makes no sense lets nobody in; remembered, so that it is told once.
                self._known = (signature, {})
                self._known = (signature, _read(self._users))
        except (OSError, ValueError) as error:
            reason = type(error).__name__
            structlog.get_logger("web").error("users of single sign-on unreadable", reason=reason)
            return {}
        return self._known[1]


def install(app: Flask, settings: WebSettings) -> None:
    """Let an app's users in that a proxy names; pages are told here, the API asks by itself."""
    if settings.sso_header and settings.sso_users:
        app.extensions[_EXTENSION] = SingleSignOn(
            settings.sso_header, settings.sso_proxies, settings.sso_users
        )
        app.before_request(_recognise)


def current_user() -> Token | None:
    """Give the user that a listed proxy names, or None."""
    known = cast("SingleSignOn | None", current_app.extensions.get(_EXTENSION))
    return known.user() if known else None


def _recognise() -> None:
    if not request.path.startswith(("/api/", "/static/")) and (user := current_user()):
        g.flask_httpauth_user = user


def _last_hops() -> tuple[str, ...]:
    """Give who connected, and, where that is a front of ours, who connected to that one."""
    environ: dict[str, Any] = request.environ
    before = environ.get("werkzeug.proxy_fix.orig")
    connected = (before or environ).get("REMOTE_ADDR") or ""
    return (connected, request.remote_addr or "") if before else (connected,)


def _read(path: Path) -> dict[str, Token]:
    content = path.read_bytes()
    try:
        given = _SCOPES.validate_python(tomllib.loads(content.decode()), strict=False)
    except ValidationError:
        # Without pydantic's own words: they quote what the file holds.
        raise ValueError("not a list of scopes for each user") from None
    return {name: _token(name, scopes) for name, scopes in given.items() if name.isprintable()}


def _token(name: str, scopes: tuple[str, ...]) -> Token:
    shown = f"user:{name}"
    return Token(
        name=shown,
        # No token has this hash; it stands for the name, as nothing else is known.
        sha256=hashlib.sha256(shown.encode()).hexdigest(),
        scopes=scopes,
        created=datetime.fromtimestamp(0, UTC),
    )

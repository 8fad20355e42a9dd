"""The tokens file: who may use the API. It holds hashes only; a token is shown once, when made.

SHA-256 without salt is enough: a token is 32 random bytes, there is nothing to guess.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mindcorpus.errors import SettingsError
from web.access.audit_log import AuditLog
from web.access.last_use import LastUse
from web.access.private_files import state_errors, write_private
from web.access.scopes import READ_WRITE, Grant, in_order
from web.settings import WebSettings

#: The name under which the token of the settings acts; no token of the file can have it.
READY = "MINDCORPUS_TOKEN"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_UNREADABLE = "Restore it from a backup, or delete it and make new tokens."

_Signature = tuple[int, int, int]


class Token(BaseModel):
    """A token as it is kept: its name, what it may do, and the hash it is known by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    scopes: tuple[Grant, ...]
    created: datetime
    expires: datetime | None = None

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return self.expires is not None and datetime.now(UTC) >= self.expires


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")

    tokens: list[Token] = []


class TokenFile:
    """The tokens of one file and, if there is one, the ready token of the settings.

    With `uses` it notes when each was used last, with `audit` which are made and revoked.
    """

    def __init__(
        self,
        path: Path,
        ready: str | None = None,
        uses: LastUse | None = None,
        audit: AuditLog | None = None,
    ) -> None:
        self.path = path
        self.uses = uses
        self._audit = audit
        self._ready = _token(READY, ready, READ_WRITE) if ready else None
        self._known: tuple[_Signature | None, tuple[Token, ...]] = (None, ())

    def verify(self, text: str) -> Token | None:
        """Give the token that somebody presents if it is valid now, or None."""
        found = self.known(text)
        if found is None or found.expired:
            return None
        self.note_use(found)
        return found

    def known(self, text: str) -> Token | None:
        """Give the token of a text, valid or expired, or None; takes as long for any text."""
        found = None
        digest = _hash(text)
        ready = (self._ready,) if self._ready else ()
        for token in (*self._current(), *ready):
            if hmac.compare_digest(token.sha256, digest):
                found = token
        return found

    def named(self, name: str) -> Token | None:
        """Give the token of a name, or None if there is none any more, or it has expired."""
        ready = (self._ready,) if self._ready else ()
        tokens = (*self._current(), *ready)
        found = next((token for token in tokens if token.name == name), None)
        return None if found is None or found.expired else found

    def note_use(self, token: Token) -> None:
        """Note that a token, or a session of it, is used."""
        if self.uses is not None:
            self.uses.note(token)

    def list(self) -> tuple[Token, ...]:
        """Give the tokens of the file; raises `SettingsError` if it cannot be understood."""
        try:
            with state_errors(self.path):
                return tuple(_parse(self.path, self.path.read_bytes()).tokens)
        except FileNotFoundError:
            return ()

    def new(
        self, name: str, scopes: Iterable[str] = READ_WRITE, expires: datetime | None = None
    ) -> str:
        """Make a token and give its text, which is kept nowhere.

        Raises `SettingsError` for a name that is taken, or is none, and for what is no scope.
        """
        if not _NAME.fullmatch(name):
            raise SettingsError(
                "a token's name is made of a-z, 0-9, dots, dashes and underscores",
                field="name",
                hint="Such as: laptop, ci.nightly.",
            )
        text = f"mc_{secrets.token_urlsafe(32)}"
        made = _token(name, text, scopes, expires)
        with self._locked():
            tokens = self.list()
            if any(token.name == name for token in tokens):
                raise SettingsError(
                    f"there is a token named {name} already",
                    field="name",
                    hint="Choose another name, or revoke that token first.",
                )
            ends = expires.isoformat() if expires else None
            self._write_down("token.new", name, scopes=list(made.scopes), expires=ends)
            self._write((*tokens, made))
            self._forget(name)
        return text

    def revoke(self, name: str) -> None:
        """Delete a token; requests with it are refused from then on, whatever server they reach.

        Raises `SettingsError` if there is none of that name.
        """
        with self._locked():
            tokens = self.list()
            left = tuple(token for token in tokens if token.name != name)
            if left == tokens:
                raise SettingsError(
                    f"there is no token named {name}", field="name", hint="See `token list`."
                )
            self._write_down("token.revoke", name)
            self._write(left)
            self._forget(name)

    def _write_down(self, action: str, name: str, **more: object) -> None:
        # First: a line without a token does no harm, a token without a line might.
        if self._audit is not None:
            about = {key: value for key, value in more.items() if value is not None}
            self._audit.append(action, {"object": {"token": name, **about}})

    def _forget(self, name: str) -> None:
        if self.uses is not None:
            self.uses.forget(name)

    def _current(self) -> tuple[Token, ...]:
        # Looked at anew with every request: one `stat`, and what was revoked is out at once.
        try:
            signature = _signature(self.path.stat())
            known, tokens = self._known
            if signature != known:
                with self.path.open("rb") as file:
                    signature = _signature(os.fstat(file.fileno()))
                    content = file.read()
                # A file that makes no sense opens nothing; remembered, so that it is told once.
                self._known = (signature, ())
                tokens = tuple(_parse(self.path, content).tokens)
                self._known = (signature, tokens)
        except FileNotFoundError:
            return ()
        except (OSError, SettingsError) as error:
            structlog.get_logger("web").error("tokens file unreadable", reason=str(error))
            return ()
        return tokens

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with state_errors(self.path):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            lock = os.open(self.path.with_name(f"{self.path.name}.lock"), flags, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _write(self, tokens: tuple[Token, ...]) -> None:
        # Without `expires` where there is none: so a version that does not know it reads the file.
        document = _Document(tokens=list(tokens)).model_dump_json(indent=2, exclude_none=True)
        with state_errors(self.path):
            write_private(self.path, document.encode())


def open_tokens(settings: WebSettings, audit: AuditLog) -> TokenFile:
    """Give the tokens that settings name, with their uses and the log of their making."""
    ready = settings.token.get_secret_value() if settings.token else None
    uses = LastUse(settings.state_path / "last-used")
    return TokenFile(settings.tokens_path, ready, uses, audit)


def _token(name: str, text: str, scopes: Iterable[str], expires: datetime | None = None) -> Token:
    return Token(
        name=name,
        sha256=_hash(text),
        scopes=in_order(scopes),
        created=datetime.now(UTC).replace(microsecond=0),
        expires=expires,
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _signature(status: os.stat_result) -> _Signature:
    return status.st_mtime_ns, status.st_size, status.st_ino


def _parse(path: Path, content: bytes) -> _Document:
    try:
        return _Document.model_validate_json(content)
    except ValidationError:
        # Without pydantic's own words: they quote what the file holds.
        raise SettingsError(
            "the tokens file cannot be understood", file=str(path), hint=_UNREADABLE
        ) from None

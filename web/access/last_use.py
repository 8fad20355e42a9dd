"""When each token was used last: a file of its name, whose time says so.

All processes touch the same file, so none of them waits for another; the tokens file itself is
never written for a request.
"""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from web.access.tokens import Token

_SECONDS = 60.0


class LastUse:
    """The last uses of the tokens; exact to a minute."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._noted: dict[str, float] = {}

    def note(self, token: Token) -> None:
        """Remember that a token is used; writes once a minute at most, and never fails."""
        now = time.monotonic()
        if now - self._noted.get(token.sha256, -_SECONDS) < _SECONDS:
            return
        self._noted[token.sha256] = now
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            (self._folder / token.name).touch(mode=0o600)

    def of(self, token: Token) -> datetime | None:
        """Tell when a token was used last; None if never."""
        try:
            seconds = (self._folder / token.name).stat().st_mtime
        except OSError:
            return None
        return datetime.fromtimestamp(int(seconds), UTC)

    def forget(self, name: str) -> None:
        """Forget the uses of a token that is revoked: another may get its name."""
        with suppress(OSError):
            (self._folder / name).unlink()

"""Who did what, as JSON lines: appended by all processes, never rewritten, kept for a while.

A line is written whole under a lock of the file itself, so that processes do not mix; one that was
cut off, by a full disk or a kill, is ended by the next. The file of a day that is over, or one that
is large, gets a name of its own, and is deleted when its time is over. Nothing is brought to the
disk by force: a power cut may take the last seconds.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mindcorpus.storage.disk import sync
from web.access.private_files import state_errors
from web.settings import WebSettings

_NAME = "audit.jsonl"
_OVER = re.compile(r"audit-([0-9]{8})\.([0-9]{4,})\.jsonl")
_LARGE = 32 * 1024 * 1024
_DAY = 86_400

Entry = Mapping[str, Any]


class AuditLog:
    """The log in one folder."""

    def __init__(self, folder: Path, days: int) -> None:
        self.folder = folder
        self._days = days

    def expect(self) -> None:
        """Raise `StorageError` if the log cannot be opened for writing."""
        with state_errors(self._path):
            os.close(self._open())

    def append(self, action: str, values: Entry) -> None:
        """Write down that something was done; values that are None are left out.

        Raises `StorageError`.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        given = {name: value for name, value in values.items() if value is not None}
        line = json.dumps({"time": now, "action": action, **given}).encode() + b"\n"
        with state_errors(self._path):
            while not self._append(line):
                pass

    def read(self) -> Iterator[dict[str, Any] | None]:
        """Give what was written down, the oldest first; None for a line that makes no sense."""
        over = [path for path in self.folder.glob("audit-*.jsonl") if _OVER.fullmatch(path.name)]
        for path in (*sorted(over), self._path):
            try:
                with path.open("rb") as file:
                    yield from map(_parsed, file)
            except FileNotFoundError:
                continue

    @property
    def _path(self) -> Path:
        return self.folder / _NAME

    def _open(self) -> int:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(self._path, flags, 0o600)

    def _append(self, line: bytes) -> bool:
        """Append a line; False if the file was, or had to be, put away first."""
        file = self._open()
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            status = os.fstat(file)
            if not self._is_current(status):
                return False
            if status.st_size and (status.st_size >= _LARGE or _day(status) != _today()):
                self._put_away(file, status)
                return False
            if status.st_size and os.pread(file, 1, status.st_size - 1) != b"\n":
                line = b"\n" + line
            if os.write(file, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(file)
        return True

    def _is_current(self, status: os.stat_result) -> bool:
        try:
            return os.path.samestat(status, self._path.stat())
        except FileNotFoundError:
            return False

    def _put_away(self, file: int, status: os.stat_result) -> None:
        os.fsync(file)
        number = 0
        while (to := self.folder / f"audit-{_day(status)}.{number:04}.jsonl").exists():
            number += 1
        self._path.rename(to)
        sync(self.folder)
        for path in self.folder.iterdir():
            if _OVER.fullmatch(path.name) and self._is_old(path):
                path.unlink(missing_ok=True)

    def _is_old(self, path: Path) -> bool:
        return time.time() - path.stat().st_mtime > self._days * _DAY


def open_audit(settings: WebSettings) -> AuditLog:
    """Give the log that settings name."""
    return AuditLog(settings.state_path / "audit", settings.audit_days)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and {"time", "action"} <= entry.keys() else None


def _day(status: os.stat_result) -> str:
    return time.strftime("%Y%m%d", time.gmtime(status.st_mtime))


def _today() -> str:
    return time.strftime("%Y%m%d", time.gmtime())

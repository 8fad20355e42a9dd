"""Files that their owner alone may read: written whole or not at all, and keys kept in them."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from mindcorpus.errors import StorageError
from mindcorpus.privacy import drafted
from mindcorpus.storage.disk import sync

_KEY_BYTES = 32


@contextmanager
def state_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's errors about a file of the state folder into `StorageError`."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        reason = (error.strerror or "input/output error").lower()
        raise StorageError(
            f"cannot use the state folder: {reason}",
            file=str(path),
            hint="It is the web server's own; MINDCORPUS_STATE_DIR chooses another.",
        ) from error


def write_private(path: Path, content: bytes, *, replace: bool = True) -> None:
    """Write a file for its owner alone, all of it or nothing, and to the disk.

    Without `replace` a file that is there already stays as it is.
    """
    with drafted(path, content) as draft:
        if replace:
            draft.replace(path)
        else:
            with suppress(FileExistsError):
                path.hardlink_to(draft)
    sync(path.parent)


def open_to_others(status: os.stat_result) -> bool:
    """Whether anybody but the owner may look into a file or a folder."""
    return bool(stat.S_IMODE(status.st_mode) & 0o077)


class KeyFile:
    """Random bytes that all processes of the web server share."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> bytes | None:
        """Give the key; None if there is none that can be read, or others can read it too."""
        try:
            with self.path.open("rb") as file:
                if open_to_others(os.fstat(file.fileno())):
                    log = structlog.get_logger("web")
                    log.warning("a key is not used: others could read it", file=str(self.path))
                    return None
                key = file.read(_KEY_BYTES + 1)
        except OSError:
            return None
        return key if len(key) == _KEY_BYTES else None

    def make(self) -> bytes:
        """Give the key, making it if there is none: the first process to write it decides.

        One that others could read is replaced. Raises `StorageError`.
        """
        if (known := self.read()) is not None:
            return known
        with state_errors(self.path):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                if open_to_others(self.path.stat()):
                    self.path.unlink()
            write_private(self.path, secrets.token_bytes(_KEY_BYTES), replace=False)
        if (made := self.read()) is None:
            raise StorageError("a key is damaged", file=str(self.path), hint="Delete it.")
        return made

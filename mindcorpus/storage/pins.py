"""Pins: who works with what is stored, so that nobody removes it meanwhile.

A pin is a file that names what is used and who uses it. Its holder keeps it locked, and the lock
ends with the holder, however that ends: a pin that nobody locks is a left-over. Files are locked,
not folders, as a network file system tells other hosts of those alone.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mindcorpus.storage.disk import unlock

#: The file in a folder of `staging/job-…` that names what is used by whoever works there.
USES = "uses"


class Pins:
    """The pins on what is stored beside one folder of artifacts."""

    def __init__(self, folder: Path, staging: Path) -> None:
        self._folder = folder
        self._staging = staging

    @contextmanager
    def hold(self, names: Sequence[str], job: str = "") -> Iterator[None]:
        """Keep builds or parts, by name, from being removed as long as the context lasts.

        Where nothing may be written they are used without a pin.
        """
        try:
            pin, descriptor = self._make(names, job)
        except OSError:
            yield
            return
        try:
            yield
        finally:
            pin.unlink(missing_ok=True)
            unlock(descriptor)

    def held(self) -> frozenset[str]:
        """Give the names of all that is in use; pins of the dead are removed."""
        found = set(self._used_by_many())
        with suppress(FileNotFoundError):
            for pin in self._folder.iterdir():
                with suppress(FileNotFoundError, PermissionError):
                    found |= _names_in(pin)
        return frozenset(found)

    def _used_by_many(self) -> Iterator[str]:
        """Name what is read by those who write together, of whom none holds a pin all the time."""
        for uses in self._staging.glob(f"job-*/{USES}"):
            with suppress(FileNotFoundError, PermissionError, ValueError):
                yield from json.loads(uses.read_bytes())

    def _make(self, names: Sequence[str], job: str) -> tuple[Path, int]:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        who = {"names": [*names], "job": job, "pid": os.getpid(), "host": socket.gethostname()}
        while True:
            pin = self._folder / secrets.token_hex(8)
            draft = pin.with_suffix(".new")
            descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                os.write(descriptor, json.dumps(who).encode())
                # Seen by others only now that it is locked and says whose it is.
                draft.rename(pin)
            except FileNotFoundError:  # taken for a left-over before it was locked
                os.close(descriptor)
                continue
            except BaseException:
                os.close(descriptor)
                raise
            return pin, descriptor


def _names_in(pin: Path) -> set[str]:
    """Give what a pin names; one whose holder is gone is removed, and names nothing."""
    descriptor = os.open(pin, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        pin.unlink()
    except BlockingIOError:
        with suppress(ValueError):  # still being written
            return set(json.loads(pin.read_bytes())["names"])
    finally:
        os.close(descriptor)
    return set()

"""What is asked of a file system: locks on folders, links swapped at once, bytes on the disk."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mindcorpus.errors import ArtifactError


def point(link: Path, target: str) -> None:
    """Make a symbolic link, replacing one with another target in a single rename."""
    if link.is_symlink() and os.readlink(link) == target:
        return
    new = link.with_name(f".{link.name}.{secrets.token_hex(4)}")
    try:
        new.symlink_to(target)
    except OSError as error:
        raise ArtifactError(
            f"cannot make a symbolic link: {(error.strerror or 'not supported').lower()}",
            file=str(link),
            hint="Choose a data folder on a file system that has them.",
        ) from error
    new.replace(link)


def lock(folder: Path, *, wait: bool = True) -> int:
    """Lock a folder until the returned descriptor is given to `unlock`, or our end."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def unlock(descriptor: int) -> None:
    """Give a folder free."""
    # Closing alone would not do: a worker that was forked meanwhile holds a copy.
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a folder locked as long as the context lasts."""
    descriptor = lock(folder)
    try:
        yield
    finally:
        unlock(descriptor)


def sync(path: Path) -> None:
    """Bring a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_all(folder: Path) -> None:
    """Bring a folder and all that is in it to the disk."""
    for path in sorted(folder.rglob("*")):
        sync(path)
    sync(folder)

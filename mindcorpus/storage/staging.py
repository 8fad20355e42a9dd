"""Staging: folders to work in, on the file system of the artifacts, that vanish with the work."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from mindcorpus.storage import disk

_STAGED = re.compile(r"[a-z]+-[0-9a-f]{12}")


class Staging:
    """A folder to work in; it is gone when the work ends, published or not."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.output = root / "output"
        """For what is to be published."""
        self.scratch = root / "scratch"
        """For what is not."""


def new_folder(home: Path, purpose: str) -> tuple[Path, int]:
    """Make a folder to work in, and lock it; its lock says that somebody still does."""
    root = home / f"{purpose}-{secrets.token_hex(6)}"
    root.mkdir(mode=0o700)
    return root, disk.lock(root)


def left_behind(home: Path) -> Iterator[Path]:
    """Give the folders whose workers are gone; each is locked until the next is asked for."""
    for folder in home.iterdir():
        if not _STAGED.fullmatch(folder.name):
            continue
        try:
            held = disk.lock(folder, wait=False)
        except (BlockingIOError, FileNotFoundError, NotADirectoryError):
            continue
        try:
            yield folder
        finally:
            disk.unlock(held)


def remove_left_behind(home: Path) -> None:
    """Remove the folders whose workers are gone."""
    for folder in left_behind(home):
        shutil.rmtree(folder, ignore_errors=True)

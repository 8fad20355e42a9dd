"""Who may read what is written here: its owner alone, or also a group that the operator names.

What is made gets its mode where it is made, so that a library's caller keeps the umask it has; the
processes of our own set theirs as well.
"""

from __future__ import annotations

import grp
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mindcorpus.errors import SettingsError

_OTHERS = 0o007
_GROUP = 0o070


def keep_umask_private() -> None:
    """Have all that this process and its children make be its owner's alone: for entry points."""
    os.umask(0o077)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, for their owner alone."""
    if not path.is_dir():
        if not path.parent.is_dir():
            make_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def create(path: Path, flags: int = os.O_TRUNC) -> int:
    """Open a file for writing; one that is new is its owner's alone. Gives its descriptor."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o600)


def write(path: Path, content: bytes) -> None:
    """Write a file whole, for its owner alone."""
    with os.fdopen(create(path), "wb") as file:
        file.write(content)


@contextmanager
def drafted(path: Path, content: bytes) -> Iterator[Path]:
    """Write a file beside its place and to the disk, for the block to move it there at once.

    What the block leaves is removed. Raises `OSError`.
    """
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with os.fdopen(create(draft, os.O_EXCL), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)


@dataclass(frozen=True)
class Readers:
    """Who may read beside the owner: nobody, or the members of one group."""

    gid: int | None = None

    @classmethod
    def of(cls, group: str | None) -> Readers:
        """Give those of a group's name or number; raises `SettingsError` if there is none."""
        if not group:
            return cls()
        try:
            return cls(int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid)
        except KeyError:
            raise SettingsError(
                f"there is no group {group!r} on this machine",
                field="group",
                hint="MINDCORPUS_GROUP takes a group's name or number.",
            ) from None

    def allow(self, path: Path) -> None:
        """Give a file or folder to its owner, and to these readers, alone.

        Raises `SettingsError` where it is not in our power to give it to the group.
        """
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            return
        if self.gid is not None and status.st_gid != self.gid:
            try:
                os.chown(path, -1, self.gid)
            except PermissionError:
                raise SettingsError(
                    f"files cannot be given to the group {self.gid}",
                    field="group",
                    hint="The account that mindcorpus runs as must be one of its members.",
                ) from None
        mode = self.mode(status.st_mode)
        if stat.S_IMODE(status.st_mode) != mode:
            path.chmod(mode)

    def allow_all(self, folder: Path) -> None:
        """Do so for a folder and all that is in it; links are not followed."""
        for path in _below(folder):
            self.allow(path)

    def mode(self, mode: int) -> int:
        """Give the permissions that a file or folder is to have, which has these now."""
        folder = stat.S_ISDIR(mode)
        if self.gid is None:
            return 0o700 if folder else 0o600
        return 0o750 if folder else 0o640

    def miss(self, folder: Path) -> bool:
        """Whether a folder of ours is closed to a group that may read it."""
        status = folder.stat()
        mine = status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) == 0o700
        return self.gid is not None and mine

    def exposes(self, path: Path) -> bool:
        """Whether others than these readers may read a file, or list or enter a folder."""
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            return False
        group = 0 if self.gid is not None and status.st_gid == self.gid else _GROUP
        return bool(status.st_mode & (_OTHERS | group))


def _below(folder: Path) -> Iterator[Path]:
    yield folder
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield Path(root, name)

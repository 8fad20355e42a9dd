"""The checksums of files that were read before, by what the file system says of these files.

One whose size, times and inode are as they were when it was hashed is not read again. That is true
of one machine, so it stands in no lock that a team shares, but with the parts that it serves.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Self

from mindcorpus.privacy import write
from mindcorpus.sources.files import FetchedFile
from mindcorpus.storage.sealed import seal, unseal
from mindcorpus.storage.store import Store

_NAME = "checksums.json"
#: A file that was written to just before it was looked at may be written to once more without its
#: times telling. Systems count them in steps of some milliseconds, but a few in steps of seconds.
_FINE_NS, _COARSE_NS = 100_000_000, 2_000_000_000
_WHOLE_NS = 1_000_000
_DAY = 86_400


class Stamp(NamedTuple):
    """What the file system says of a file's state: another state, another stamp."""

    size: int
    written_ns: int
    changed_ns: int
    """Also where somebody wrote to it and set back its time."""
    inode: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """Give the stamp of a file, links followed; raises `OSError`."""
        found = path.stat()
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def _stamp_of(path: Path) -> Stamp | None:
    try:
        return Stamp.of(path)
    except OSError:
        return None


class Seen(NamedTuple):
    """A file as it was found, before anything of it was read, and when that was."""

    stamp: Stamp
    at_ns: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """Look at a file; raises `OSError`."""
        at = time.time_ns()
        return cls(Stamp.of(path), at)

    def holds(self, path: Path) -> bool:
        """Whether a file is still as it was found."""
        return _stamp_of(path) == self.stamp

    def is_unwritten(self, path: Path) -> bool:
        """Whether nobody wrote to a file since, though its modes or links may be others."""
        now = _stamp_of(path)
        return now is not None and now[:2] == self.stamp[:2]

    @property
    def is_steady(self) -> bool:
        """Whether its stamp is sure to change with the next byte that is written to it."""
        # Nobody sets this one: whole milliseconds are all that such a file system counts.
        fine = self.stamp.changed_ns % _WHOLE_NS != 0
        return self.stamp.written_ns < self.at_ns - (_FINE_NS if fine else _COARSE_NS)


class _Entry(NamedTuple):
    sha256: str
    git: str
    """The id as a git blob that it was checked against, or ""."""
    size: int
    stamp: Stamp | None
    """None where it was not sure to change with the next byte."""
    used: float

    @classmethod
    def of(cls, sha256: str, git: str, size: int, stamp: list[int] | None, used: float) -> Self:
        return cls(sha256, git, size, None if stamp is None else Stamp(*stamp), used)


@dataclass(frozen=True)
class Checksums:
    """The checksums that are remembered in one data folder."""

    entries: Mapping[str, _Entry]
    """By the paths of files."""

    @classmethod
    def read(cls, store: Store) -> Self:
        """Read what is remembered; what is damaged, or of another release, is nothing."""
        try:
            found = unseal((store.parts / _NAME).read_bytes())
            return cls({path: _Entry.of(*entry) for path, entry in found.items()})
        except (OSError, ValueError, TypeError, AttributeError):
            return cls({})

    def fill_in(self, file: FetchedFile, stamp: Stamp) -> FetchedFile:
        """Give a file with its sha256 if it is as it was when that was computed."""
        return replace(file, sha256=self._find(file, stamp))

    def _find(self, file: FetchedFile, stamp: Stamp) -> str:
        entry = self.entries.get(_key(file))
        if entry is None or entry.stamp != stamp or file.expected not in ("", entry.sha256):
            return ""
        return entry.sha256 if file.expected_git in ("", entry.git) else ""

    def may_know(self, file: FetchedFile) -> bool:
        """Whether a file of this path and size was read before: it may be the same, touched."""
        entry = self.entries.get(_key(file))
        return entry is not None and entry.size == file.size

    def lacks(self, file: FetchedFile, seen: Seen) -> bool:
        """Whether it is worth noting a file: it is not known so, or has not been used for a day."""
        entry = self.entries.get(_key(file))
        if entry is None or entry.used < time.time() - _DAY:
            return True
        return self._find(file, seen.stamp) != file.sha256 and (
            seen.is_steady or entry[:3] != (file.sha256, file.expected_git, file.size)
        )


def note_checksums(
    store: Store, files: Iterable[tuple[FetchedFile, Seen]], scratch: Path, days: float
) -> None:
    """Remember the checksums of files, and forget those that were not used for some days.

    Raises `OSError` and `StorageError`.
    """
    with store.locked():
        # Read anew: another merge may have noted others meanwhile.
        known = Checksums.read(store)
        now = time.time()
        entries = {
            _key(file): _Entry(
                file.sha256,
                file.expected_git,
                file.size,
                seen.stamp if seen.is_steady else None,
                now,
            )
            for file, seen in files
            if known.lacks(file, seen)
        }
        if not entries:
            return
        kept = {
            path: entry for path, entry in known.entries.items() if entry.used > now - days * _DAY
        }
        draft = scratch / _NAME
        write(draft, seal({**kept, **entries}))
        store.make_folder(store.parts)
        draft.replace(store.parts / _NAME)
        store.close(store.parts / _NAME)


def _key(file: FetchedFile) -> str:
    return os.path.abspath(file.local)  # noqa: PTH100 - `absolute` keeps `..`

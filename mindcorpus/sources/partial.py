"""What has come of a file so far: kept under a name of our own, so that the next process goes on.

The hub's client gives each download a fresh name and forgets it. A partial file is named by what it
is part of, is private, and belongs to one process at a time.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from huggingface_hub import cached_assets_path

from mindcorpus.sources.hub_retries import Exchange

_LOOK = 0.1  # seconds between two looks at a lock
#: A partial file that nobody went on with for so many days is removed.
_DAYS = 7
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
_VALIDATOR = ".validator"


def partial_path(cache: Path | None, origin: str, holds: str) -> Path:
    """Give where the partial file of a thing lies that comes from `origin` and `holds` this.

    Others from the same origin, and those nobody went on with for a week, are removed.
    """
    assets = cache and cache / "assets"
    folder = cached_assets_path("mindcorpus", "downloads", "partial", assets_dir=assets)
    folder.chmod(0o700)
    path = folder / f"{hashlib.sha256(origin.encode()).hexdigest()[:32]}.{holds}"
    _sweep(folder, path)
    return path


class Partial:
    """A partial file that is ours alone, as long as `hold` lasts."""

    def __init__(self, path: Path, file: FileIO) -> None:
        self.path = path
        self._file = file

    @property
    def size(self) -> int:
        """How many bytes are there."""
        return os.fstat(self._file.fileno()).st_size

    @property
    def validator(self) -> str:
        """What the server calls this state of the file, in ETag or Last-Modified; "" if nothing."""
        try:
            return _beside(self.path).read_text("latin-1")
        except FileNotFoundError:
            return ""

    def restart(self, validator: str = "") -> None:
        """Begin at zero, with a state of the file that the server calls `validator`."""
        self._file.truncate(0)
        beside = _beside(self.path)
        beside.unlink(missing_ok=True)
        if validator:
            beside.touch(0o600)
            beside.write_text(validator, "latin-1")

    def append(self, piece: bytes) -> None:
        """Write at the end, past any buffer that would die with the process."""
        self._file.seek(0, os.SEEK_END)
        rest = memoryview(piece)
        while rest:
            rest = rest[self._file.write(rest) :]

    def move_to(self, target: Path) -> None:
        """Make it the whole file `target`, in one step and with the modes that files get there."""
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            draft.touch()  # for its mode: nothing else tells the umask without changing it
            mode = draft.stat().st_mode
            try:
                self.path.replace(draft)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                shutil.copyfile(self.path, draft)
            draft.chmod(mode & 0o777)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        self.discard()

    def discard(self) -> None:
        """Remove it, and what stands beside it."""
        _remove(self.path)


@contextmanager
def hold(path: Path, exchange: Exchange) -> Iterator[Partial]:
    """Take a partial file, there or not, as soon as no other process has it."""
    while True:
        if (file := _opened(path)) is not None:
            with file:
                if not _locked(file.fileno()):
                    exchange.note = "another process downloads the same file"
                    exchange.received = os.fstat(file.fileno()).st_size
                elif _is_at(path, file.fileno()):
                    exchange.note = ""
                    yield Partial(path, file)
                    return
        # Who had it may have moved it away meanwhile: then there is another file, or none.
        exchange.cancel.wait(_LOOK)


def _opened(path: Path) -> FileIO | None:
    path.touch(0o600)
    try:
        return path.open("r+b", buffering=0)
    except FileNotFoundError:  # another process was done with it that very moment
        return None


def _sweep(folder: Path, wanted: Path) -> None:
    oldest = time.time() - _DAYS * 86_400
    for path in folder.iterdir():
        mine = path.name.removesuffix(_VALIDATOR)
        other = mine.partition(".")[0] == wanted.name.partition(".")[0] and mine != wanted.name
        with suppress(OSError):  # gone, or another's
            if mine == path.name and (other or path.stat().st_mtime < oldest):
                with path.open("rb") as file:
                    if _locked(file.fileno()):
                        _remove(path)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        # Without locks two may write to it at once; then the sum at the end is wrong.
        if error.errno not in _NO_LOCKS:
            raise
    return True


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _remove(path: Path) -> None:
    _beside(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + _VALIDATOR)

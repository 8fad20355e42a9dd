"""A file or folder within folders that an operator names, opened so that nothing leads out of them.

Every step below the named folder is opened by itself and no symbolic link is followed, so that it
does not matter who renames or swaps what meanwhile: what was opened is what is read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mindcorpus.errors import NotFoundError, SettingsError
from mindcorpus.inspection.place import Place
from mindcorpus.sources.catalog import SUFFIXES
from mindcorpus.sources.files import FetchedFile

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A pipe would keep who opens it waiting.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MANY = 10_000


@dataclass(frozen=True)
class Opened:
    """What was opened: the place, and the descriptors by which its files are read."""

    place: Place
    descriptors: tuple[int, ...]


def named(path: str, folders: Sequence[Path]) -> Path:
    """Give what `FOLDER/REST` means, FOLDER being the name of one of the folders.

    Raises `SettingsError` for what is in none of them.
    """
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or "\0" in path:
        raise _outside(folders)
    for folder in folders:
        if folder.name == parts[0]:
            return folder.joinpath(*parts[1:])
    raise _outside(folders)


@contextmanager
def open_inside(path: str, folders: Sequence[Path]) -> Iterator[Opened]:
    """Open `FOLDER/REST`, a file or a folder with data files, as long as the context lasts.

    Raises `SettingsError` for what is outside, or a link, and `NotFoundError`.
    """
    whole = named(path, folders)
    home = next(folder for folder in folders if whole.is_relative_to(folder))
    steps = whole.relative_to(home).parts
    with ExitStack() as stack:

        def hold(descriptor: int) -> int:
            stack.callback(os.close, descriptor)
            return descriptor

        with _errors(path):
            # The named folder itself may be a link: it is the operator's.
            at = hold(os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            for step in steps[:-1]:
                at = hold(os.open(step, _FOLDER, dir_fd=at))
            beside = at
            if steps:
                at = hold(os.open(steps[-1], _FILE, dir_fd=at))
            mode = os.fstat(at).st_mode
            if stat.S_ISREG(mode):
                size = os.fstat(at).st_size
                one = FetchedFile(whole.name, _of(at), size)
                place = Place(path=whole, files=(one,), beside=_of(beside))
                yield Opened(place, (at, beside))
                return
            if not stat.S_ISDIR(mode):
                raise _not_readable(path)
            found = sorted(_files(at))
        if not found:
            raise NotFoundError(
                "the folder holds no data files",
                file=path,
                hint=f"Files end in {', '.join(SUFFIXES)}.",
            )
        first = at
        with _errors(path):
            *folders_, last = PurePosixPath(found[0][0]).parts
            for step in folders_:
                first = hold(os.open(step, _FOLDER, dir_fd=first))
            first = hold(os.open(last, _FILE, dir_fd=first))
            if not stat.S_ISREG(os.fstat(first).st_mode):
                raise _not_readable(path)
        # Only the first is looked at.
        files = tuple(FetchedFile(name, _of(first), size) for name, size in found)
        yield Opened(Place(path=whole, files=files, beside=_of(at)), (first, at))


def _of(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}")


def _files(folder: int) -> Iterator[tuple[str, int]]:
    """Give the data files below a folder, as `fetch_local` finds them, and their sizes."""
    seen = 0
    for root, folders, files, at in os.fwalk(".", dir_fd=folder, follow_symlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = PurePosixPath(root, name)
            if name.startswith(".") or path.suffix.lower() not in SUFFIXES:
                continue
            if path.stem.lower() == "readme":
                continue
            status = os.stat(name, dir_fd=at, follow_symlinks=False)
            if stat.S_ISREG(status.st_mode):
                yield path.as_posix(), status.st_size
            if (seen := seen + 1) > _MANY:
                raise SettingsError(
                    f"the folder holds more than {_MANY:,} files", hint="Name one of its folders."
                )


@contextmanager
def _errors(path: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise NotFoundError("no such file or folder", file=path) from None
    except OSError:
        raise _not_readable(path) from None


def _not_readable(path: str) -> SettingsError:
    return SettingsError(
        "it is no file or folder that may be read",
        file=path,
        field="path",
        hint="Symbolic links are not followed, nor are pipes and devices read.",
    )


def _outside(folders: Sequence[Path]) -> SettingsError:
    names = ", ".join(folder.name for folder in folders)
    return SettingsError(
        "the path is in no folder that sources may be read from",
        field="path",
        hint=f"It begins with the name of one of them: {names}." if names else "There are none.",
    )

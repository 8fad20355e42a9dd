"""A file or folder within folders that an operator names, opened so that nothing leads out of them.

Every step below the named folder is opened by itself and no symbolic link is followed, so that it
does not matter who renames or swaps what meanwhile: what was opened is what is read.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mindcorpus.errors import NotFoundError, SettingsError
from mindcorpus.inspection.place import Place, draft, split_of
from mindcorpus.sources.file_formats import KNOWN_ENDINGS
from mindcorpus.sources.files import FetchedFile
from mindcorpus.sources.folders import NotRead, Opener, choose_files, saved_splits
from mindcorpus.system_calls import path_of

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A pipe would keep who opens it waiting.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MANY = 50_000
#: Of a file that tells which others are data, or of a zip of which one is.
_LOOKED_INTO = 4 * 1024 * 1024
_NAMED = 200


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
def open_inside(path: str, folders: Sequence[Path], split: str | None = None) -> Iterator[Opened]:
    """Open `FOLDER/REST`, a file or a folder with data files, as long as the context lasts.

    `split` is that of a saved dataset. Raises `SettingsError` for what is outside, or a link, and
    `NotFoundError`.
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
                one = FetchedFile(whole.name, path_of(at), size)
                place = Place(path=whole, files=(one,), beside=path_of(beside))
                yield Opened(place, (at, beside))
                return
            if not stat.S_ISDIR(mode):
                raise _not_readable(path)
            sizes, passed_by = _listed(at)
        splits = saved_splits(_opener(at))
        wanted = split_of(split, splits or ())
        source = draft(Place(path=whole), split=wanted)
        found, not_read = choose_files(source, sorted(sizes), _opener(at), path)
        if not found:
            raise NotFoundError(
                "the folder holds no data files",
                file=path,
                hint=f"Files end in {KNOWN_ENDINGS}.",
            )
        with _errors(path):
            first = stack.enter_context(_opened(at, found[0]))
        # Only the first is looked at.
        place = Place(
            path=whole,
            files=tuple(FetchedFile(name, path_of(first), sizes[name]) for name in found),
            beside=path_of(at),
            not_read=(*not_read, *passed_by),
            split=wanted,
            splits=splits or (),
        )
        yield Opened(place, (first, at))


@contextmanager
def _opened(folder: int, path: str) -> Iterator[int]:
    """Open a file below a folder, step by step; raises `OSError` for what is none."""
    *steps, last = PurePosixPath(path).parts
    with ExitStack() as stack:
        at = folder
        for step in steps:
            at = os.open(step, _FOLDER, dir_fd=at)
            stack.callback(os.close, at)
        at = os.open(last, _FILE, dir_fd=at)
        stack.callback(os.close, at)
        if not stat.S_ISREG(os.fstat(at).st_mode):
            raise OSError(errno.EINVAL, "no file")
        yield at


def _opener(folder: int) -> Opener:
    """Give what opens a folder's files to tell what others are; none that is long."""

    @contextmanager
    def opened(path: str) -> Iterator[Path]:
        with _opened(folder, path) as at:
            if os.fstat(at).st_size > _LOOKED_INTO:
                raise OSError(errno.EFBIG, "longer than is looked into")
            yield path_of(at)

    return opened


def _listed(folder: int) -> tuple[dict[str, int], list[NotRead]]:
    """Give the files below a folder with their sizes, and what of it is passed by."""
    sizes: dict[str, int] = {}
    passed_by: list[NotRead] = []
    for root, folders, files, at in os.fwalk(".", dir_fd=folder, follow_symlinks=False):
        for name in (*folders, *files):
            path = PurePosixPath(root, name).as_posix()
            status = os.stat(name, dir_fd=at, follow_symlinks=False)
            if stat.S_ISREG(status.st_mode):
                sizes[path] = status.st_size
            elif stat.S_ISLNK(status.st_mode):
                passed_by.append(NotRead(path, "a symbolic link, which is not followed"))
            elif not stat.S_ISDIR(status.st_mode):
                passed_by.append(NotRead(path, "a pipe or device"))
            elif name.startswith("."):
                passed_by.append(NotRead(f"{path}/", "hidden"))
        folders[:] = [name for name in folders if not name.startswith(".")]
        if len(sizes) + len(passed_by) > _MANY:
            raise SettingsError(
                f"the folder holds more than {_MANY:,} files", hint="Name one of its folders."
            )
    return sizes, passed_by[:_NAMED]


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

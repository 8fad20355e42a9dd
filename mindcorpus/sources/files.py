"""The files of a source on this disk: found in a user's folder, or checked against the lock."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mindcorpus.command_words import in_commands
from mindcorpus.compression import without_ending
from mindcorpus.errors import NotFoundError, WrongBytesError
from mindcorpus.progress import Progress, Reporter, silent
from mindcorpus.remedies import NameCopy, Remedy, Upgrade, continuing
from mindcorpus.sources.catalog import Source
from mindcorpus.sources.file_formats import KNOWN_ENDINGS, may_hold_rows
from mindcorpus.sources.folders import NotRead, files_of_folder

_PIECE = 1024 * 1024


@dataclass(frozen=True)
class FetchedFile:
    """One file of a source.

    `path` is its path within the source, `local` where it lies. `sha256` is the digest of what was
    read, or "" while nobody has read it; `expected` is what it must be, and `expected_git` what its
    id as a git blob must be, each "" if nobody said. A user's own file has neither.
    """

    path: str
    local: Path
    size: int
    sha256: str = ""
    expected: str = ""
    expected_git: str = ""
    guessed: str = ""
    """The encoding that its text was guessed to be in, or ""."""


@dataclass(frozen=True)
class Fetched:
    """A source's files; `origin` is the hub's owner/name, the URL, or "local".

    `split` is the split that they are, or "" if the source names its files.
    """

    source: str
    origin: str
    revision: str | None
    files: tuple[FetchedFile, ...]
    split: str = ""
    not_read: tuple[NotRead, ...] = ()
    """What of a folder is not read."""
    config: str = ""
    """The configuration of the repository, if the source names one."""


def fetch_local(source: Source, home: Path, *, report: Reporter = silent) -> Fetched:
    """Find a source's files in a folder laid out as on the hub, or as a single file.

    Where the source names no files, all of the folder's with a known ending are taken, by path;
    `files_of_folder` says which are left out. Raises `NotFoundError`.
    """
    not_read: tuple[NotRead, ...] = ()
    if home.is_file():
        found = {_name_of(source, home): home}
    elif not home.is_dir():
        hint, remedy = _on_absence(source)
        raise NotFoundError(
            "no such file or folder", source=source.name, file=str(home), hint=hint, remedy=remedy
        )
    elif source.files:
        found = {file.path: home / file.path for file in source.files}
    else:
        found, not_read = files_of_folder(source, home)
    if not found:
        raise NotFoundError(
            "the folder holds no data files",
            source=source.name,
            file=str(home),
            hint=f"Files end in {KNOWN_ENDINGS}.{_told(not_read)}",
        )
    for path, local in found.items():
        if not local.is_file():
            raise NotFoundError(
                f"{path} is not there",
                source=source.name,
                file=str(local),
                hint=f"The folder must hold {', '.join(file.path for file in source.files)}.",
            )
    files = tuple(FetchedFile(path, local, local.stat().st_size) for path, local in found.items())
    size = sum(file.size for file in files)
    report(Progress("fetch", item=source.name, done=size, total=size))
    return Fetched(source.name, "local", None, files, not_read=not_read)


def _told(not_read: tuple[NotRead, ...]) -> str:
    """Say of the first files of a folder why they are not read."""
    told = ", ".join(f"{each.path} ({each.reason})" for each in not_read[:3])
    return f" Not read: {told}." if told else ""


def _on_absence(source: Source) -> tuple[str, Remedy | None]:
    """Say how to add a source that is absent: the catalogue's words, with the option they name."""
    remedy = NameCopy(source.name)
    words = continuing(in_commands(remedy))
    if source.absent.endswith(words):
        return source.absent.removesuffix(words).rstrip(), remedy
    return source.absent or "Check the path for typing errors.", None


def _name_of(source: Source, file: Path) -> str:
    """Give the path within the source that a single file stands for."""
    if len(source.files) > 1:
        raise NotFoundError(
            "one file was named, but the source has several",
            source=source.name,
            file=str(file),
            hint=f"Name a folder that holds {', '.join(entry.path for entry in source.files)}.",
        )
    for entry in source.files:
        # Of another ending it is another format, which the entry's own must not hide.
        if _plain_suffix(entry.path) == _plain_suffix(file.name):
            return entry.path
    if not may_hold_rows(file.name):
        raise NotFoundError(
            "not a file whose format is known by its ending",
            source=source.name,
            file=str(file),
            hint=f"Files end in {KNOWN_ENDINGS}.",
        )
    return file.name


def _plain_suffix(name: str) -> str:
    return Path(without_ending(name)).suffix.lower()


def verify(
    file: FetchedFile, source: str, tick: Callable[[int], object] | None = None
) -> FetchedFile:
    """Read a file once and give it with its sha256; `tick` receives the size of each piece.

    Does nothing for a file whose sha256 is known. Raises `WrongBytesError` if it is not what is
    expected, and leaves it there, since others may be reading it: `remove_damaged` is for later.
    Raises `NotFoundError` if it is gone.
    """
    if file.sha256:
        return file
    try:
        # Who expects nothing needs no second digest, which takes as long as the first.
        git = bool(file.expected or file.expected_git)
        size, sha256, blob = digests(file.local, tick, git=git)
    except OSError as error:
        raise NotFoundError(
            f"cannot be read: {(error.strerror or 'input/output error').lower()}",
            source=source,
            file=str(file.local),
            hint="Check that the file is still there and may be read.",
        ) from None
    if not _is_expected(file, sha256, blob):
        if _as_announced(file, sha256, blob):
            raise changed(source, file.path)
        raise WrongBytesError(
            "the file in the cache is not what was fetched; it has been removed",
            source=source,
            file=file.path,
            hint="Run the same command again: it fetches the file anew.",
        )
    return replace(file, size=size, sha256=sha256)


def remove_damaged(file: FetchedFile) -> None:
    """Remove a file from the cache if it is damaged there, so that the next run fetches it again.

    Nothing else is removed: no user's file, and none that is what the hub announced. To be called
    when nobody reads the file any more.
    """
    if not (file.expected or file.expected_git):
        return
    try:
        _, sha256, blob = digests(file.local)
    except FileNotFoundError:
        return
    if not _is_expected(file, sha256, blob) and not _as_announced(file, sha256, blob):
        discard(file.local)


def _is_expected(file: FetchedFile, sha256: str, blob: str) -> bool:
    return file.expected in ("", sha256) and file.expected_git in ("", blob)


def _as_announced(file: FetchedFile, sha256: str, blob: str) -> bool:
    # The cache names a file by what the hub said it holds.
    return file.local.resolve().name in (sha256, blob)


def digests(
    local: Path, tick: Callable[[int], object] | None = None, *, git: bool = True
) -> tuple[int, str, str]:
    """Give a file's size, its sha256, and its id as git has it; `tick` receives sizes of pieces.

    Without `git` the id is "".
    """
    length, size = local.stat().st_size, 0
    sha256, blob = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % length, usedforsecurity=False)
    with local.open("rb") as stream:
        while piece := stream.read(_PIECE):
            sha256.update(piece)
            if git:
                blob.update(piece)
            size += len(piece)
            if tick is not None:
                tick(len(piece))
    return size, sha256.hexdigest(), blob.hexdigest() if git else ""


def changed(source: str, file: str) -> WrongBytesError:
    """Give the error for a file whose origin now holds something else than the lock."""
    return WrongBytesError(
        "the file is not the one that sources.lock names, though the revision is the same",
        source=source,
        file=file,
        hint="Find out why it changed; to accept it,",
        remedy=Upgrade(source),
    )


def changed_meanwhile(source: str, file: str) -> WrongBytesError:
    """Give the error for a file that somebody wrote to while it was merged."""
    return WrongBytesError(
        "the file was changed while it was merged",
        source=source,
        file=file,
        hint="Merge again when nobody writes to it.",
    )


def discard(local: Path) -> None:
    """Remove a file from the cache, and with it what a symbolic link there points to."""
    local.resolve().unlink(missing_ok=True)
    local.unlink(missing_ok=True)

"""Where a source to be inspected is: a path, a repository of the hub, or a URL; and its files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from mindcorpus.compression import open_plain, plain_name
from mindcorpus.errors import NotFoundError, SettingsError
from mindcorpus.progress import Cancellation, Reporter
from mindcorpus.settings import Settings
from mindcorpus.sources.catalog import File, Licence, Source
from mindcorpus.sources.file_formats import Format, format_of, may_hold_rows
from mindcorpus.sources.files import FetchedFile, fetch_local
from mindcorpus.sources.folders import NotRead, opener_of, saved_splits
from mindcorpus.sources.readers import readable
from mindcorpus.sources.readers.encodings import marked

_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_HUB = ("https://huggingface.co/datasets/", "https://hf.co/datasets/")
_NOT_A_NAME = re.compile(r"[^A-Za-z0-9_-]+")
_HEAD = 4096


@dataclass(frozen=True)
class Place:
    """One of the three; `name` is what a source of it may be called."""

    path: Path | None = None
    repository: str | None = None
    url: str | None = None
    files: tuple[FetchedFile, ...] = ()
    """Of a path whose first file was opened already: all its files, and where that can be read."""
    not_read: tuple[NotRead, ...] = ()
    split: str = ""
    splits: tuple[str, ...] = ()
    """Likewise of a folder that was opened: what of it is no data, and what splits it has."""
    beside: Path | None = None
    """Where what lies beside them can be read, if not by their path."""

    @property
    def name(self) -> str:
        """Give a name that an entry may have."""
        last = (self.repository or "").rpartition("/")[2]
        if self.path is not None:
            last = self.path.name.partition(".")[0]
        elif self.url is not None:
            last = PurePosixPath(unquote(urlsplit(self.url).path)).name.partition(".")[0]
        return _NOT_A_NAME.sub("-", last).strip("-_") or "source"

    @property
    def home(self) -> dict[str, str]:
        """Give the key of an entry that says where the source is."""
        if self.path is not None:
            return {"path": str(self.path)}
        return {"repository": self.repository} if self.repository else {"url": self.url or ""}


@dataclass(frozen=True)
class Found:
    """A place's files on this disk, of which the first is looked at, and what is known of it."""

    files: tuple[FetchedFile, ...]
    formats: Mapping[str, Format]
    """By path, where the ending does not say it."""
    names: tuple[str, ...] = ()
    """All paths of a repository that are its split."""
    not_read: tuple[NotRead, ...] = ()
    """What of a folder is no data."""
    split: str = ""
    splits: tuple[str, ...] = ()
    config: str = ""
    configurations: tuple[str, ...] = ()
    """Of a repository: those that its card names."""
    licence: str = ""
    """What the hub's card says, in the hub's own word."""


def place_of(where: str) -> Place:
    """Tell what is meant: an address, what is there on this disk, or OWNER/NAME of the hub.

    Raises `SettingsError`.
    """
    for hub in _HUB:
        if where.startswith(hub) and _REPOSITORY.fullmatch(rest := where.removeprefix(hub)):
            return Place(repository=rest)
    if re.match(r"https?://", where):
        return Place(url=where)
    path = Path(where).expanduser()
    if path.exists() or not _REPOSITORY.fullmatch(where):
        if not path.exists():
            raise NotFoundError(
                "no such file or folder",
                file=where,
                hint="Give a path, OWNER/NAME of a repository on the hub, or a URL.",
            )
        return Place(path=path.absolute())
    return Place(repository=where)


def draft(place: Place, **given: Any) -> Source:
    """Make an entry of a place that says nothing yet but where it is."""
    values: dict[str, Any] = {"name": place.name, "type": "unknown", **place.home, **given}
    licence = Licence(id="LicenseRef-Unknown", terms="Not known.", commercial="unknown")
    return Source(licence=licence, **values)


def find(
    place: Place,
    settings: Settings,
    *,
    config: str | None,
    split: str | None,
    report: Reporter,
    cancel: Cancellation,
) -> Found:
    """Bring the first of a place's files here, and tell of the others.

    Raises a `FetchError`, and `SettingsError` for a split where there are none.
    """
    if config and place.repository is None:
        raise SettingsError(
            "only repositories of the hub have configurations",
            field="config",
            hint="Leave the option out.",
        )
    if place.path is not None:
        return _of_disk(place, split, report)
    if split and place.repository is None:
        raise _no_splits()
    # Late: the hub's client takes a third of a second to load.
    from mindcorpus.inspection.remote import find_repository, find_url

    if place.repository is not None:
        return find_repository(
            place, settings, config=config, split=split, report=report, cancel=cancel
        )
    return find_url(place, settings, report, cancel)


def _no_splits() -> SettingsError:
    """Give the error for a split of what has none."""
    return SettingsError(
        "only repositories of the hub and datasets that were saved have splits",
        field="split",
        hint="Leave the option out.",
    )


def split_of(wanted: str | None, splits: Sequence[str]) -> str:
    """Give the split to look at where none is named: train, or else the first that there is."""
    return wanted or ("train" if "train" in splits or not splits else splits[0])


def _of_disk(place: Place, split: str | None, report: Reporter) -> Found:
    assert place.path is not None
    if place.files:
        if split and not place.splits:
            raise _no_splits()
        said = place.split if place.splits else ""
        # Only the first was opened.
        formats = formats_of(place.files[:1])
        return Found(place.files, formats, (), place.not_read, said, place.splits)
    splits = saved_splits(opener_of(place.path)) if place.path.is_dir() else None
    if split and splits is None:
        raise _no_splits()
    if place.path.is_file():
        size = place.path.stat().st_size
        files = (FetchedFile(place.path.name, place.path, size),)
        return Found(files, formats_of(files))
    wanted = split_of(split, splits or ())
    fetched = fetch_local(draft(place, split=wanted), place.path, report=report)
    said = wanted if splits else ""
    formats = formats_of(fetched.files)
    return Found(fetched.files, formats, (), fetched.not_read, said, splits or ())


def formats_of(files: tuple[FetchedFile, ...]) -> dict[str, Format]:
    """Give the formats of files whose names do not say them, by what they begin with.

    Raises `DataError` for a file that is packed and damaged.
    """
    return {
        file.path: _format_of(file)
        for file in files
        if format_of(file.path) is None and not _is_said_by_zip(file)
    }


def _is_said_by_zip(file: FetchedFile) -> bool:
    if not may_hold_rows(file.path):
        return False
    with readable(file.path):
        return format_of(plain_name(file.local, file.path)) is not None


def _format_of(file: FetchedFile) -> Format:
    with readable(file.path), open_plain(file.local, file.path) as plain:
        head = plain.read(_HEAD)
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return "arrow"
    text = head.decode(marked(head) or "utf-8", "replace").removeprefix("\ufeff")
    # JSON lines come through as well: which of the two it is shows when it is read.
    return "json" if text.lstrip()[:1] in ("{", "[") else "csv"


def entry_files(place: Place, found: Found) -> tuple[File, ...]:
    """Give what an entry must say of its files; nothing where they are found without it."""
    if place.repository is not None:
        return ()
    if len(found.files) > 1:
        # Who names some files of a folder names all: the others would not be read.
        return (
            tuple(File(path=file.path, format=found.formats.get(file.path)) for file in found.files)
            if found.formats
            else ()
        )
    return tuple(File(path=path, format=format_) for path, format_ in found.formats.items())

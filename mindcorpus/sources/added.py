"""Entries that were added to a data folder: a file each, read by all who merge into it.

`sources/NAME.toml` holds the entry NAME alone. A file that is wrong fails who asks for its source,
and is named to who lists all; the others are read all the same.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mindcorpus.errors import (
    CatalogError,
    ExistsError,
    MindcorpusError,
    NotFoundError,
    SettingsError,
    storage_errors,
)
from mindcorpus.privacy import drafted
from mindcorpus.settings import Settings
from mindcorpus.sources.catalog import Catalog, Source, load_catalog, read_entries
from mindcorpus.storage.store import Store

FOLDER = "sources"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Added:
    """The entries of a data folder by name, and what is wrong with those that cannot be read."""

    sources: Mapping[str, Source]
    broken: Mapping[str, CatalogError]

    def catalog(self, files: Iterable[Path] = ()) -> Catalog:
        """Give the catalogue with these behind the project's and those of `files`.

        Raises `CatalogError` for a name that is taken, and as `load_catalog`.
        """
        known = load_catalog(tuple(files))
        for name in self.sources:
            if name in known.names:
                raise _wrong(name, f"the name {name} is taken by another source")
        return Catalog((*known, *self.sources.values()))


def added_names(data_dir: Path) -> tuple[str, ...]:
    """Give the names of a data folder's own entries, those that are wrong too.

    Raises `StorageError`.
    """
    folder = data_dir / FOLDER
    with storage_errors(data_dir):
        found = [*folder.glob("*.toml")] if folder.is_dir() else []
    return tuple(sorted(file.stem for file in found if not file.name.startswith(".")))


def read_added(data_dir: Path, names: Iterable[str] | None = None) -> Added:
    """Read entries of a data folder: those of these names, or all."""
    sources: dict[str, Source] = {}
    broken: dict[str, CatalogError] = {}
    for name in added_names(data_dir) if names is None else names:
        try:
            sources[name] = _read(data_dir / FOLDER / f"{name}.toml", name)
        except CatalogError as error:
            broken[name] = error
    return Added(sources, broken)


def write_added(source: Source, text: str, settings: Settings, *, replace: bool = False) -> Path:
    """Add an entry, `text`, to a data folder; there whole or not at all, for its owner alone.

    Raises `ExistsError` where one of its name is there and may not be replaced, `CatalogError`
    for the name of a source that is no entry of the folder, and `StorageError`.
    """
    if source.name in load_catalog().names:
        raise _wrong(source.name, f"the name {source.name} is taken by a source of the project")
    assert read_entries(text, source.name) == (source,), "the entry says something else"
    store = Store.of(settings)
    folder = settings.data_dir / FOLDER
    with storage_errors(folder):
        store.make_folder(folder)
        path = folder / f"{source.name}.toml"
        try:
            with drafted(path, text.encode()) as draft:
                store.close(draft)
                if replace:
                    draft.replace(path)
                else:
                    os.link(draft, path)  # fails where another was quicker
        except FileExistsError:
            raise ExistsError(
                f"a source {source.name} was added before",
                source=source.name,
                hint="Give this one another name, or remove that one first.",
            ) from None
    return path


def remove_added(name: str, data_dir: Path) -> None:
    """Remove an entry from a data folder; raises `NotFoundError` if there is none of the name."""
    path = data_dir / FOLDER / f"{name}.toml"
    with storage_errors(path):
        there = bool(_NAME.fullmatch(name))
        try:
            if there:
                path.unlink()
        except FileNotFoundError:
            there = False
    if not there:
        raise NotFoundError(
            "no such source was added",
            hint=f"There are {', '.join(added_names(data_dir)) or 'none'}.",
        )


def refuse_outside(source: Source, files: Iterable[Path], settings: Settings) -> None:
    """Refuse files of an added source that lie outside of the folders that an operator names.

    Raises `SettingsError`. An entry that is no data folder's own may be anywhere.
    """
    if source.path is None or source.name not in added_names(settings.data_dir):
        return
    homes = [folder.resolve() for folder in settings.source_folders]
    for file in files:
        there = file.resolve()
        if not any(there.is_relative_to(home) for home in homes):
            raise SettingsError(
                "the source was added, and its files are in no folder that sources may be read"
                " from",
                source=source.name,
                hint="MINDCORPUS_SOURCE_FOLDERS names these, to workers and web server alike.",
            )


def _read(file: Path, name: str) -> Source:
    shown = f"{FOLDER}/{file.name}"
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise _wrong(name, f"cannot be read: {reason}") from None
    try:
        entries = read_entries(text, shown)
    except MindcorpusError as error:
        error.hint = error.hint or _HINT
        raise
    if len(entries) != 1 or entries[0].name != name:
        raise _wrong(name, f"must hold one entry, called {name}")
    return entries[0]


_HINT = "Mend the file, or remove it; the other sources can be merged without it, by name."


def _wrong(name: str, title: str) -> CatalogError:
    return CatalogError(title, file=f"{FOLDER}/{name}.toml", source=name, hint=_HINT)

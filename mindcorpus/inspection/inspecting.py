"""inspect_source(): what files hold, what a merge would make of them, the entry that names them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from pydantic import ValidationError

from mindcorpus.errors import DataError, SettingsError
from mindcorpus.inspection.columns import Column, columns_of
from mindcorpus.inspection.entries import entry_text
from mindcorpus.inspection.licences import FoundLicence, licence_beside, licence_said
from mindcorpus.inspection.place import Found, Place, entry_files, find, place_of
from mindcorpus.inspection.preview import Preview, count_rows, peek, preview
from mindcorpus.options import problem
from mindcorpus.progress import Cancellation, Reporter, silent
from mindcorpus.settings import Settings
from mindcorpus.sources.catalog import SUFFIXES, Format, Source
from mindcorpus.sources.layouts import FIRST_ROWS, Layout, detect
from mindcorpus.sources.readers import Shard, plan_shards

TYPE = "conversation"


@dataclass(frozen=True)
class FileFacts:
    """One file of a source."""

    path: str
    format: str
    bytes: int | None
    """None of a file that was not fetched."""
    rows: int | None
    counted: bool
    """Whether all rows were counted; else their number is taken from the file's size."""


@dataclass(frozen=True)
class Inspection:
    """What was found out about a source; the texts of five records are in it, nothing else is."""

    files: tuple[FileFacts, ...]
    """The first is the one that was looked at."""
    split: str
    splits: tuple[str, ...]
    configurations: tuple[str, ...]
    layout: Layout | None
    """None where it is none that is known: then there is no preview, and no entry."""
    columns: tuple[Column, ...]
    columns_of_rows: int
    """How many rows the columns are told of."""
    preview: Preview | None
    licence: FoundLicence
    source: Source | None
    """The entry, checked."""
    entry: str
    """The same as TOML, for a catalogue file."""

    def as_dict(self, *, cut: bool = False) -> dict[str, Any]:
        """Give JSON values; with long texts cut, if so wanted."""
        seen = self.preview
        if cut and seen is not None:
            seen = replace(seen, records=tuple(record.cut() for record in seen.records))
        return {
            "files": [asdict(file) for file in self.files],
            "split": self.split,
            "splits": list(self.splits),
            "configurations": list(self.configurations),
            "layout": None if self.layout is None else asdict(self.layout),
            "columns": [asdict(column) for column in self.columns],
            "columns_of_rows": self.columns_of_rows,
            "preview": None if seen is None else asdict(seen),
            "licence": {
                **self.licence.licence.model_dump(mode="json"),
                "said_by": self.licence.said_by,
            },
            "entry": self.entry,
        }


def inspect_source(
    where: str | Place,
    settings: Settings,
    *,
    name: str | None = None,
    type_: str | None = None,
    licence: str | None = None,
    config: str | None = None,
    split: str | None = None,
    report: Reporter = silent,
    cancel: Cancellation | None = None,
) -> Inspection:
    """Look at a path, a repository of the hub or a URL; nothing is written but the hub's cache.

    Of a file its first 10,000 rows or 32 MiB are read; what is elsewhere is fetched, of a
    repository the first file of the split. Raises a `FetchError`, `DataError` for a file that
    cannot be read on, `SettingsError` and `CancelledError`.
    """
    cancel = cancel or Cancellation()
    place = place_of(where) if isinstance(where, str) else where
    found = find(place, settings, config=config, split=split, report=report, cancel=cancel)
    first = found.files[0]
    shards = plan_shards(first.local, first.path, _read_as(first.path, found))
    if not shards:
        raise DataError("the file has no rows", file=first.path)
    rows = peek(shards[0], settings, cancel)
    # By as many rows as a merge looks at where an entry leaves it to be seen.
    layout = detect([row for row in rows if isinstance(row, dict)][:FIRST_ROWS])
    said = _licence(place, found, licence)
    source = seen = None
    if layout is not None:
        source = _entry(place, found, layout, said, name, type_, config)
        seen = preview(source, first, shards[0], settings, cancel)
    return Inspection(
        files=_facts(found, shards, seen),
        split=found.split,
        splits=found.splits,
        configurations=found.configurations,
        layout=layout,
        columns=columns_of(rows),
        columns_of_rows=len(rows),
        preview=seen,
        licence=said,
        source=source,
        entry="" if source is None else entry_text(source),
    )


def _read_as(path: str, found: Found) -> Format:
    suffix = PurePosixPath(path).suffix.lower()
    return found.formats[path] if path in found.formats else SUFFIXES[suffix]


def _licence(place: Place, found: Found, said: str | None) -> FoundLicence:
    if said:
        return licence_said(said, "you")
    if place.path is not None:
        return licence_beside(place.beside or place.path)
    return licence_said(found.licence, "hub card")


def _entry(
    place: Place,
    found: Found,
    layout: Layout,
    licence: FoundLicence,
    name: str | None,
    type_: str | None,
    config: str | None,
) -> Source:
    """Make the entry; raises `SettingsError` for a name or type that none can have."""
    values: dict[str, Any] = {
        "name": name or place.name,
        "type": type_ or TYPE,
        **place.home,
        "files": entry_files(place, found),
        "adapter": layout.adapter,
        "options": dict(layout.options),
        "licence": licence.licence,
    }
    if found.split:
        values["split"] = found.split
    if config:
        values["config"] = config
    try:
        return Source.model_validate(values)
    except ValidationError as error:
        field, message = problem(error)
        raise SettingsError(f"{field}: {message}", field=field) from None


def _facts(found: Found, shards: list[Shard], seen: Preview | None) -> tuple[FileFacts, ...]:
    """Tell of all files; of those that were not looked at, how many rows they may have."""
    first = found.files[0]
    rows, counted = _rows(shards, seen, first.size)
    facts = [FileFacts(first.path, shards[0].format, first.size, rows, counted)]
    for file in found.files[1:]:
        guess = None if rows is None else rows * file.size // first.size
        facts.append(
            FileFacts(file.path, _read_as(file.path, found), file.size, guess, counted=False)
        )
    known = {file.path for file in found.files}
    facts += [
        FileFacts(path, _read_as(path, found), bytes=None, rows=None, counted=False)
        for path in found.names
        if path not in known
    ]
    return tuple(facts)


def _rows(shards: list[Shard], seen: Preview | None, size: int) -> tuple[int | None, bool]:
    """Give the rows of the file that was looked at, and whether they were counted."""
    if shards[0].format == "parquet":
        return count_rows(shards[0].path), True
    if seen is None:
        return None, False
    if seen.whole and len(shards) == 1:
        return seen.rows, True
    return seen.rows * size // max(1, min(seen.bytes, size)), False

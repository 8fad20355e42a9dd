"""inspect_source(): what files hold, what a merge would make of them, the entry that names them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mindcorpus.compression import ENDINGS
from mindcorpus.errors import DataError, SettingsError
from mindcorpus.inspection.beginning import Ready, make_ready, shards_of_beginning
from mindcorpus.inspection.columns import Column, columns_of
from mindcorpus.inspection.entries import entry_text
from mindcorpus.inspection.licences import FoundLicence, licence_beside, licence_said
from mindcorpus.inspection.place import Found, Place, draft, entry_files, find, place_of
from mindcorpus.inspection.preview import Preview, count_rows, peek, preview
from mindcorpus.options import problem
from mindcorpus.progress import Cancellation, Reporter, silent
from mindcorpus.settings import Settings
from mindcorpus.sources.catalog import Source
from mindcorpus.sources.file_formats import BINARY, format_of
from mindcorpus.sources.folders import NotRead
from mindcorpus.sources.layouts import FIRST_ROWS, Layout, detect
from mindcorpus.sources.readers import Shard
from mindcorpus.sources.readers.encodings import SURE

TYPE = "conversation"


@dataclass(frozen=True)
class TextFacts:
    """How the text of a file is written."""

    encoding: str
    guessed: bool
    """Whether nothing says the encoding but the text itself."""
    confidence: float | None
    """What a guess needs at least to be taken; None where nothing was guessed."""
    delimiter: str | None = None
    """Between the cells of a table."""
    header: tuple[str, ...] = ()
    """The columns that a table's first row names."""
    rows_under: str = ""
    """The key of a JSON object under which the rows are."""


@dataclass(frozen=True)
class FileFacts:
    """One file of a source."""

    path: str
    format: str | None
    """None of a zip that was not looked at."""
    compression: str | None
    """By its bytes; of a file that was not looked at by its ending."""
    bytes: int | None
    """None of a file that was not fetched."""
    rows: int | None
    counted: bool
    """Whether all rows were counted; else their number is taken from the file's size."""
    text: TextFacts | None = None
    """None of a file that is no text, or was not looked at."""


@dataclass(frozen=True)
class Inspection:
    """What was found out about a source; the texts of five records are in it, nothing else is."""

    files: tuple[FileFacts, ...]
    """The first is the one that was looked at."""
    not_read: tuple[NotRead, ...]
    """What else is in a folder, and why a merge does not read it."""
    split: str
    splits: tuple[str, ...]
    config: str
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
        seen, layout = self.preview, self.layout
        if cut and seen is not None:
            seen = replace(seen, records=tuple(record.cut() for record in seen.records))
        return {
            "files": [asdict(file) for file in self.files],
            "not_read": [asdict(each) for each in self.not_read],
            "split": self.split,
            "splits": list(self.splits),
            "config": self.config,
            "configurations": list(self.configurations),
            "layout": None if layout is None else {**layout.as_dict(), "columns": layout.columns},
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
    said = _licence(place, found, licence)
    source = seen = None
    with tempfile.TemporaryDirectory(prefix="mindcorpus-") as scratch:
        bare = draft(place, files=entry_files(place, found))
        ready = make_ready(bare, first, settings, Path(scratch), cancel)
        shards = shards_of_beginning(bare, first, ready)
        if not shards:
            raise DataError("the file has no rows", file=first.path)
        rows = peek(shards[0], settings, cancel)
        # By as many rows as a merge looks at where an entry leaves it to be seen.
        layout = detect([row for row in rows if isinstance(row, dict)][:FIRST_ROWS])
        if layout is not None:
            reading = _reading(found, ready, shards[0])
            source = _entry(place, found, layout, said, name, type_, reading)
            # As the entry says: its options' names of columns tell forms of JSON apart.
            shards = shards_of_beginning(source, first, ready)
            seen = preview(source, first, ready, shards, settings, cancel)
        files = _facts(found, ready, shards, seen, rows)
    return Inspection(
        files=files,
        not_read=found.not_read,
        split=found.split,
        splits=found.splits,
        config=found.config,
        configurations=found.configurations,
        layout=layout,
        columns=columns_of(rows),
        columns_of_rows=len(rows),
        preview=seen,
        licence=said,
        source=source,
        entry="" if source is None else entry_text(source),
    )


def _reading(found: Found, ready: Ready, shard: Shard) -> dict[str, str]:
    """Give what an entry says of how its file is read, so that a merge reads it as it was shown.

    Of several files each is told by itself: what one of them is says nothing of the others.
    """
    if len(found.files) > 1 or len(found.names) > 1:
        return {}
    said = {}
    if ready.prepared.guessed:
        said["encoding"] = ready.prepared.encoding
    if shard.format == "csv" and shard.dialect.delimiter != _usual_delimiter(shard.file):
        said["delimiter"] = shard.dialect.delimiter
    if shard.format == "json-rows" and shard.key:
        said["rows"] = shard.key
    return said


def _usual_delimiter(file: str) -> str:
    return "\t" if format_of(file) == "csv" and ".tsv" in file.lower() else ","


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
    reading: Mapping[str, str],
) -> Source:
    """Make the entry; raises `SettingsError` for a name or type that none can have."""
    values: dict[str, Any] = {
        "name": name or place.name,
        "type": type_ or TYPE,
        **place.home,
        "files": entry_files(place, found),
        **reading,
        "adapter": layout.adapter,
        "options": dict(layout.options),
        "licence": licence.licence,
    }
    if found.split:
        values["split"] = found.split
    if found.config:
        values["config"] = found.config
    try:
        return Source.model_validate(values)
    except ValidationError as error:
        field, message = problem(error)
        raise SettingsError(f"{field}: {message}", field=field) from None


def _facts(
    found: Found,
    ready: Ready,
    shards: list[Shard],
    seen: Preview | None,
    peeked: Sequence[Any],
) -> tuple[FileFacts, ...]:
    """Tell of all files; of those that were not looked at, how many rows they may have."""
    first = found.files[0]
    rows, counted = _rows(ready, shards, seen)
    format_ = "json" if shards[0].format.startswith("json-") else shards[0].format
    facts = [
        FileFacts(
            first.path,
            format_,
            ready.compression,
            first.size,
            rows,
            counted,
            _text(ready, shards[0], peeked),
        )
    ]
    for file in found.files[1:]:
        guess = None if rows is None else rows * file.size // max(1, first.size)
        facts.append(_by_name(file.path, found, file.size, guess))
    known = {file.path for file in found.files}
    facts += [_by_name(path, found, None, None) for path in found.names if path not in known]
    return tuple(facts)


def _by_name(path: str, found: Found, size: int | None, rows: int | None) -> FileFacts:
    format_ = found.formats.get(path) or format_of(path)
    ending = f".{path.rpartition('.')[2].lower()}"
    return FileFacts(path, format_, ENDINGS.get(ending), size, rows, counted=False)


def _text(ready: Ready, shard: Shard, peeked: Sequence[Any]) -> TextFacts | None:
    prepared = ready.prepared
    if prepared.format in BINARY:
        return None
    table = shard.format == "csv"
    first = next((row for row in peeked if isinstance(row, Mapping)), {})
    return TextFacts(
        prepared.encoding,
        prepared.guessed,
        SURE if prepared.guessed else None,
        shard.dialect.delimiter if table else None,
        tuple(first) if table else (),
        shard.key,
    )


def _rows(ready: Ready, shards: list[Shard], seen: Preview | None) -> tuple[int | None, bool]:
    """Give the rows of the file that was looked at, and whether they were counted."""
    if shards[0].format == "parquet":
        return count_rows(shards[0].path), True
    if seen is None:
        return None, False
    if seen.whole:
        return seen.rows, True
    return seen.rows * ready.size // max(1, min(seen.bytes, ready.size)), False

"""sources inspect: what a source would be, shown or as JSON, and its entry written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.filesize import decimal
from rich.text import Text

from mindcorpus.cli.tables import harmless, heading, table
from mindcorpus.cli.terminal import Terminal, print_json
from mindcorpus.errors import SettingsError
from mindcorpus.inspection.entries import has_entry, write_entry
from mindcorpus.inspection.inspecting import Inspection, inspect_source
from mindcorpus.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import RenderableType

    from mindcorpus.inspection.columns import Column, Lengths
    from mindcorpus.inspection.inspecting import FileFacts, TextFacts
    from mindcorpus.inspection.preview import Preview, Shown

_SHOWN = 600  # characters of a text
_DELIMITERS = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars", " ": "spaces"}


def inspect_one(
    where: str,
    *,
    name: str | None,
    type: str | None,  # noqa: A002 - the option's own word
    licence: str | None,
    config: str | None,
    split: str | None,
    write: Path | None,
    force: bool,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Show what was found out, and write the entry if a file is named."""
    settings = Settings.load(data_dir=data_dir)
    terminal = Terminal()
    with terminal.watch() as (report, cancel):
        found = inspect_source(
            where,
            settings,
            name=name,
            type_=type,
            licence=licence,
            config=config,
            split=split,
            report=report,
            cancel=cancel,
        )
    if as_json:
        print_json(found.as_dict())
    else:
        terminal.show(*_parts(found))
    if write is not None:
        _write(terminal, found, write, force=force)


def _write(terminal: Terminal, found: Inspection, file: Path, *, force: bool) -> None:
    if found.source is None:
        raise SettingsError(
            "there is no entry to write: the layout is not known",
            hint="Write one by hand; docs/sources.md has the adapters and an entry of each kind.",
        )
    name = found.source.name
    if not force and has_entry(name, file):
        terminal.confirm([f"{file} has an entry {name}"])
        force = True
    write_entry(found.source, found.entry, file, replace=force)
    terminal.say(
        f"Written to {file}. Next: mindcorpus merge --catalog {file} --source {name}",
    )


def _parts(found: Inspection) -> Iterator[RenderableType]:
    yield heading("Files")
    yield table(("File", "Format", "Size", "Rows"), map(_file_row, found.files))
    if found.files[0].text is not None:
        yield Text(harmless(_how_written(found.files[0].text)))
    for what, names, read in (
        ("Splits", found.splits, found.split),
        ("Configurations", found.configurations, found.config),
    ):
        if names:
            said = f"; looked at: {read}" if read else ""
            yield Text(harmless(f"{what}: {', '.join(names)}{said}"))
    if found.not_read:
        yield heading("Files that are not read")
        yield table(("File", "Reason"), [(each.path, each.reason) for each in found.not_read])
    yield heading(f"Columns of the first {found.columns_of_rows:,} rows")
    yield table(("Column", "Type", "Filled", "Characters", "Items"), map(_column, found.columns))
    yield heading("Layout")
    if found.layout is None:
        yield Text("None that is known; docs/sources.md has those that are.")
    else:
        yield Text(harmless(f"{found.layout.name}: {found.layout.reason}"))
    if found.preview is not None:
        yield from _preview_parts(found.preview)
    licence = found.licence
    said = f" (said by {licence.said_by})" if licence.said_by else ""
    yield heading("Licence")
    yield Text(
        harmless(f"{licence.licence.id}{said}; commercial use: {licence.licence.commercial}")
    )
    if found.entry:
        yield heading("Entry")
        yield Text(harmless(found.entry.rstrip()))


def _file_row(file: FileFacts) -> tuple[str, str, str, str]:
    size = "" if file.bytes is None else decimal(file.bytes)
    about = "" if file.counted else "about "
    kind = " in ".join(filter(None, (file.format or "?", file.compression)))
    return file.path, kind, size, "" if file.rows is None else f"{about}{file.rows:,}"


def _how_written(text: TextFacts) -> str:
    """Say how the text of the file is written that was looked at."""
    said = [f"Encoding: {text.encoding}"]
    if text.guessed:
        said.append(f"guessed, at least {text.confidence:.0%} sure")
    if text.delimiter is not None:
        said.append(f"cells parted by {_DELIMITERS.get(text.delimiter, text.delimiter)}")
        said.append(f"header: {' | '.join(text.header)}")
    if text.rows_under:
        said.append(f"rows under the key {text.rows_under}")
    return "; ".join(said)


def _column(column: Column) -> tuple[str, str, int, str, str]:
    return (
        column.name,
        ", ".join(column.types) or "nothing",
        column.filled,
        _lengths(column.characters),
        _lengths(column.items),
    )


def _lengths(lengths: Lengths | None) -> str:
    if lengths is None:
        return ""
    return f"{lengths.least:,} to {lengths.most:,}, median {lengths.median:,}"


def _preview_parts(seen: Preview) -> Iterator[RenderableType]:
    rows = "all rows" if seen.whole else f"the first {seen.rows:,} rows"
    yield heading(f"What a merge would make of {rows}")
    yield Text(f"{seen.kept:,} of {seen.rows:,} are kept, before duplicates are looked for.")
    if seen.dropped:
        drops = [(reason, rows, seen.examples[reason]) for reason, rows in seen.dropped.items()]
        yield table(("Dropped as", "Rows", "First row"), drops)
    if seen.changed:
        yield table(("Changed", "Rows"), list(seen.changed.items()))
    for record in seen.records:
        yield from _record(record)


def _record(record: Shown) -> Iterator[RenderableType]:
    yield heading(f"Row {record.row}")
    if record.tags:
        yield Text(harmless(f"tags: {', '.join(record.tags)}"), "dim")
    for name in ("input", "response", "rejected_response"):
        if text := getattr(record, name):
            yield Text(f"{name}: ", "dim").append(_cut(text), "not dim")
    if record.messages:
        roles = ", ".join(turn["role"] for turn in record.messages)
        yield Text(f"turns: {roles}", "dim")


def _cut(text: str) -> str:
    if len(text) <= _SHOWN:
        return harmless(text)
    return f"{harmless(text[:_SHOWN])} … ({len(text):,} characters)"

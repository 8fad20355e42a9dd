"""An entry as TOML, and into a catalogue file of the user's own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mindcorpus.errors import CatalogError, ExistsError, storage_errors
from mindcorpus.privacy import drafted
from mindcorpus.remedies import Replace
from mindcorpus.sources.catalog import Source, load_catalog, read_entries

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_HEAD = re.compile(r"^[ \t]*\[\[[ \t]*source[ \t]*\]\]", re.MULTILINE)


def entry_text(source: Source) -> str:
    """Give an entry as it stands in a catalogue file; what is by default is left out."""
    values = source.model_dump(mode="json", exclude_defaults=True)
    licence, options = values.pop("licence"), values.pop("options", {})
    files = values.pop("files", [])
    lines = ["[[source]]", *_lines(values)]
    for file in files:
        lines += ["", "[[source.files]]", *_lines(file)]
    if options:
        lines += ["", "[source.options]", *_lines(options)]
    lines += ["", "[source.licence]", *_lines(licence)]
    text = "\n".join(lines) + "\n"
    assert read_entries(text, source.name) == (source,), "the entry says something else"
    return text


def _lines(values: Mapping[str, Any]) -> list[str]:
    return [
        f"{_key(name)} = {_value(value)}" for name, value in values.items() if value is not None
    ]


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(name)} = {_value(one)}" for name, one in value.items())
        return f"{{ {inner} }}"
    if isinstance(value, Sequence):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value)


def _text(text: str) -> str:
    # TOML's basic strings escape as JSON does, and the delete character as well.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def write_entry(source: Source, text: str, file: Path, *, replace: bool = False) -> None:
    """Add an entry to a catalogue file, or make the file; there whole or not at all.

    Another entry of its name is replaced if that is said, all else stays as it is. Raises
    `ExistsError` if it is not, `CatalogError` for a name of the project's or a file that is wrong,
    and `StorageError`.
    """
    if source.name in load_catalog().names:
        raise CatalogError(
            f"entry {source.name}: the name is taken by a source of the project",
            file=str(file),
            field="name",
            hint="Give it another name.",
        )
    before = _read(file)
    there = read_entries(before, str(file)) if before.strip() else ()
    if source.name not in (entry.name for entry in there):
        after = f"{before.rstrip()}\n\n{text}" if before.strip() else text
    elif replace:
        after = _replaced(before, source, text, file)
    else:
        raise ExistsError(
            f"{file} has an entry {source.name}", source=source.name, remedy=Replace()
        )
    expected = [source if entry.name == source.name else entry for entry in there]
    if source not in expected:
        expected.append(source)
    if read_entries(after, str(file)) != tuple(expected):
        raise CatalogError(
            "the entry cannot be set in without changing others",
            file=str(file),
            hint="Write it to a file of its own.",
        )
    with storage_errors(file), drafted(file, after.encode()) as draft:
        draft.replace(file)


def has_entry(name: str, file: Path) -> bool:
    """Tell whether a catalogue file has an entry of a name; raises `CatalogError`."""
    text = _read(file)
    return bool(text.strip()) and name in (entry.name for entry in read_entries(text, str(file)))


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise CatalogError(f"cannot be read: {reason}", file=str(file)) from None


def _replaced(before: str, source: Source, text: str, file: Path) -> str:
    """Put a text in the place of the entry of the same name."""
    heads = [found.start() for found in _HEAD.finditer(before)]
    names = [entry.name for entry in read_entries(before, str(file))]
    if len(heads) != len(names):
        # A text holds what looks like the head of an entry; what comes of it would be refused.
        return before
    at = names.index(source.name)
    end = heads[at + 1] if at + 1 < len(heads) else len(before)
    rest = before[end:]
    return f"{before[: heads[at]]}{text}{chr(10) if rest else ''}{rest}"

"""What loads a format, and what to do with it: with its path, and what it does not hold said."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mindcorpus.storage.manifest import sections_of

if TYPE_CHECKING:
    from mindcorpus.formats.entry import FormatEntry


def snippet_of(entry: FormatEntry, path: str | Path, manifest: Mapping[str, Any]) -> str:
    """Give what loads a format that is at a path; {} for the manifest of one that is not made.

    A line at its end says which parts have no record: examples name train and validation.
    """
    snippet = _filled(entry.snippet, path)
    if not snippet or not (told := _without_records(manifest)):
        return snippet
    # A remark in Python and in a shell.
    return f"{snippet}# {told[:1].upper()}{told[1:]}: leave out what names it.\n"


def use_of_format(entry: FormatEntry, path: str | Path, told: Mapping[str, Any]) -> str:
    """Say what to do with a format at a path; `told` has `split` and `sections` of its manifest."""
    use, missing = _filled(entry.use, path), _without_records(told)
    return f"{use}; {missing}" if missing else use


def _filled(words: str, path: str | Path) -> str:
    bare = str(path)
    # What JSON escapes in a string Python reads likewise.
    python = json.dumps(bare, ensure_ascii=False)
    return words.format(path=bare, python=python, shell=shlex.quote(bare))


def _without_records(manifest: Mapping[str, Any]) -> str:
    """Name the parts without a record, of each section; "" where all have some."""
    found = [
        f"{part} part" + (f" of {section['name']}" if section.get("name") else "")
        for section in sections_of(manifest)
        if section.get("split") and section["rows"]
        for part, counts in section["split"]["parts"].items()
        if not counts["rows"]
    ]
    return f"no record is in the {' and the '.join(found)}" if found else ""

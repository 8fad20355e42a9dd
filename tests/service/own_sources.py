"""Sources of a test's own: rows in a file, and the catalogue entry that names them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

_ENTRY = """
[[source]]
name = "{name}"
path = "{folder}"
type = "talk"
tags = []
[[source.files]]
path = "{name}.jsonl"
[source.options]
input = "q"
response = "a"
[source.licence]
id = "CC0-1.0"
terms = "None."
commercial = "yes"
"""


def own_source(folder: Path, name: str, rows: int, answer: str = "Go on.") -> Path:
    """Write a source of so many rows with the same answer; give its catalogue file."""
    return source_of(folder, name, ((f"{name} asks {row}?", answer) for row in range(rows)))


def source_of(folder: Path, name: str, rows: Iterable[tuple[str, str]]) -> Path:
    """Write a source of these questions and answers; give its catalogue file."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.jsonl").open("w", encoding="utf-8") as file:
        for question, answer in rows:
            line = {"q": question, "a": answer}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    catalog = folder / f"{name}.toml"
    catalog.write_text(_ENTRY.format(name=name, folder=folder))
    return catalog

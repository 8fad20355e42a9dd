"""Which files hold rows, by their names, and what a catalogue entry may say of how one is read."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

from mindcorpus.compression import ENDINGS, without_ending

Format = Literal["json", "jsonl", "csv", "parquet", "arrow"]
SUFFIXES: Mapping[str, Format] = {
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".arrow": "arrow",
}
#: Formats of which the bytes are no text.
BINARY: tuple[Format, ...] = ("parquet", "arrow")
#: What files may end in, in words.
KNOWN_ENDINGS = f"{', '.join(SUFFIXES)}, each also with {', '.join(ENDINGS)}"
#: What Python can decode, and is no encoding of texts in files.
_NO_TEXT = {"idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined", "utf-7"}


def format_of(name: str) -> Format | None:
    """Give the format that a file's name says, compressed or not; None if it says none."""
    return SUFFIXES.get(PurePosixPath(without_ending(name)).suffix.lower())


def may_hold_rows(name: str) -> bool:
    """Tell whether a file's name says its format, or that of a zip whose file may say it."""
    return format_of(name) is not None or name.lower().endswith(".zip")


def known_encoding(name: str) -> str:
    """Give the usual name of an encoding of texts; raises `ValueError` if there is none such."""
    try:
        found = codecs.lookup(name).name
    except (LookupError, ValueError):
        found = ""
    text = found and getattr(codecs.lookup(found), "_is_text_encoding", True)
    if not text or found in _NO_TEXT:
        raise ValueError("no encoding that is known; utf-8, cp1252 and utf-16 are some")
    return found


@dataclass(frozen=True)
class Reading:
    """What an entry says of how a file is read; "" and None where that is to be found out."""

    format: Format | None = None
    encoding: str = ""
    delimiter: str = ""
    quote: str | None = None
    """What stands around cells; "" if nothing does."""
    escape: str = ""
    rows: str = ""
    """The key under which a JSON object holds the rows."""
    columns: frozenset[str] = field(default=frozenset(), repr=False)
    """What the entry's options name, columns among them."""

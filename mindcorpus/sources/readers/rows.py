"""What reading gives: shards of files, raw rows, drops; and the errors where it cannot go on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mindcorpus.errors import DataError
from mindcorpus.remedies import LeaveOut
from mindcorpus.sources.readers.dialect import USUAL, Dialect


class Row(NamedTuple):
    """A raw row: its position in the shard, from 0, and its value."""

    number: int
    value: Any


class Drop(NamedTuple):
    """A raw row, or an item in it, that gives no record: why, and what shows it, never its text."""

    number: int
    reason: str
    evidence: str = ""
    item: int = 0


@dataclass(frozen=True)
class Shard:
    """A share of one file: bytes [start, stop) for lines, row groups [start, stop) for Parquet."""

    path: Path
    file: str
    """The file's name within its source, for messages."""
    format: str
    start: int = 0
    stop: int | None = None
    dialect: Dialect = USUAL
    """Of a table of text."""
    key: str = ""
    """Under which a JSON object holds the rows; "" if it is not known which."""
    said: bool = False
    """Whether the source's entry says the key."""
    has_marks: bool = False
    """Whether marks of byte order stand within the file."""
    scale: float = 1.0
    """What a byte counts for in the progress: less than one of a file that was unpacked."""


def unreadable(title: str, file: str, row: int | None = None) -> DataError:
    """Give the error for a file that cannot be read on, from some row or at all."""
    hint = "Fetch the file again, mend it, or"
    return DataError(title, file=file, row=row, hint=hint, remedy=LeaveOut())


def broken(shard: Shard, number: int, title: str) -> DataError:
    """Give the error for a shard that cannot be read on from a row."""
    return unreadable(title, shard.file, number)


def refuse_same_names(names: list[str], file: str) -> None:
    """Raise `DataError` if two columns have one name: which of them is meant, cannot be told."""
    if len(set(names)) != len(names):
        raise unreadable("two columns have the same name", file)

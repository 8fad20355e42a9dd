"""The columns of raw rows: their types, and how long what stands in them is, never what it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median_low
from typing import Any

_TYPES = {
    str: "text",
    bool: "boolean",
    int: "number",
    float: "number",
    list: "list",
    dict: "object",
}


@dataclass(frozen=True)
class Lengths:
    """Shortest, median and longest; of an even count the median is the lower of the two."""

    least: int
    median: int
    most: int

    @classmethod
    def of(cls, lengths: Sequence[int]) -> Lengths | None:
        """Give those of some lengths; None of none."""
        return cls(min(lengths), median_low(lengths), max(lengths)) if lengths else None


@dataclass(frozen=True)
class Column:
    """One column, as the rows that were looked at have it."""

    name: str
    types: tuple[str, ...]
    """Of text, number, boolean, list, object; the most frequent first."""
    filled: int
    """Rows in which it is neither missing nor null nor an empty text."""
    characters: Lengths | None
    """Of its texts."""
    items: Lengths | None
    """Of its lists."""


@dataclass
class _Seen:
    types: dict[str, int] = field(default_factory=dict)
    filled: int = 0
    characters: list[int] = field(default_factory=list)
    items: list[int] = field(default_factory=list)


def columns_of(rows: Sequence[Any]) -> tuple[Column, ...]:
    """Give the columns of rows in the order in which they come up; a row that is none has none."""
    seen: dict[str, _Seen] = {}
    for row in rows:
        for name, value in row.items() if isinstance(row, dict) else ():
            _look(seen.setdefault(name, _Seen()), value)
    return tuple(
        Column(
            name,
            tuple(sorted(one.types, key=lambda kind: -one.types[kind])),
            one.filled,
            Lengths.of(one.characters),
            Lengths.of(one.items),
        )
        for name, one in seen.items()
    )


def _look(seen: _Seen, value: Any) -> None:
    if value is None:
        return
    kind = _TYPES.get(type(value), "other")
    seen.types[kind] = seen.types.get(kind, 0) + 1
    seen.filled += value != ""
    if isinstance(value, str):
        seen.characters.append(len(value))
    elif isinstance(value, list):
        seen.items.append(len(value))

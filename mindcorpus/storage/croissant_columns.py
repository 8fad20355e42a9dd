"""The columns of a table's file, as Croissant describes them: from its schema, head or first lines.

Croissant's readers take a cell apart by JSON paths, one after the other, each applied to every
element of an array: that reaches the turns of a chat, and no deeper.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

TEXT = "sc:Text"
#: Lines of JSON in which keys are looked for; rarer keys are not described.
_LINES = 500


@dataclass(frozen=True)
class Column:
    """A field of each row, or of each element of one."""

    name: str
    """Its path within the row, with `/` between the keys."""
    column: str
    """The row's own column that it is taken from."""
    type: str = TEXT
    repeated: bool = False
    inside: tuple[str, ...] = ()
    """JSON paths that lead to it from the column."""
    members: tuple[Column, ...] = ()


def parquet_columns(path: Path) -> list[Column]:
    """Give the columns of a Parquet file."""
    # Late: the corpus' own reader pays for it anyway, a card does not.
    import pyarrow.parquet as pq

    return [
        column
        for field in pq.read_schema(path)
        if (column := _of_arrow(field.name, field.type)) is not None
    ]


def _of_arrow(name: str, type_: Any) -> Column | None:
    import pyarrow as pa

    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    if not pa.types.is_list(type_):
        known = _arrow_type(type_)
        return Column(name, name, known) if known else None
    element = type_.value_type
    if not pa.types.is_struct(element):
        known = _arrow_type(element)
        return Column(name, name, known, repeated=True) if known else None
    members = tuple(
        Column(f"{name}/{field.name}", name, known, inside=(field.name,))
        for field in element
        if (known := _arrow_type(field.type))
    )
    return Column(name, name, repeated=True, members=members)


def _arrow_type(type_: Any) -> str | None:
    """Give Croissant's word for a type; None for one of another kind, such as a hash."""
    import pyarrow as pa

    if pa.types.is_string(type_):
        return TEXT
    if pa.types.is_integer(type_):
        return "sc:Integer"
    if pa.types.is_floating(type_):
        return "sc:Float"
    return "sc:Boolean" if pa.types.is_boolean(type_) else None


def csv_columns(path: Path) -> list[Column]:
    """Give the columns of a CSV file, all of them text."""
    with path.open(encoding="utf-8", newline="") as file:
        return [Column(name, name) for name in next(csv.reader(file))]


def json_columns(path: Path) -> list[Column]:
    """Give what JSON lines hold: plain values, lists of them, and lists of flat objects.

    A format of another's making may have lines that are no objects: these have no columns.
    """
    with path.open("rb") as file:
        try:
            rows = [_parsed(line) for line in islice(file, _LINES)]
        except ValueError:
            return []
    if not all(isinstance(row, dict) for row in rows):
        return []
    return [column for name in _keys(rows) for column in _of_json(name, name, (), _all(rows, name))]


def _parsed(line: bytes) -> Any:
    """Read a line's JSON; raises `ValueError` for what is none."""
    try:
        return orjson.loads(line)
    except ValueError:  # it refuses NaN and halves of surrogate pairs, which others write
        return json.loads(line)


def _of_json(name: str, column: str, inside: tuple[str, ...], values: list[Any]) -> list[Column]:
    """Give the columns that a value of a row becomes: objects in it are opened."""
    kinds = {type(value) for value in values}
    if kinds == {dict}:
        return [
            found
            for key in _keys(values)
            for found in _of_json(f"{name}/{key}", column, (*inside, key), _all(values, key))
        ]
    if kinds != {list}:
        known = _json_type(values)
        return [Column(name, column, known, inside=inside)] if known else []
    elements = [element for value in values for element in value]
    if not elements or not all(isinstance(element, dict) for element in elements):
        known = _json_type(elements)
        return [Column(name, column, known, repeated=True, inside=inside)] if known else []
    members = tuple(
        member
        for key in _keys(elements)
        if (member := _member(f"{name}/{key}", column, (*inside, key), _all(elements, key)))
    )
    return [Column(name, column, repeated=True, members=members)] if members else []


def _member(name: str, column: str, inside: tuple[str, ...], values: list[Any]) -> Column | None:
    """Give a member of an array's elements: a plain value, or the first text of its parts."""
    if known := _json_type(values):
        return Column(name, column, known, inside=inside)
    parts = [part for value in values if isinstance(value, list) for part in value]
    if parts and all(
        isinstance(part, dict) and isinstance(part.get("text"), str) for part in parts
    ):
        *before, key = inside
        return Column(name, column, inside=(*before, f"{key}[*].text"))
    return None


def _keys(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row))


def _all(rows: Sequence[Mapping[str, Any]], key: str) -> list[Any]:
    return [row[key] for row in rows if row.get(key) is not None]


def _json_type(values: Sequence[Any]) -> str | None:
    """Give Croissant's word for values of one plain kind; None for others, and for none."""
    kinds = {type(value) for value in values}
    words = {str: TEXT, bool: "sc:Boolean", int: "sc:Integer", float: "sc:Float"}
    return words.get(next(iter(kinds))) if len(kinds) == 1 else None


COLUMNS: Mapping[str, Callable[[Path], list[Column]]] = {
    ".csv": csv_columns,
    ".jsonl": json_columns,
    ".parquet": parquet_columns,
}
"""By the ending of a file: those that readers of Croissant can open."""

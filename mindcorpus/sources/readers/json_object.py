"""One object of JSON that holds all rows: under a key, by an id each, or as columns."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import Any

from mindcorpus.errors import DataError
from mindcorpus.limits import MAX_RECORD_BYTES
from mindcorpus.progress import Tick
from mindcorpus.sources.budgets import Meter
from mindcorpus.sources.readers.json_array import BLANKS, Window, next_value, read_items, window_on
from mindcorpus.sources.readers.rows import Drop, Row, Shard, broken

_NAME = re.compile(r"[\w.-]{1,40}")


def read_rows_under_key(shard: Shard, tick: Tick, meter: Meter) -> Iterator[Row | Drop]:
    """Read the array of rows that stands under the shard's key."""
    meter.decoded(shard.path.stat().st_size)
    if not shard.key:
        raise _say_which("several keys hold rows", shard)
    found = False
    with shard.path.open("rb") as raw:
        text = window_on(raw)
        for number, key in enumerate(_keys(text, shard)):
            if text.skip(BLANKS) == "[" and key == shard.key and not found:
                found = True
                yield from read_items(text, shard, tick, raw)
                continue
            value = next_value(text, shard, number)
            if isinstance(value, list) and value and isinstance(value[0], dict) and not shard.said:
                raise _say_which(f"rows stand under {_shown(shard.key)} and {_shown(key)}", shard)
    if not found:
        raise _say_which(f"there are no rows under {_shown(shard.key)}", shard)


def read_rows_by_id(shard: Shard, tick: Tick, meter: Meter) -> Iterator[Row | Drop]:
    """Read the values of an object as rows; the ids that are its keys are left out."""
    meter.decoded(shard.path.stat().st_size)
    with shard.path.open("rb") as raw:
        text = window_on(raw)
        seen = 0
        for number, _key in enumerate(_keys(text, shard)):
            yield Row(number, next_value(text, shard, number))
            now = raw.tell()
            tick(1, now - seen)
            seen = now


def read_stream(shard: Shard, tick: Tick, meter: Meter) -> Iterator[Row | Drop]:
    """Read objects that follow each other, each over several lines."""
    meter.decoded(shard.path.stat().st_size)
    with shard.path.open("rb") as raw:
        text = window_on(raw)
        number = seen = 0
        while text.skip(BLANKS + "\ufeff"):
            yield Row(number, next_value(text, shard, number))
            number += 1
            now = raw.tell()
            tick(1, now - seen)
            seen = now


def read_columns(shard: Shard, tick: Tick, meter: Meter) -> Iterator[Row | Drop]:
    """Read an object of columns, each a list, or an object by row, of one length.

    It is held in memory: raises `DataError` for one of more than a record may have.
    """
    size = shard.path.stat().st_size
    meter.decoded(size)
    if size > MAX_RECORD_BYTES:
        raise _columns(f"one object of columns, of more than {MAX_RECORD_BYTES >> 20} MiB", shard)
    with shard.path.open("rb") as raw:
        text = window_on(raw)
        table = next_value(text, shard, 0)
    columns: dict[str, list[Any]] = {
        name: list(column.values() if isinstance(column, dict) else column)
        for name, column in table.items()
    }
    if len({*map(len, columns.values())}) > 1:
        raise _columns("one object of columns that are not of one length", shard)
    for number, values in enumerate(zip(*columns.values(), strict=True)):
        yield Row(number, dict(zip(columns, values, strict=True)))
        tick(1, 0 if number else size)


def _keys(text: Window, shard: Shard) -> Generator[str, None, None]:
    """Give an object's keys; after each the window stands at its value, which is to be read."""
    text.skip(BLANKS)
    text.at += 1
    number = 0
    while text.skip(BLANKS) != "}":
        key = next_value(text, shard, number)
        if not isinstance(key, str) or text.skip(BLANKS) != ":":
            raise broken(shard, number, "not JSON, or cut off: the object has no end")
        text.at += 1
        text.skip(BLANKS)
        yield key
        number += 1
        if text.skip(BLANKS) == ",":
            text.at += 1
        elif text.skip(BLANKS) != "}":
            raise broken(shard, number, "not JSON, or cut off: the object has no end")
    text.at += 1
    if text.skip(BLANKS):
        raise broken(shard, number, "the file goes on behind the end of its object")


def _say_which(title: str, shard: Shard) -> DataError:
    hint = 'Say in the source\'s entry under which key they are (rows = "data").'
    return DataError(title, file=shard.file, hint=hint)


def _columns(title: str, shard: Shard) -> DataError:
    hint = "Write it as JSON lines, an object for each row."
    return DataError(title, file=shard.file, hint=hint)


def _shown(key: str) -> str:
    return repr(key) if _NAME.fullmatch(key) else "…"

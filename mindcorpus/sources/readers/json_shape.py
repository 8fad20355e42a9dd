"""Which shape a file of JSON has: lines, an array, or an object that holds all rows in a way."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Literal

import orjson

from mindcorpus.sources.file_formats import Reading

Shape = Literal["jsonl", "json", "json-rows", "json-columns", "json-ids", "json-stream"]
_HEAD = 1024 * 1024
_CHUNK = 1024 * 1024
_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\r\n]*")
#: What a line ends with of which the value goes on in the next.
_GOES_ON = tuple("{[,:")
_CLOSED = {"[": "]", "{": "}"}


def shape_of(path: Path, format_: str, reading: Reading) -> tuple[Shape, str]:
    """Tell a file's shape by its head, and the key under which its rows are, if they are."""
    with path.open("rb") as file:
        raw = file.read(_HEAD)
    head = raw.decode("utf-8", "replace").removeprefix("\ufeff").lstrip()
    line, _, rest = head.partition("\n")
    whole_line = _is_json(line)
    pretty = not whole_line and line.rstrip().endswith(_GOES_ON) and rest.strip() != ""
    if pretty and format_ == "jsonl":
        # Said to be lines, of which the first may be broken.
        pretty = rest.lstrip()[:1] in ('"', "{") and _last(path) == _CLOSED.get(head[0])
    if head.startswith("["):
        # Of lines the first may be a list as well, which is a row of the wrong type.
        one = not rest.strip() and line[_skip(line, 1) :].startswith("{") and _is_one_line(path)
        return ("json" if format_ == "json" or pretty or one else "jsonl"), ""
    if not head.startswith("{"):
        return ("json" if format_ == "json" else "jsonl"), ""
    if reading.rows:
        return "json-rows", reading.rows
    if whole_line and (rest.strip() or format_ == "jsonl"):
        return "jsonl", ""
    if pretty or whole_line or (not rest and _is_one_line(path)):
        return _shape_of_object(head, reading)
    return "jsonl", ""


def _is_json(line: str) -> bool:
    try:
        orjson.loads(line.encode("utf-8", "replace"))
    except orjson.JSONDecodeError:
        return False
    return True


def _is_one_line(path: Path) -> bool:
    """Tell whether nothing follows a file's first line."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            _, end, rest = chunk.partition(b"\n")
            if end:
                return not rest.strip() and not file.read(_CHUNK).strip()
    return True


def _last(path: Path) -> str:
    """Give a file's last character that is not blank."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        return file.read().decode("utf-8", "replace").rstrip()[-1:]


def _shape_of_object(head: str, reading: Reading) -> tuple[Shape, str]:
    kinds = dict(_members(head))
    if not kinds:
        return "jsonl", ""
    rows = [key for key, kind in kinds.items() if kind == "rows" and key not in reading.columns]
    if rows:
        return "json-rows", rows[0] if len(rows) == 1 else ""
    found = set(kinds.values())
    if found and found <= {"values", "empty"}:
        return "json-columns", ""
    if found == {"object"}:
        # As pandas writes a table: by column, and in it by row.
        return ("json-columns" if reading.columns.intersection(kinds) else "json-ids"), ""
    return "json-stream", ""


def _members(head: str) -> list[tuple[str, str]]:
    """Give the keys of an object and what each holds, as far as its head goes."""
    found: list[tuple[str, str]] = []
    at = 1
    try:
        while True:
            at = _skip(head, at)
            key, at = _DECODER.raw_decode(head, at)
            at = _skip(head, at)
            if head[at] != ":" or not isinstance(key, str):
                return found
            at = _skip(head, at + 1)
            found.append((key, _kind(head, at)))
            _, at = _DECODER.raw_decode(head, at)
            at = _skip(head, at)
            if head[at] != ",":
                return found
            at += 1
    except (ValueError, IndexError, RecursionError):
        return found


def _kind(head: str, at: int) -> str:
    if head[at] == "{":
        return "object"
    if head[at] != "[":
        return "value"
    first = head[_skip(head, at + 1)]
    return {"{": "rows", "]": "empty"}.get(first, "values")


def _skip(head: str, at: int) -> int:
    found = _BLANK.match(head, at)
    return found.end() if found else at

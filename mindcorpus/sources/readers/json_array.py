"""JSON arrays of any length to raw rows, in bounded memory."""

from __future__ import annotations

import io
import json
from collections.abc import Generator, Iterator
from typing import IO, Any

from mindcorpus.limits import MAX_RECORD_BYTES, MAX_VALUES
from mindcorpus.progress import Tick
from mindcorpus.sources.budgets import Meter
from mindcorpus.sources.readers.rows import Drop, Row, Shard, broken, unreadable
from mindcorpus.sources.readers.value_count import has_too_many_values

_CHUNK = 1024 * 1024
BLANKS = " \t\r\n"
_DECODER = json.JSONDecoder()


class Window:
    """A window on a file's decoded text: an array of any length is read in bounded memory."""

    def __init__(self, file: IO[str]) -> None:
        self.file = file
        self.text = ""
        self.at = 0
        self.ended = False

    def more(self) -> bool:
        """Read on, at least doubling what is left; False at the end of the file."""
        piece = self.file.read(max(_CHUNK, len(self.text) - self.at))
        self.text = self.text[self.at :] + piece
        self.at = 0
        self.ended = not piece
        return bool(piece)

    def skip(self, characters: str) -> str:
        """Move past some characters; give the one that follows, or "" at the end of the file."""
        while True:
            while self.at < len(self.text):
                if self.text[self.at] not in characters:
                    return self.text[self.at]
                self.at += 1
            if not self.more():
                return ""


def read_array(shard: Shard, tick: Tick, meter: Meter) -> Iterator[Row | Drop]:
    """Read the items of the array that a file is."""
    # What is read is what it decodes to.
    meter.decoded(shard.path.stat().st_size)
    with shard.path.open("rb") as raw:
        text = window_on(raw)
        if text.skip(BLANKS) != "[":
            raise unreadable("neither a JSON array nor JSON lines", shard.file)
        number = yield from read_items(text, shard, tick, raw)
        if text.skip(BLANKS):
            raise broken(shard, number, "the file goes on behind the end of its array")


def window_on(raw: IO[bytes]) -> Window:
    """Open a window on a file; bytes that are not UTF-8 become lone surrogates, counted drops."""
    return Window(io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape"))


def read_items(
    text: Window, shard: Shard, tick: Tick, raw: IO[bytes]
) -> Generator[Row | Drop, None, int]:
    """Read the items of the array that begins here, and move behind it; returns how many."""
    number = 0
    seen = raw.tell()
    text.at += 1
    character = text.skip(BLANKS)
    while character != "]":
        yield Row(number, next_value(text, shard, number))
        number += 1
        now = raw.tell()
        tick(1, now - seen)
        seen = now
        character = text.skip(BLANKS)
        if character == ",":
            text.at += 1
            character = text.skip(BLANKS).replace("]", ",")
        elif character not in ("", "]"):
            raise broken(shard, number, "not JSON: a comma is missing between two records")
    text.at += 1
    return number


def next_value(text: Window, shard: Shard, number: int) -> Any:
    """Parse the value at the window's place and move behind it, reading on as far as needed."""
    while True:
        try:
            value, end = _DECODER.raw_decode(text.text, text.at)
        except (ValueError, RecursionError) as error:
            if not isinstance(error, json.JSONDecodeError) or text.ended:
                what = "not JSON, or cut off in the middle of a record: the array has no end"
                raise broken(shard, number, what) from None
            if len(text.text) - text.at > MAX_RECORD_BYTES:
                what = "not JSON, or a record of more than 64 MiB"
                raise broken(shard, number, what) from None
            text.more()
            if has_too_many_values(text.text):
                raise broken(shard, number, f"a record of over {MAX_VALUES:,} values") from None
            continue
        # A number at the window's edge may go on behind it: "1", but also "1." and "1e+".
        whole = isinstance(value, dict | list | str) or len(text.text) - end >= 3
        if whole or text.ended:
            text.at = end
            return value
        text.more()

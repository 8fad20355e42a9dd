"""A record's texts as JSON and as CSV, and how long they will be: one rule for sizes and for bytes.

Sizes are known before a byte is written, so that several processes can write one file, each at
its own place.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from mindcorpus.records import COLUMNS, count_byte

#: What stands before each record of the merged JSON; the first has `[`, all others a comma.
JSON_FIRST, JSON_NEXT, JSON_END = b"[\n", b",\n", b"\n]\n"
CSV_END = b"\r\n"
CSV_HEADER = ",".join(COLUMNS).encode() + CSV_END

_JSON_KEYS = tuple(f'"{name}":'.encode() for name in COLUMNS)
# Braces, five commas, the keys, and the two bytes before the record.
_JSON_FRAME = 2 + 5 + sum(map(len, _JSON_KEYS)) + len(JSON_NEXT)
_CSV_FRAME = len(COLUMNS) - 1 + len(CSV_END)
# What JSON escapes: with one more byte, or as \u00XX, with five more (RFC 8259, 7).
_SHORT = b'"\\\b\t\n\f\r'
_LONG = bytes(set(range(0x20)) - set(_SHORT))
#: How many bytes more each byte takes in JSON.
JSON_ESCAPES = bytes(1 if byte in _SHORT else 5 if byte in _LONG else 0 for byte in range(0x100))
_AS_THEY_ARE = bytes(set(range(0x100)) - set(_SHORT + _LONG))
# From so many bytes on a text is not given to orjson (3.13): where memory runs out within it, the
# process dies, or it says that the text is not UTF-8.
_MUCH = 1024 * 1024
_ESCAPED = {byte: orjson.dumps(chr(byte))[1:-1] for byte in (*_SHORT, *_LONG)}


def json_text(text: str) -> bytes:
    """Give `orjson.dumps(text)`; raises `MemoryError` where a long text does not fit."""
    if len(text) < _MUCH:
        return orjson.dumps(text)
    raw = text.encode()
    special = {*raw.translate(None, _AS_THEY_ARE)}
    # What is put in for others holds the backslash, which is an escape itself.
    for byte in sorted(special, key=lambda byte: byte != ord("\\")):
        raw = raw.replace(bytes([byte]), _ESCAPED[byte])
    return b"".join((b'"', raw, b'"'))


def json_size(text: str, raw: bytes) -> int:
    """Give the length of `orjson.dumps(text)`; `raw` is the text in UTF-8."""
    if len(raw) < _MUCH:
        return len(orjson.dumps(text))
    escaped = raw.translate(None, _AS_THEY_ARE)
    return len(raw) + 2 + len(escaped) + 4 * len(escaped.translate(None, _SHORT))


def csv_cell(text: bytes) -> bytes:
    """Quote a text for CSV (RFC 4180). All are: to look for those that need it costs more."""
    return b"".join((b'"', csv_escaped(text), b'"'))


def csv_escaped(text: bytes) -> bytes:
    """Give what stands between a cell's quotation marks."""
    return text.replace(b'"', b'""')


def csv_escaped_all(texts: Sequence[bytes]) -> list[bytes]:
    """Give that of many texts."""
    return [text.replace(b'"', b'""') for text in texts]


def csv_cell_size(text: bytes) -> int:
    """Give the length of `csv_cell(text)`."""
    return len(text) + count_byte(text, 0x22) + 2


def interleaved(
    before: Sequence[bytes],
    columns: Sequence[Sequence[bytes]],
    ends: Sequence[bytes],
    between: bytes | None = None,
) -> bytes:
    """Join records: of each column a value a record, `before` it a constant; then the `ends`.

    `between` stands in the place of the first constant in all records but the first.
    """
    width = 2 * len(columns) + 1
    pieces: list[bytes] = [b""] * (width * len(ends))
    for at, (constant, column) in enumerate(zip(before, columns, strict=True)):
        pieces[2 * at :: width] = [constant] * len(ends)
        pieces[2 * at + 1 :: width] = column
    if between is not None:
        pieces[width::width] = [between] * (len(ends) - 1)
    pieces[width - 1 :: width] = ends
    return b"".join(pieces)


class Frame:
    """What the records of one source and type share, encoded once; tag sets are few as well."""

    def __init__(self, source: str, type_: str) -> None:
        self._json = (
            _JSON_KEYS[3] + orjson.dumps(source) + b"," + _JSON_KEYS[4] + orjson.dumps(type_) + b","
        )
        self._csv = csv_cell(source.encode()) + b"," + csv_cell(type_.encode()) + b","
        self._json_ends: dict[str, bytes] = {}
        self._csv_ends: dict[str, bytes] = {}
        self._shared_json = len(self._json) - len(_JSON_KEYS[3]) - len(_JSON_KEYS[4]) - 2
        self._shared_csv = len(self._csv) - 2

    def json_size(self, texts: int, tags: str) -> int:
        """Give the bytes a record takes in the merged JSON, from those of its three JSON texts."""
        return _JSON_FRAME + texts + self._shared_json + len(tags.encode())

    def csv_size(self, cells: int, tags: str) -> int:
        """Give the bytes a record takes in the merged CSV, from those of its three cells."""
        return _CSV_FRAME + cells + self._shared_csv + csv_cell_size(tags.encode())

    def json_records(
        self, before: bytes, texts: Sequence[Sequence[bytes]], tags: Sequence[str]
    ) -> bytes:
        """Give records of the merged JSON: `before` the first of them stands what is given.

        `texts` are their inputs, responses and rejected responses as JSON, `tags` a JSON array of
        each.
        """
        keys = (b"{" + _JSON_KEYS[0], b"," + _JSON_KEYS[1], b"," + _JSON_KEYS[2])
        ends = [self._json_end(each) for each in tags]
        return interleaved((before + keys[0], *keys[1:]), texts, ends, JSON_NEXT + keys[0])

    def csv_records(self, texts: Sequence[Sequence[bytes]], tags: Sequence[str]) -> bytes:
        """Give records of the merged CSV, from their escaped texts; columns as for JSON."""
        ends = [self._csv_end(each) for each in tags]
        return interleaved((b'"', b'","', b'","'), texts, ends)

    def _json_end(self, tags: str) -> bytes:
        if tags not in self._json_ends:
            self._json_ends[tags] = b"," + self._json + _JSON_KEYS[5] + tags.encode() + b"}"
        return self._json_ends[tags]

    def _csv_end(self, tags: str) -> bytes:
        if tags not in self._csv_ends:
            self._csv_ends[tags] = b'",' + self._csv + csv_cell(tags.encode()) + CSV_END
        return self._csv_ends[tags]

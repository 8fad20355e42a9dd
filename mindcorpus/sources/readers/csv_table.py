"""CSV to raw rows, by its header; every cell is text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from mindcorpus.limits import MAX_RECORD_BYTES, MAX_VALUES
from mindcorpus.progress import Tick
from mindcorpus.sources.budgets import Meter
from mindcorpus.sources.readers.rows import Drop, Row, Shard, refuse_same_names, unreadable

_CHUNK = 1024 * 1024


class _TooLongError(Exception):
    """A row has no end within what a row may have."""


class _Bounded(io.RawIOBase):
    """A file that gives only so many bytes, and commas, until it hears that a row has ended.

    The csv module gathers a line, and a row of lines, whatever its length.
    """

    def __init__(self, file: IO[bytes], delimiter: str) -> None:
        super().__init__()
        self._file = file
        self._delimiter = delimiter.encode()
        self._bytes = self._commas = 0
        self.position = 0
        #: Whether what was read last belongs to a row that has not ended.
        self.within = False

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read on; raises `_TooLongError`."""
        piece = self._file.read(len(buffer))
        if not self.within:
            self._bytes = self._commas = 0
            self.within = True
        self.position += len(piece)
        self._bytes += len(piece)
        if self._bytes > MAX_VALUES:
            self._commas += piece.count(self._delimiter)
        # What was read before the row began, and is counted with it, is less than two chunks.
        if self._bytes > MAX_RECORD_BYTES + 2 * _CHUNK or self._commas > MAX_VALUES:
            raise _TooLongError
        buffer[: len(piece)] = piece
        return len(piece)


def read_csv(shard: Shard, tick: Tick, meter: Meter) -> Iterator[Row | Drop]:
    """Read the rows of a file; bytes that are not UTF-8 come through as lone surrogates."""
    # What is read is what it decodes to.
    meter.decoded(shard.path.stat().st_size)
    with _field_limit(), shard.path.open("rb", buffering=0) as raw:
        bounded = _Bounded(raw, shard.dialect.delimiter)
        lines = io.BufferedReader(bounded, _CHUNK)
        text = io.TextIOWrapper(lines, encoding="utf-8-sig", errors="surrogateescape", newline="")
        joined = _Joined(text) if shard.has_marks else None
        reader = shard.dialect.reader(text if joined is None else joined)
        number = -1
        seen = 0
        header: list[str] = []
        try:
            for cells in reader:
                bounded.within = False
                if joined is not None and joined.ends_row() and cells == header:
                    continue
                if not cells:
                    continue
                if not header:
                    refuse_same_names(cells, shard.file)
                    header = cells
                    continue
                number += 1
                if cells == header and len(cells) > 1:  # tables were joined
                    yield Drop(number, "header-again", "the row is the header once more")
                elif len(cells) == len(header):
                    yield Row(number, dict(zip(header, cells, strict=True)))
                else:
                    found = f"{len(cells)} columns where the header has {len(header)}"
                    yield Drop(number, "wrong-column-count", found)
                tick(1, bounded.position - seen)
                seen = bounded.position
        except csv.Error as error:
            raise unreadable(
                f"CSV is broken near line {reader.line_num}: {error}; a quotation mark may be lost",
                shard.file,
                number + 1,
            ) from None
        except _TooLongError:
            raise unreadable(
                f"CSV is broken near line {reader.line_num + 1}: a row of more than "
                f"{MAX_RECORD_BYTES >> 20} MiB, or {MAX_VALUES:,} cells; a quotation mark, or the "
                "end of a line, may be lost",
                shard.file,
                number + 1,
            ) from None


class _Joined:
    """Lines without the mark that stands at the head of a file which was joined to another.

    One within quotes is left: it is text.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._begins = True
        self._marked = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        if self._begins and line.startswith("\ufeff"):
            line, self._marked = line[1:], True
        self._begins = False
        return line

    def ends_row(self) -> bool:
        """Note that a row has ended; tell whether a mark stood before it."""
        marked, self._begins, self._marked = self._marked, True, False
        return marked


@contextmanager
def _field_limit() -> Iterator[None]:
    """Let the csv module read long fields, for now: its limit holds for the whole process."""
    before = csv.field_size_limit(MAX_RECORD_BYTES)
    try:
        yield
    finally:
        csv.field_size_limit(before)

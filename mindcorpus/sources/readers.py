"""Files to raw rows: JSON, JSON lines, CSV and Parquet, a shard at a time, in bounded memory.

A raw row that cannot be read becomes a `Drop`, which is counted; a file that cannot be read on
from some place raises `DataError` with that place. Neither ever quotes the file's text.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import orjson

from mindcorpus.errors import DataError
from mindcorpus.limits import MAX_RECORD_BYTES
from mindcorpus.progress import Tick
from mindcorpus.remedies import LeaveOut

#: Bytes of a JSON-lines or Parquet file that one shard covers: small enough that two workers end
#: together, large enough that starting one costs nothing. The bytes of every artifact's parts
#: depend on it, so it is no setting.
SHARD_BYTES = 32 * 1024 * 1024
_CHUNK = 1024 * 1024
_BATCH_BYTES = 8 * 1024 * 1024


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


def plan_shards(path: Path, file: str, format_: str) -> list[Shard]:
    """Cut a file into shards; how depends on the file alone, so results are the same everywhere.

    Raises `DataError` for an empty file and for Parquet that cannot be opened.
    """
    with _readable(file):
        size = path.stat().st_size
    if size == 0:
        raise DataError(
            "the file is empty", file=file, hint="Fetch it again, or exclude its source."
        )
    with _readable(file):
        if format_ == "json" and not _is_array(path):
            format_ = "jsonl"
    if format_ == "jsonl":
        return [
            Shard(path, file, format_, start, min(start + SHARD_BYTES, size))
            for start in range(0, size, SHARD_BYTES)
        ]
    if format_ == "parquet":
        return _parquet_shards(path, file)
    return [Shard(path, file, format_, 0, size)]


def read_rows(shard: Shard, tick: Tick) -> Iterator[Row | Drop]:
    """Read a shard's raw rows in order; `tick` hears of rows and bytes as they pass.

    Raises `DataError` where the file cannot be read on.
    """
    with _readable(shard.file):
        yield from _READERS[shard.format](shard, tick)


@contextmanager
def _readable(file: str) -> Iterator[None]:
    """Blame a source's file, and it alone, for the system's errors on reading it."""
    try:
        yield
    except OSError as error:
        # Not `strerror`: pyarrow's holds a path of the machine.
        reason = os.strerror(error.errno).lower() if error.errno else "input/output error"
        raise _unreadable(f"the file cannot be read: {reason}", file) from None


def _is_array(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] != b"{"


# JSON lines


def _read_lines(shard: Shard, tick: Tick) -> Iterator[Row | Drop]:
    stop = shard.stop if shard.stop is not None else shard.path.stat().st_size
    number = 0
    with shard.path.open("rb", buffering=_CHUNK) as file:
        at = shard.start
        if at:
            # The line that crosses the border belongs to the shard before.
            file.seek(at - 1)
            at += _skip_line(file) - 1
        while at < stop:
            line = file.readline(MAX_RECORD_BYTES + 1)
            if not line:
                break
            length = len(line)
            if length > MAX_RECORD_BYTES and not line.endswith(b"\n"):
                length += _skip_line(file)
                yield Drop(number, "too-long", f"the line has {length} bytes")
            else:
                if at == 0:
                    line = line.removeprefix(b"\xef\xbb\xbf")
                if not line.strip():
                    at += length
                    tick(0, length)
                    continue
                yield _parse_line(number, line)
            at += length
            number += 1
            tick(1, length)


def _skip_line(file: IO[bytes]) -> int:
    skipped = 0
    while piece := file.readline(_CHUNK):
        skipped += len(piece)
        if piece.endswith(b"\n"):
            break
    return skipped


def _may_be_rounded(value: Any) -> bool:
    """Whether a value holds a float that an integer of more than 64 bits may have become."""
    kind = type(value)
    if kind is float:
        return bool(abs(value) >= 2**63)
    if kind is dict:
        value = value.values()
    elif kind is not list:
        return False
    # In a loop: this is done for every row.
    for each in value:  # noqa: SIM110
        if type(each) is not str and _may_be_rounded(each):
            return True
    return False


def _parse_line(number: int, line: bytes) -> Row | Drop:
    try:
        value = orjson.loads(line)
        if not _may_be_rounded(value):
            return Row(number, value)
    except orjson.JSONDecodeError:
        pass
    except RecursionError:  # nested too deeply for the other parser as well
        return Row(number, value)
    try:
        # The standard parser takes what orjson refuses (NaN, lone surrogates) or rounds (integers
        # of more than 64 bits), and says where it stops.
        return Row(number, json.loads(line.decode()))
    except UnicodeDecodeError as error:
        return Drop(number, "not-utf8", f"at byte {error.start} of the line")
    except json.JSONDecodeError as error:
        what = error.msg.lower().removesuffix(" at")
        return Drop(number, "broken-json", f"{what} at character {error.pos} of the line")
    except (ValueError, RecursionError) as error:
        return Drop(number, "broken-json", f"not readable: {type(error).__name__}")


# JSON arrays

_BLANKS = " \t\r\n"
_DECODER = json.JSONDecoder()


class _Text:
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


def _read_array(shard: Shard, tick: Tick) -> Iterator[Row | Drop]:
    number = seen = 0
    with shard.path.open("rb") as raw:
        # Bytes that are not UTF-8 come through as lone surrogates, and so as counted drops.
        text = _Text(io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape"))
        if text.skip(_BLANKS) != "[":
            raise _unreadable("neither a JSON array nor JSON lines", shard.file)
        text.at += 1
        character = text.skip(_BLANKS)
        while character != "]":
            yield Row(number, _next_value(text, shard, number))
            number += 1
            now = raw.tell()
            tick(1, now - seen)
            seen = now
            character = text.skip(_BLANKS)
            if character == ",":
                text.at += 1
                character = text.skip(_BLANKS).replace("]", ",")
            elif character not in ("", "]"):
                raise _broken(shard, number, "not JSON: a comma is missing between two records")
        text.at += 1
        if text.skip(_BLANKS):
            raise _broken(shard, number, "the file goes on behind the end of its array")


def _next_value(text: _Text, shard: Shard, number: int) -> Any:
    """Parse the value at the window's place and move behind it, reading on as far as needed."""
    while True:
        try:
            value, end = _DECODER.raw_decode(text.text, text.at)
        except (ValueError, RecursionError) as error:
            if not isinstance(error, json.JSONDecodeError) or text.ended:
                what = "not JSON, or cut off in the middle of a record: the array has no end"
                raise _broken(shard, number, what) from None
            if len(text.text) - text.at > MAX_RECORD_BYTES:
                what = "not JSON, or a record of more than 64 MiB"
                raise _broken(shard, number, what) from None
            text.more()
            continue
        # A number at the window's edge may go on behind it: "1", but also "1." and "1e+".
        whole = isinstance(value, dict | list | str) or len(text.text) - end >= 3
        if whole or text.ended:
            text.at = end
            return value
        text.more()


def _unreadable(title: str, file: str, row: int | None = None) -> DataError:
    hint = "Fetch the file again, mend it, or"
    return DataError(title, file=file, row=row, hint=hint, remedy=LeaveOut())


def _broken(shard: Shard, number: int, title: str) -> DataError:
    return _unreadable(title, shard.file, number)


# CSV


def _read_csv(shard: Shard, tick: Tick) -> Iterator[Row | Drop]:
    with _field_limit(), shard.path.open("rb", buffering=_CHUNK) as raw:
        if raw.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            raise _unreadable("the file is UTF-16, not UTF-8", shard.file)
        raw.seek(0)
        # As in JSON, bytes that are not UTF-8 come through as lone surrogates.
        text = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="")
        reader = csv.reader(text, strict=True)
        number = -1
        seen = 0
        header: list[str] = []
        try:
            for cells in reader:
                if not cells:
                    continue
                if not header:
                    header = _header(cells, shard)
                    continue
                number += 1
                if len(cells) == len(header):
                    yield Row(number, dict(zip(header, cells, strict=True)))
                else:
                    found = f"{len(cells)} columns where the header has {len(header)}"
                    yield Drop(number, "wrong-column-count", found)
                now = raw.tell()
                tick(1, now - seen)
                seen = now
        except csv.Error as error:
            raise _unreadable(
                f"CSV is broken near line {reader.line_num}: {error}; a quotation mark may be lost",
                shard.file,
                number + 1,
            ) from None


@contextmanager
def _field_limit() -> Iterator[None]:
    """Let the csv module read long fields, for now: its limit holds for the whole process."""
    before = csv.field_size_limit(MAX_RECORD_BYTES)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _header(cells: list[str], shard: Shard) -> list[str]:
    _refuse_same_names(cells, shard.file)
    return cells


def _refuse_same_names(names: list[str], file: str) -> None:
    if len(set(names)) != len(names):
        raise _unreadable("two columns have the same name", file)


# Parquet


def _parquet_shards(path: Path, file: str) -> list[Shard]:
    shards: list[Shard] = []
    start = held = 0
    with _parquet_errors("not Parquet, or cut off", file), _open_parquet(path) as parquet:
        names = parquet.schema_arrow.names
        for group in range(parquet.metadata.num_row_groups):
            held += parquet.metadata.row_group(group).total_byte_size
            if held >= SHARD_BYTES or group == parquet.metadata.num_row_groups - 1:
                shards.append(Shard(path, file, "parquet", start, group + 1))
                start, held = group + 1, 0
    _refuse_same_names(names, file)
    return shards


def _open_parquet(path: Path) -> Any:
    import pyarrow.parquet as pq

    return pq.ParquetFile(path)


@contextmanager
def _parquet_errors(title: str, file: str) -> Iterator[None]:
    """Turn what pyarrow raises for a damaged file, of many kinds, into `DataError`."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, ValueError, OverflowError, OSError) as error:
        # pyarrow's own OSErrors have no number; those of the operating system are something else.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise _unreadable(title, file) from None


def _read_parquet(shard: Shard, tick: Tick) -> Iterator[Row | Drop]:
    number = 0
    title = "Parquet is damaged, or holds values that cannot be read"
    with _parquet_errors(title, shard.file), _open_parquet(shard.path) as parquet:
        for group in range(shard.start, shard.stop or 0):
            metadata = parquet.metadata.row_group(group)
            rows = max(1, metadata.num_rows)
            each = max(1, metadata.total_byte_size // rows)
            batches = parquet.iter_batches(
                batch_size=max(1, min(1000, _BATCH_BYTES // each)),
                row_groups=[group],
                use_threads=False,
            )
            for batch in batches:
                for value in batch.to_pylist():
                    yield Row(number, value)
                    number += 1
                tick(batch.num_rows, each * batch.num_rows)


_READERS: dict[str, Callable[[Shard, Tick], Iterator[Row | Drop]]] = {
    "jsonl": _read_lines,
    "json": _read_array,
    "csv": _read_csv,
    "parquet": _read_parquet,
}

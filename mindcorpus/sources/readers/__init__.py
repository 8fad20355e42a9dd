"""Files to raw rows: JSON, JSON lines, CSV, Parquet, Arrow; a shard at a time, in bounded memory.

A raw row that cannot be read becomes a `Drop`, which is counted; a file that cannot be read on
from some place raises `DataError` with that place. Neither ever quotes the file's text.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from mindcorpus.progress import Tick
from mindcorpus.sources.budgets import Meter
from mindcorpus.sources.file_formats import Reading
from mindcorpus.sources.readers.arrow_file import plan_batches, read_batches
from mindcorpus.sources.readers.csv_table import read_csv
from mindcorpus.sources.readers.diagnosis import HEAD, refuse_no_data
from mindcorpus.sources.readers.dialect import dialect_of
from mindcorpus.sources.readers.json_array import read_array
from mindcorpus.sources.readers.json_lines import read_lines
from mindcorpus.sources.readers.json_object import (
    read_columns,
    read_rows_by_id,
    read_rows_under_key,
    read_stream,
)
from mindcorpus.sources.readers.json_shape import shape_of
from mindcorpus.sources.readers.parquet import plan_row_groups, read_row_groups
from mindcorpus.sources.readers.rows import Drop, Row, Shard, unreadable

__all__ = ["SHARD_BYTES", "Drop", "Row", "Shard", "plan_shards", "read_rows", "readable"]

#: Bytes of a JSON-lines or Parquet file that one shard covers: small enough that two workers end
#: together, large enough that starting one costs nothing. The bytes of every artifact's parts
#: depend on it, so it is no setting.
SHARD_BYTES = 32 * 1024 * 1024
#: So much of a table is looked at to tell how it is written.
_HEAD = 64 * 1024
_AS_SEEN = Reading()


def plan_shards(
    path: Path,
    file: str,
    format_: str,
    reading: Reading = _AS_SEEN,
    *,
    has_marks: bool = False,
    size_of_file: int | None = None,
) -> list[Shard]:
    """Cut a file into shards; how depends on the file alone, so results are the same everywhere.

    Text must be UTF-8, and nothing compressed: `prepare` makes it so, and says whether it has
    marks. `size_of_file` are the bytes of the file of which `path` is what was unpacked.
    Raises `DataError` for an empty file, for what is no data, and for Parquet or Arrow that cannot
    be opened.
    """
    with readable(file):
        size = path.stat().st_size
        with path.open("rb") as opened:
            refuse_no_data(opened.read(HEAD), file, format_)
    scale = 1.0 if size_of_file is None else size_of_file / size
    with readable(file):
        shard = Shard(path, file, format_, 0, size, scale=scale)
        if format_ == "parquet":
            shards = plan_row_groups(path, file, SHARD_BYTES)
            return [replace(each, scale=scale) for each in shards]
        if format_ == "arrow":
            return [replace(each, scale=scale) for each in plan_batches(path, file)]
        if format_ == "csv":
            dialect = dialect_of(_head(path), reading, file)
            return [replace(shard, dialect=dialect, has_marks=has_marks)]
        shape, key = shape_of(path, format_, reading)
        if shape == "jsonl":
            return [
                Shard(path, file, shape, start, min(start + SHARD_BYTES, size), scale=scale)
                for start in range(0, size, SHARD_BYTES)
            ]
    return [replace(shard, format=shape, key=key, said=bool(reading.rows))]


def _head(path: Path) -> str:
    """Give the first characters of a table."""
    with path.open("rb") as file:
        return file.read(_HEAD).decode("utf-8-sig", "replace")


def read_rows(shard: Shard, tick: Tick, meter: Meter) -> Generator[Row | Drop]:
    """Read a shard's raw rows in order; `tick` hears of rows and bytes as they pass.

    Raises `DataError` where the file cannot be read on, or decodes to more than its budget, which
    `meter` watches.
    """
    if shard.scale != 1.0:
        tick = _Scaled(tick, shard.scale)
    with readable(shard.file):
        yield from _READERS[shard.format](shard, tick, meter)


class _Scaled:
    """Counts bytes of what was unpacked as the bytes of the file that they came from."""

    def __init__(self, tick: Tick, scale: float) -> None:
        self._tick = tick
        self._scale = scale
        self._read = 0

    def __call__(self, rows: int, size: int) -> None:
        """Tell of rows and bytes."""
        before = int(self._read * self._scale)
        self._read += size
        self._tick(rows, int(self._read * self._scale) - before)


@contextmanager
def readable(file: str) -> Iterator[None]:
    """Blame a source's file, and it alone, for the system's errors on reading it."""
    try:
        yield
    except OSError as error:
        # Not `strerror`: pyarrow's holds a path of the machine.
        reason = os.strerror(error.errno).lower() if error.errno else "input/output error"
        raise unreadable(f"the file cannot be read: {reason}", file) from None


_READERS: Mapping[str, Callable[[Shard, Tick, Meter], Iterator[Row | Drop]]] = {
    "jsonl": read_lines,
    "json": read_array,
    "json-rows": read_rows_under_key,
    "json-ids": read_rows_by_id,
    "json-columns": read_columns,
    "json-stream": read_stream,
    "csv": read_csv,
    "arrow": read_batches,
    "parquet": read_row_groups,
}

"""Files to raw rows: JSON, JSON lines, CSV and Parquet, a shard at a time, in bounded memory.

A raw row that cannot be read becomes a `Drop`, which is counted; a file that cannot be read on
from some place raises `DataError` with that place. Neither ever quotes the file's text.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mindcorpus.errors import DataError
from mindcorpus.progress import Tick
from mindcorpus.sources.budgets import Meter
from mindcorpus.sources.readers.csv_table import read_csv
from mindcorpus.sources.readers.json_array import is_array, read_array
from mindcorpus.sources.readers.json_lines import read_lines
from mindcorpus.sources.readers.parquet import plan_row_groups, read_row_groups
from mindcorpus.sources.readers.rows import Drop, Row, Shard, unreadable

__all__ = ["SHARD_BYTES", "Drop", "Row", "Shard", "plan_shards", "read_rows"]

#: Bytes of a JSON-lines or Parquet file that one shard covers: small enough that two workers end
#: together, large enough that starting one costs nothing. The bytes of every artifact's parts
#: depend on it, so it is no setting.
SHARD_BYTES = 32 * 1024 * 1024


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
        if format_ == "json" and not is_array(path):
            format_ = "jsonl"
        if format_ == "jsonl":
            return [
                Shard(path, file, format_, start, min(start + SHARD_BYTES, size))
                for start in range(0, size, SHARD_BYTES)
            ]
        if format_ == "parquet":
            return plan_row_groups(path, file, SHARD_BYTES)
    return [Shard(path, file, format_, 0, size)]


def read_rows(shard: Shard, tick: Tick, meter: Meter) -> Generator[Row | Drop]:
    """Read a shard's raw rows in order; `tick` hears of rows and bytes as they pass.

    Raises `DataError` where the file cannot be read on, or decodes to more than its budget, which
    `meter` watches.
    """
    with _readable(shard.file):
        yield from _READERS[shard.format](shard, tick, meter)


@contextmanager
def _readable(file: str) -> Iterator[None]:
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
    "csv": read_csv,
    "parquet": read_row_groups,
}

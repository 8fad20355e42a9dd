"""Parquet to raw rows, in slices that are bounded by what they decode to.

What a footer says is not believed: how many rows are decoded at a time is first taken from it, and
a slice that turns out to need more memory than one may is read again in smaller ones.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mindcorpus.execution.memory import bounded_memory, memory_of_the_system
from mindcorpus.limits import DECODE_BYTES, MAX_RECORD_BYTES
from mindcorpus.progress import Tick
from mindcorpus.sources.budgets import ROW_BYTES, Meter
from mindcorpus.sources.readers.rows import Drop, Row, Shard, refuse_same_names, unreadable

_CHUNK = 1024 * 1024
BATCH_BYTES = 8 * 1024 * 1024
BATCH_ROWS = 1000
#: By so much slices become smaller when one did not fit.
_SMALLER = 8
_TOO_MUCH = f"decoding a row takes more than {DECODE_BYTES >> 20} MiB of memory"


def plan_row_groups(path: Path, file: str, shard_bytes: int) -> list[Shard]:
    """Cut a file into shards of whole row groups; raises `DataError` if it cannot be opened."""
    shards: list[Shard] = []
    start = held = 0
    with decoding_errors("not Parquet, or cut off", file), _open(path) as parquet:
        names = parquet.schema_arrow.names
        for group in range(parquet.metadata.num_row_groups):
            held += parquet.metadata.row_group(group).total_byte_size
            if held >= shard_bytes or group == parquet.metadata.num_row_groups - 1:
                shards.append(Shard(path, file, "parquet", start, group + 1))
                start, held = group + 1, 0
    refuse_same_names(names, file)
    return shards


def read_row_groups(shard: Shard, tick: Tick, meter: Meter) -> Iterator[Row | Drop]:
    """Read the rows of a shard's row groups; one that is too long is a drop."""
    size = shard.path.stat().st_size
    number = 0
    title = "Parquet is damaged, or holds values that cannot be read"
    with memory_of_the_system(), decoding_errors(title, shard.file), _open(shard.path) as parquet:
        for group in range(shard.start, shard.stop or 0):
            rows = max(1, parquet.metadata.row_group(group).num_rows)
            share = _bytes_of(parquet, group, size)
            told = seen = 0
            for batch in _batches(parquet, group, shard, number):
                yield from rows_of(batch, number, meter, shard)
                number += batch.num_rows
                seen += batch.num_rows
                now = min(share, share * seen // rows)
                tick(batch.num_rows, now - told)
                told = now


def _open(path: Path) -> Any:
    import pyarrow.parquet as pq

    # Else a column's share of a row group is held whole.
    return pq.ParquetFile(path, pre_buffer=False, buffer_size=_CHUNK)


def _bytes_of(parquet: Any, group: int, size: int) -> int:
    """Give a row group's share of the file's bytes, for the progress alone."""
    metadata = parquet.metadata.row_group(group)
    columns = range(metadata.num_columns)
    share = sum(metadata.column(at).total_compressed_size for at in columns)
    return int(min(max(0, share), size))


def _batches(parquet: Any, group: int, shard: Shard, first: int) -> Iterator[Any]:
    """Decode a row group in batches, each within the memory that decoding may take."""
    metadata = parquet.metadata.row_group(group)
    each = max(1, metadata.total_byte_size // max(1, metadata.num_rows))
    at_once = max(1, min(BATCH_ROWS, BATCH_BYTES // each))
    given = 0
    while True:
        done = 0
        try:
            for batch in _decoded(parquet, group, at_once):
                done += batch.num_rows
                if done <= given:
                    continue
                new = min(batch.num_rows, done - given)
                given = done
                yield batch.slice(batch.num_rows - new)
        except MemoryError:
            if at_once == 1:
                raise unreadable(_TOO_MUCH, shard.file, first + given) from None
            at_once = max(1, at_once // _SMALLER)
            continue
        return


def _decoded(parquet: Any, group: int, at_once: int) -> Iterator[Any]:
    with bounded_memory(DECODE_BYTES):
        batches = parquet.iter_batches(batch_size=at_once, row_groups=[group], use_threads=False)
    while True:
        with bounded_memory(DECODE_BYTES):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


def rows_of(batch: Any, first: int, meter: Meter, shard: Shard) -> Iterator[Row | Drop]:
    """Make Python values of a batch; one that is large is taken a row at a time."""
    coded = _holds_dictionaries(batch.schema)
    size = batch.nbytes
    values = _values(batch) if size <= 2 * BATCH_BYTES else None
    if values is not None and not coded:
        meter.decoded(size + ROW_BYTES * len(values))
        yield from map(Row, range(first, first + len(values)), values)
        return
    for at in range(batch.num_rows):
        number = first + at
        row = batch.slice(at, 1)
        size = row.nbytes
        if coded:
            # Of a text that stands in a dictionary Arrow counts the dictionary: it is made first.
            value = _value(row, shard, number) if values is None else values[at]
            size = _size_of(value)
        meter.decoded(size + ROW_BYTES)
        if size > MAX_RECORD_BYTES:
            yield Drop(number, "too-long", f"the row has {size} bytes")
        else:
            yield Row(number, value if coded else _value(row, shard, number))


def _value(row: Any, shard: Shard, number: int) -> Any:
    values = _values(row)
    if values is None:
        raise unreadable(_TOO_MUCH, shard.file, number)
    return values[0]


def _values(batch: Any) -> list[Any] | None:
    """Make Python values of a batch; None if they take too much memory."""
    with bounded_memory(DECODE_BYTES), contextlib.suppress(MemoryError):
        values: list[Any] = batch.to_pylist()
        return values
    return None


def _size_of(value: Any) -> int:
    """Give about the bytes of a value that Python has made."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return len(value) if isinstance(value, str | bytes) else 8
    return sum(map(_size_of, value))


def _holds_dictionaries(kind: Any) -> bool:
    """Tell whether a schema, or a type, has texts that stand in a dictionary anywhere in it."""
    import pyarrow as pa

    if isinstance(kind, pa.DictionaryType):
        return True
    fields = kind if isinstance(kind, pa.Schema) else map(kind.field, range(kind.num_fields))
    return any(_holds_dictionaries(field.type) for field in fields)


@contextmanager
def decoding_errors(title: str, file: str) -> Iterator[None]:
    """Turn what pyarrow raises for a damaged file, of many kinds, into `DataError`."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, ValueError, OverflowError, OSError) as error:
        # pyarrow's own OSErrors have no number; those of the operating system are something else.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise unreadable(title, file) from None

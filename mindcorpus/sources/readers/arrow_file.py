"""Arrow files to raw rows: both forms, the file and the stream, a batch at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mindcorpus.execution.memory import bounded_memory, memory_of_the_system
from mindcorpus.limits import DECODE_BYTES
from mindcorpus.progress import Tick
from mindcorpus.sources.budgets import Meter
from mindcorpus.sources.readers.parquet import BATCH_BYTES, BATCH_ROWS, decoding_errors, rows_of
from mindcorpus.sources.readers.rows import Drop, Row, Shard, refuse_same_names, unreadable

_MAGIC = b"ARROW1"
#: What a stream begins with, and ends with; one of before Arrow 0.15 has only the zeros.
_GOES_ON, _END = b"\xff\xff\xff\xff", b"\0\0\0\0"
_DAMAGED = "Arrow is damaged, cut off, or holds values that cannot be read"


def plan_batches(path: Path, file: str) -> list[Shard]:
    """Give the one shard of a file; raises `DataError` if it cannot be opened."""
    with decoding_errors("not Arrow, or cut off", file), _open(path) as reader:
        names = reader.schema.names
    refuse_same_names(names, file)
    _refuse_no_end(path, file)
    return [Shard(path, file, "arrow", 0, path.stat().st_size)]


def read_batches(shard: Shard, tick: Tick, meter: Meter) -> Iterator[Row | Drop]:
    """Read the rows of a file; a batch that takes too much memory ends the reading."""
    number = told = 0
    with (
        memory_of_the_system(),
        decoding_errors(_DAMAGED, shard.file),
        shard.path.open("rb") as file,
        _open_file(file) as reader,
    ):
        for batch in _batches(reader, shard):
            each = max(1, batch.nbytes // max(1, batch.num_rows))
            at_once = max(1, min(BATCH_ROWS, BATCH_BYTES // each))
            for at in range(0, batch.num_rows, at_once):
                piece = batch.slice(at, at_once)
                yield from rows_of(piece, number, meter, shard)
                number += piece.num_rows
                now = file.tell()
                tick(piece.num_rows, max(0, now - told))
                told = max(told, now)
        if not hasattr(reader, "get_batch") and file.read(1):
            raise unreadable("the file goes on behind the end of its stream", shard.file, number)


def _refuse_no_end(path: Path, file: str) -> None:
    """Raise `DataError` for a stream without an end: who wrote it, or copied it, was stopped.

    Where it ends between two batches nothing else shows it, and the rest would be missed by no one.
    """
    with path.open("rb") as opened:
        head = opened.read(len(_MAGIC))
        opened.seek(-min(8, path.stat().st_size), os.SEEK_END)
        last = opened.read()
    end = _GOES_ON + _END if head.startswith(_GOES_ON) else _END
    if head != _MAGIC and not last.endswith(end):
        raise unreadable("Arrow is cut off: the stream has no end", file)


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    with path.open("rb") as file, _open_file(file) as reader:
        yield reader


@contextmanager
def _open_file(file: Any) -> Iterator[Any]:
    import pyarrow as pa

    options = pa.ipc.IpcReadOptions(use_threads=False)
    whole = file.read(len(_MAGIC)) == _MAGIC
    file.seek(0)
    with bounded_memory(DECODE_BYTES):
        opened = pa.ipc.open_file if whole else pa.ipc.open_stream
        reader = opened(file, options=options)
    with reader:
        yield reader


def _batches(reader: Any, shard: Shard) -> Iterator[Any]:
    """Give batches that hold what their form says: a damaged one could lead anywhere in memory."""
    if hasattr(reader, "get_batch"):
        batches = map(reader.get_batch, range(reader.num_record_batches))
    else:
        batches = iter(reader)
    while True:
        try:
            with bounded_memory(DECODE_BYTES):
                batch = next(batches, None)
        except MemoryError:
            what = f"a batch takes more than {DECODE_BYTES >> 20} MiB of memory"
            raise unreadable(what, shard.file) from None
        if batch is None:
            return
        batch.validate(full=True)
        yield batch

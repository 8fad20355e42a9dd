"""Which records are the same: by their 128-bit keys alone, in bounded memory, whatever the number.

The first record with a key, in the order of the catalogue, stays; each later one is told which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from mindcorpus.arrow import as_numbers

Keys = npt.NDArray[np.uint64]
"""Shape (n, 2): a 128-bit key as two integers."""
Numbers = npt.NDArray[np.int64]

#: Keys that are sorted at one time: 16 bytes each, and about three times that while sorting.
PARTITION = 1_000_000


def read_column(index: Path, column: str, kind: type[np.generic]) -> npt.NDArray[Any]:
    """Read a column of a part's index, kept rows only, as numbers of a kind."""
    table = pq.ParquetFile(index).read(columns=[column], use_threads=False)
    return as_numbers(table.column(0), kind)


def read_keys(index: Path, column: str) -> Keys:
    """Read one key column of a part's index, kept rows only: shape (kept, 2)."""
    return read_column(index, column, np.uint64).reshape(-1, 2)


def partitions(
    indexes: Sequence[Path], column: str, count: int, check: Callable[[], None]
) -> Iterator[tuple[Keys, Numbers]]:
    """Give all keys in groups such that equal keys are in one group, with the records' numbers.

    `count` is how many records there are in all; numbers count them over all parts, in order.
    """
    parts = max(1, -(-count // PARTITION))
    for part in range(parts):
        keys: list[Keys] = []
        numbers: list[Numbers] = []
        first = 0
        for index in indexes:
            check()
            found = read_keys(index, column)
            mine = np.flatnonzero(found[:, 0] % np.uint64(parts) == part)
            keys.append(found[mine])
            numbers.append(mine + first)
            first += len(found)
        yield np.concatenate(keys), np.concatenate(numbers)


def find_duplicates(indexes: Sequence[Path], count: int, check: Callable[[], None]) -> Numbers:
    """For each record, the number of the first one with the same key if that is another, else -1.

    Shape (count,); 8 bytes a record.
    """
    duplicate_of = np.full(count, -1, np.int64)
    for keys, numbers in partitions(indexes, "key", count, check):
        order = np.lexsort((numbers, keys[:, 1], keys[:, 0]))
        ordered, records = keys[order], numbers[order]
        same = np.zeros(len(records), bool)
        same[1:] = (ordered[1:] == ordered[:-1]).all(axis=1)
        # Each run of equal keys points at its first record.
        starts = np.maximum.accumulate(np.where(same, 0, np.arange(len(records))))
        duplicate_of[records[same]] = records[starts[same]]
    return duplicate_of

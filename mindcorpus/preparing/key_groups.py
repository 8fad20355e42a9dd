"""Rows of one key, found in bounded memory: the keys go through a file, some at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from mindcorpus.corpus.equal_keys import Groups, equal_keys
from mindcorpus.corpus.row_facts import Keys, integers_for

#: Keys that are looked at, and sorted, at one time.
AT_ONCE = 250_000


def equal_keys_of(read: Callable[[int, int], Keys], count: int, file: IO[bytes]) -> Groups:
    """Give the same of the keys of many rows, which `read(first, last)` gives.

    Of each row and each group some bytes are held; the keys go through a file that is empty.
    """
    buckets = -(-count // AT_ONCE)
    if buckets <= 1:
        return equal_keys(read(0, count))
    type_ = integers_for(count)
    of_row, sizes, firsts, groups = np.empty(count, type_), [], [], 0
    for keys, rows in _dealt(read, count, buckets, file):
        found = equal_keys(keys)
        of_row[rows] = found.of_row + type_(groups)
        sizes.append(found.sizes)
        firsts.append(rows[found.first])
        groups += len(found.sizes)
    return Groups(of_row, np.concatenate(sizes), np.concatenate(firsts))


def _dealt(
    read: Callable[[int, int], Keys], count: int, buckets: int, file: IO[bytes]
) -> Iterator[tuple[Keys, npt.NDArray[Any]]]:
    """Give the keys in buckets, the lowest first, with their rows, which ascend in each."""
    line = np.dtype([("key", np.uint64, 2), ("row", integers_for(count))])
    borders = []
    for first in range(0, count, AT_ONCE):
        keys = read(first, min(first + AT_ONCE, count))
        # Keys are hashes: of the numbers below 2 to the power of 64 each bucket gets a like share.
        home = ((keys[:, 0] >> np.uint64(32)) * np.uint64(buckets)) >> np.uint64(32)
        order = np.argsort(home, kind="stable")
        lines = np.empty(len(keys), line)
        lines["key"], lines["row"] = keys[order], order + first
        file.write(lines.data.cast("B"))
        borders.append(np.searchsorted(home[order], np.arange(buckets + 1)) + first)
    for mine in zip(*(pairwise(each.tolist()) for each in borders), strict=True):
        pieces = []
        for start, stop in mine:
            file.seek(start * line.itemsize)
            pieces.append(np.frombuffer(file.read((stop - start) * line.itemsize), line))
        lines = np.concatenate(pieces)
        yield lines["key"], lines["row"]

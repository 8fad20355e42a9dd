"""Columns of numbers that are read piece by piece: beyond some megabytes they lie on the disk."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

#: Bytes of columns that stay in memory; more are put into a file without a name.
IN_MEMORY = 8 * 1024 * 1024


@dataclass(frozen=True)
class _Block:
    """Some rows of one column: where they stand, or the one value that all of them have."""

    place: int | None
    value: bytes = b""


class ColumnStore:
    """Columns of one length; each array that is asked for is read anew, and is the asker's."""

    def __init__(self, folder: Path, columns: Mapping[str, np.dtype[Any]]) -> None:
        """Take the type of each column, and a folder for the file, should there have to be one."""
        self._columns = columns
        self._starts = [0]
        self._blocks: dict[str, list[_Block]] = {name: [] for name in columns}
        self._place = str(folder) if os.access(folder, os.W_OK) else None
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY, dir=self._place)  # noqa: SIM115 - it lives as long as we do
        weakref.finalize(self, self._file.close)
        self._end = 0

    def __len__(self) -> int:
        return self._starts[-1]

    def open_scratch(self) -> IO[bytes]:
        """Open an empty file beside the columns', that is gone when it is closed."""
        return tempfile.TemporaryFile(dir=self._place)

    def append(self, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        """Add some rows: all columns, of their types."""
        count = len(next(iter(columns.values())))
        self._starts.append(self._starts[-1] + count)
        for name, type_ in self._columns.items():
            values = np.ascontiguousarray(columns[name], type_.base)
            if not count or (values == values[0]).all():
                self._blocks[name].append(_Block(None, values[:1].tobytes()))
                continue
            self._blocks[name].append(_Block(self._end))
            self._file.seek(self._end)
            self._file.write(values.data.cast("B"))
            self._end += values.nbytes

    def read(self, name: str, first: int, last: int) -> npt.NDArray[Any]:
        """Give the rows [first, last) of a column; where all are one value, not to be written."""
        type_ = self._columns[name]
        shape = (last - first, *type_.shape)
        mine = self._within(name, first, last)
        if len({block.value for block, _, _ in mine}) == 1 and mine[0][0].place is None:
            return np.broadcast_to(np.frombuffer(mine[0][0].value, type_), shape)
        found = np.empty(shape, type_.base)
        at = 0
        for block, skipped, count in mine:
            into = found[at : at + count]
            at += count
            if block.place is None:
                into[...] = np.frombuffer(block.value, type_)
            else:
                self._file.seek(block.place + skipped * type_.itemsize)
                read = self._file.readinto(into.data.cast("B"))
                assert read == into.nbytes, "a column was cut short"
        return found

    def _within(self, name: str, first: int, last: int) -> list[tuple[_Block, int, int]]:
        """Give the blocks that hold rows [first, last): what of each is skipped, and is read."""
        found = []
        at = int(np.searchsorted(self._starts, first, side="right")) - 1
        while at < len(self._starts) - 1 and self._starts[at] < last:
            start, end = max(first, self._starts[at]), min(last, self._starts[at + 1])
            if start < end:
                found.append((self._blocks[name][at], start - self._starts[at], end - start))
            at += 1
        return found

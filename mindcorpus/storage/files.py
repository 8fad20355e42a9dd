"""Files on their way to disk: written whole and hashed, or region by region."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from mindcorpus.system_calls import claim, let_go

#: 512 KiB pieces write fastest; 4 MiB pieces took twice as long (measured, performance notes).
PIECE = 512 * 1024


@dataclass(frozen=True)
class Written:
    """What a complete file holds."""

    path: Path
    bytes: int
    sha256: str
    rows: int


class _File(ABC):
    """A buffer before a file descriptor."""

    def __init__(self, descriptor: int) -> None:
        self.closed = False
        self._descriptor = descriptor
        self._buffer = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self.flush()
                self._complete()
        finally:
            os.close(self._descriptor)
            self.closed = True

    def write(self, data: bytes | memoryview) -> int:
        """Append bytes."""
        self._buffer += data
        if len(self._buffer) >= PIECE:
            self.flush()
        return len(data)

    def flush(self) -> None:
        """Write out what is buffered."""
        if self._buffer:
            with memoryview(self._buffer) as data:
                self._put(data)
            self._buffer.clear()

    @abstractmethod
    def _put(self, data: memoryview) -> None:
        """Write bytes that were buffered."""

    @abstractmethod
    def _complete(self) -> None:
        """Do what is due when all is written."""


class HashedFile(_File):
    """A new file, hashed as it is written. Also a file object for pyarrow."""

    def __init__(self, path: Path) -> None:
        super().__init__(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        self.path = path
        self.rows = 0
        self._hash = hashlib.sha256()
        self._size = 0

    @property
    def written(self) -> Written:
        """What the file holds; true once it is closed."""
        return Written(self.path, self._size, self._hash.hexdigest(), self.rows)

    def tell(self) -> int:
        """Give how many bytes were appended (pyarrow asks)."""
        return self._size + len(self._buffer)

    def close(self) -> None:
        """Do nothing: the `with` closes (pyarrow would, earlier)."""

    def _put(self, data: memoryview) -> None:
        self._hash.update(data)
        self._size += len(data)
        at = 0
        while at < len(data):
            at += os.write(self._descriptor, data[at:])

    def _complete(self) -> None:
        # Begins to write it to the disk; publishing waits for the end of that.
        let_go(self._descriptor)


class PieceFile(_File):
    """A piece being written."""

    def __init__(self, path: Path) -> None:
        super().__init__(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))

    def _put(self, data: memoryview) -> None:
        at = 0
        while at < len(data):
            at += os.write(self._descriptor, data[at:])

    def _complete(self) -> None:
        """Leave it in the page cache: it is read again at once."""


@dataclass(frozen=True)
class Piece:
    """Bytes of a file whose place is not known before they are written: a file of their own."""

    path: Path

    def open(self) -> PieceFile:
        """Open the piece for writing."""
        return PieceFile(self.path)


@dataclass(frozen=True)
class Region:
    """Bytes [start, start + size) of a file that others write as well."""

    path: Path
    start: int
    size: int

    def open(self) -> RegionFile:
        """Open the region for writing; leaving the `with` raises unless it was filled exactly."""
        return RegionFile(self)


class RegionFile(_File):
    """A region being written."""

    def __init__(self, region: Region) -> None:
        super().__init__(os.open(region.path, os.O_WRONLY))
        self._region = region
        self._at = region.start

    def _put(self, data: memoryview) -> None:
        end = self._region.start + self._region.size
        assert self._at + len(data) <= end, f"{self._region.path.name}: longer than was planned"
        at = 0
        while at < len(data):
            at += os.pwrite(self._descriptor, data[at:], self._at + at)
        self._at += len(data)

    def _complete(self) -> None:
        end = self._region.start + self._region.size
        assert self._at == end, f"{self._region.path.name}: shorter than was planned"


def lay_out(path: Path, head: bytes, sizes: list[int], tail: bytes) -> list[Region]:
    """Make a file of its final size with head and tail in place; give the regions between them."""
    regions = []
    at = len(head)
    for size in sizes:
        regions.append(Region(path, at, size))
        at += size
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        if size := at + len(tail):
            # Claims the space, so that a full disk is met here and not after the work.
            claim(descriptor, size)
        os.pwrite(descriptor, head, 0)
        os.pwrite(descriptor, tail, at)
    finally:
        os.close(descriptor)
    return regions


def hash_file(path: Path, tick: Callable[[int, int], None]) -> tuple[str, int]:
    """Compute sha256 and size of a file; `tick(0, bytes)` hears how far."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as file:
        buffer = bytearray(PIECE)
        with memoryview(buffer) as view:
            while count := file.readinto(buffer):
                digest.update(view[:count])
                size += count
                tick(0, count)
    return digest.hexdigest(), size

"""Checksums of files that several processes write: a thread follows behind them, in order.

A sha256 needs a file's bytes from first to last, its writers finish their shares in any order.
The thread hashes each region as soon as all before it are complete, while it still lies in the
page cache, then hands it to the disk and lets the cache go: neither a second read of the disk
nor a cache that grows with the corpus. Where sizes are not known beforehand, the writers write
pieces, and the thread puts them into the file, in order, as it hashes them.
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from mindcorpus.storage.files import PIECE, HashedFile, Piece, Region, Written
from mindcorpus.system_calls import let_go, read_at

_LOOK = 0.2  # seconds after which a thread that waits looks whether it should stop


class _Follower(ABC):
    """Goes through the shares of one file, in order, between entering and leaving a `with`."""

    def __init__(self, path: Path, shares: int) -> None:
        self._path = path
        self._complete = [threading.Event() for _ in range(shares)]
        self._stop = threading.Event()
        self._sha256 = ""
        self._size = 0
        self.done = 0
        """Bytes that it has gone through."""
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._stop.set()
        self._thread.join()

    def complete(self, number: int) -> None:
        """Tell that a share is written."""
        self._complete[number].set()

    def complete_all(self) -> None:
        """Tell that all shares are written."""
        for each in self._complete:
            each.set()

    def is_over(self, seconds: float) -> bool:
        """Wait so long at most for its end, good or bad; tell whether it came."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def written(self, rows: int) -> Written:
        """Wait for the end, and give what the file holds; raises what the thread met."""
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        return Written(self._path, self._size, self._sha256, rows)

    def _run(self) -> None:
        try:
            self._follow()
        except Exception as error:  # noqa: BLE001 - raised again where the result is asked for
            self._failure = error

    @abstractmethod
    def _follow(self) -> None:
        """Hash the shares, in order."""

    def _wait_for(self, number: int) -> bool:
        """Wait until a share is written; False if nobody wants it any more."""
        while not self._complete[number].wait(_LOOK):
            if self._stop.is_set():
                return False
        return True


class OrderedHash(_Follower):
    """Hashes a file whose writers write in place, region by region."""

    def __init__(self, path: Path, regions: Sequence[Region]) -> None:
        super().__init__(path, len(regions))
        # What stands before the first region belongs to it, what follows the last one too.
        ends = [region.start + region.size for region in regions]
        self._ends = [*ends[:-1], path.stat().st_size]

    def _follow(self) -> None:
        descriptor = os.open(self._path, os.O_RDWR)
        try:
            self._hash_all(descriptor)
        finally:
            os.close(descriptor)

    def _hash_all(self, descriptor: int) -> None:
        digest = hashlib.sha256()
        buffer = bytearray(PIECE)
        start = before = 0
        with memoryview(buffer) as view:
            for number, end in enumerate(self._ends):
                if not self._wait_for(number):
                    return
                at = start
                while at < end and not self._stop.is_set():
                    count = read_at(descriptor, view[: end - at], at)
                    if not count:
                        raise OSError(errno.EIO, "the file was cut short", str(self._path))
                    digest.update(view[:count])
                    at += count
                    self.done = at
                # Twice each: the first time starts the writing, the second lets the pages go.
                let_go(descriptor, before, end - before)
                before, start = start, end
        self._size, self._sha256 = self._ends[-1], digest.hexdigest()


class OrderedCopy(_Follower):
    """Puts pieces together into a new file, in order, and hashes it; a piece that is in is gone."""

    def __init__(
        self, path: Path, pieces: Sequence[Piece], head: bytes = b"", tail: bytes = b""
    ) -> None:
        super().__init__(path, len(pieces))
        self._pieces = pieces
        self._ends = head, tail

    def _follow(self) -> None:
        buffer = bytearray(PIECE)
        with HashedFile(self._path) as file, memoryview(buffer) as view:
            file.write(self._ends[0])
            for number, piece in enumerate(self._pieces):
                if not self._wait_for(number):
                    return
                with piece.path.open("rb", buffering=0) as source:
                    while (count := source.readinto(buffer)) and not self._stop.is_set():
                        file.write(view[:count])
                        self.done += count
                piece.path.unlink()
            file.write(self._ends[1])
        self._size, self._sha256 = file.written.bytes, file.written.sha256


Share = Region | Piece
"""What one task writes of a file: bytes at its place, or a piece that is put there later."""


@dataclass(frozen=True)
class SharedFile:
    """A file that several tasks write together: the share of each, in order."""

    path: Path
    shares: tuple[Share, ...]
    head: bytes = b""
    """What stands before pieces; regions have it in place already. `tail` likewise."""
    tail: bytes = b""

    def follow(self) -> OrderedHash | OrderedCopy:
        """Give what follows behind the writers of the shares, all regions or all pieces."""
        regions = [share for share in self.shares if isinstance(share, Region)]
        pieces = [share for share in self.shares if isinstance(share, Piece)]
        assert not (regions and pieces), "a file is written in place, or put together"
        if regions:
            return OrderedHash(self.path, regions)
        return OrderedCopy(self.path, pieces, self.head, self.tail)

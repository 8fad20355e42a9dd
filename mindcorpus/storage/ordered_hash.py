"""Checksums of files that several processes write: a thread follows behind them, in order.

A sha256 needs a file's bytes from first to last, its writers finish their regions in any order.
The thread hashes each region as soon as all before it are complete, while it still lies in the
page cache, then hands it to the disk and lets the cache go: neither a second read of the disk
nor a cache that grows with the corpus.
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from mindcorpus.storage.files import PIECE, Region, Written

_LOOK = 0.2  # seconds after which a thread that waits looks whether it should stop


class OrderedHash:
    """Hashes one file region by region, between entering and leaving a `with`."""

    def __init__(self, path: Path, regions: Sequence[Region]) -> None:
        self._path = path
        # What stands before the first region belongs to it, what follows the last one too.
        ends = [region.start + region.size for region in regions]
        self._ends = [*ends[:-1], path.stat().st_size]
        self._complete = [threading.Event() for _ in regions]
        self._stop = threading.Event()
        self._hash = hashlib.sha256()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._follow, daemon=True)

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
        """Tell that a region is written."""
        self._complete[number].set()

    def written(self, rows: int) -> Written:
        """Wait for the end, and give what the file holds; raises what the thread met."""
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        return Written(self._path, self._ends[-1], self._hash.hexdigest(), rows)

    def _follow(self) -> None:
        try:
            descriptor = os.open(self._path, os.O_RDWR)
            try:
                self._hash_all(descriptor)
            finally:
                os.close(descriptor)
        except Exception as error:  # noqa: BLE001 - raised again where the result is asked for
            self._failure = error

    def _hash_all(self, descriptor: int) -> None:
        buffer = bytearray(PIECE)
        start = before = 0
        with memoryview(buffer) as view:
            for complete, end in zip(self._complete, self._ends, strict=True):
                while not complete.wait(_LOOK):
                    if self._stop.is_set():
                        return
                at = start
                while at < end and not self._stop.is_set():
                    count = os.preadv(descriptor, [view[: end - at]], at)
                    if not count:
                        raise OSError(errno.EIO, "the file was cut short", str(self._path))
                    self._hash.update(view[:count])
                    at += count
                # Twice each: the first time starts the writing, the second lets the pages go.
                os.posix_fadvise(descriptor, before, end - before, os.POSIX_FADV_DONTNEED)
                before, start = start, end

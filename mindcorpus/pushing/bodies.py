"""A file on its way: read piece by piece, counted, and stopped when somebody cancels."""

from __future__ import annotations

import io
import os

from mindcorpus.progress import Cancellation
from mindcorpus.pushing.parcels import ParcelFile


class Body(io.BufferedIOBase):
    """A file as the hub's client reads it; it holds no descriptor between two reads.

    A stream, not a path: the client sends those over plain HTTPS, where time-outs, progress and
    cancellation are ours. What it sends by itself goes through Xet, which knows none of them.
    """

    def __init__(self, file: ParcelFile, cancel: Cancellation) -> None:
        self._file = file
        self._cancel = cancel
        self._at = 0

    @property
    def sent(self) -> int:
        """Bytes up to where it was read."""
        return self._at

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def seekable(self) -> bool:
        """Whether it can be read again: yes."""
        return True

    def tell(self) -> int:
        """Give where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Have the next read begin elsewhere."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._file.bytes}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        """Give the next bytes; raises `CancelledError`."""
        self._cancel.check()
        with self._file.file.open("rb") as file:
            file.seek(self._at)
            piece = file.read(-1 if size is None else size)
        self._at += len(piece)
        return piece

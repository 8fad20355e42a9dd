"""A copy that is read in a file's place, while it is written: the disk's errors are its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mindcorpus.errors import storage_errors


@contextmanager
def written(target: Path) -> Iterator[Callable[[bytes], None]]:
    """Give what writes the pieces of a new file.

    Raises `StorageError`, which nobody who reads another file meanwhile takes for an error of that
    file, and `FileExistsError`.
    """
    with storage_errors(target.parent):
        out = target.open("xb")

    def write(piece: bytes) -> None:
        with storage_errors(target.parent):
            out.write(piece)

    try:
        yield write
        with storage_errors(target.parent):
            out.close()
    finally:
        with suppress(OSError):
            out.close()

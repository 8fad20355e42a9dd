"""Bytes as they are sent: of a file, of a part of one, or of a folder as one archive.

All in bounded memory. An archive is made while it is sent; as nothing in it depends on the time or
the machine, its length is known before, and the same artifact always gives the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from tarfile import BLOCKSIZE, PAX_FORMAT, TarInfo
from typing import TYPE_CHECKING, cast

from flask import Response

from mindcorpus.errors import CorruptArtifactError
from web.files.downloads import Artifact, Download

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_CHUNK = 256 * 1024
_END = bytes(2 * BLOCKSIZE)


class FileBytes:
    """So many bytes of an open file, from a place on; closing it closes the file."""

    def __init__(self, descriptor: int, start: int, length: int) -> None:
        self._descriptor: int | None = descriptor
        self._start = start
        self._length = length
        self._at = 0

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.read(_CHUNK):
            yield chunk

    def read(self, size: int) -> bytes:
        """Give the next bytes, at most so many; none at the end."""
        wanted = min(size, self._length - self._at)
        if not wanted or self._descriptor is None:
            return b""
        chunk = os.pread(self._descriptor, wanted, self._start + self._at)
        if not chunk:
            # The server then breaks the connection off, and the client knows.
            raise CorruptArtifactError("a file became shorter while it was sent")
        self._at += len(chunk)
        return chunk

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place among them, as in a file."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._length}[whence]
        self._at = origin + offset
        return self._at

    def tell(self) -> int:
        """Give the place among them."""
        return self._at

    def close(self) -> None:
        """Close the file; once more does no harm."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class FileResponse(Response):
    """An answer whose body the server takes from a file itself, without a thread that waits."""

    def get_app_iter(self, environ: WSGIEnvironment) -> Iterable[bytes]:
        """Hand the file over where the server can read it; it closes what it was given."""
        by_server = environ.get("wsgi.file_wrapper")
        if by_server is None or environ["REQUEST_METHOD"] == "HEAD":
            return super().get_app_iter(environ)
        content = _Handed(cast("FileBytes", self.response), self.close)
        return cast("Iterable[bytes]", by_server(content, _CHUNK))


class _Handed:
    """A file in the hands of the server; when that closes it, the answer is over."""

    def __init__(self, content: FileBytes, close: Callable[[], None]) -> None:
        self.read = content.read
        self.seek = content.seek
        self.tell = content.tell
        self.close = close


class ArchiveBytes:
    """The files of a folder as a tar archive; closing it closes the artifact.

    Until then the artifact stays, though another may replace it: all files are of this one.
    """

    def __init__(self, artifact: Artifact, path: str, files: Sequence[Download]) -> None:
        self._artifact: Artifact | None = artifact
        self._files = files
        self._above = len(path) - len(PurePosixPath(path).name)

    def __len__(self) -> int:
        return len(_END) + sum(
            len(self._head(file)) + file.bytes + _padding(file) for file in self._files
        )

    def __iter__(self) -> Iterator[bytes]:
        for file in self._files:
            if self._artifact is None:
                return
            content = FileBytes(self._artifact.open(file), 0, file.bytes)
            try:
                yield self._head(file)
                yield from content
            finally:
                content.close()
            yield bytes(_padding(file))
        yield _END

    def close(self) -> None:
        """Close the artifact; once more does no harm."""
        if self._artifact is not None:
            self._artifact.close()
            self._artifact = None

    def _head(self, file: Download) -> bytes:
        entry = TarInfo(file.path[self._above :])
        entry.size = file.bytes
        return entry.tobuf(PAX_FORMAT)


def _padding(file: Download) -> int:
    return -file.bytes % BLOCKSIZE

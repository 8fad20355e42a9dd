"""Bytes as they are sent: of a file, of a part of one, or of a folder as one archive.

All in bounded memory. An archive is made while it is sent; as nothing in it depends on the time or
the machine, its length is known before, and the same artifact always gives the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from tarfile import BLOCKSIZE, PAX_FORMAT, TarInfo

from mindcorpus.errors import CorruptArtifactError
from web.files.downloads import Artifact, Download

_CHUNK = 256 * 1024
_END = bytes(2 * BLOCKSIZE)


class FileBytes:
    """So many bytes of an open file, from a place on; closing it closes the file."""

    def __init__(self, descriptor: int, start: int, length: int) -> None:
        self._descriptor: int | None = descriptor
        self._at = start
        self._left = length

    def __iter__(self) -> Iterator[bytes]:
        while self._left and self._descriptor is not None:
            chunk = os.pread(self._descriptor, min(_CHUNK, self._left), self._at)
            if not chunk:
                # The server then breaks the connection off, and the client knows.
                raise CorruptArtifactError("a file became shorter while it was sent")
            self._at += len(chunk)
            self._left -= len(chunk)
            yield chunk

    def close(self) -> None:
        """Close the file; once more does no harm."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


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

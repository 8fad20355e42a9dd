"""Compressed files as streams of what they hold: gzip, zstd, bzip2, xz, and zip with one file.

What a file is shows in its first bytes, whatever its name says. Nothing is believed of its size:
what comes out is counted while it comes, so that whoever reads can stop it.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any

from mindcorpus.errors import DataError
from mindcorpus.remedies import LeaveOut

#: The endings of compressed files, and what each is called.
ENDINGS: Mapping[str, str] = {
    ".gz": "gzip",
    ".zst": "zstd",
    ".bz2": "bzip2",
    ".xz": "xz",
    ".zip": "zip",
}
_MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),  # one that holds nothing
)
#: What bzip2 has behind the digit of its size: a block, or the end. A text may begin with «BZh».
_BZIP2_NEXT = (b"1AY&SY", b"\x17rE8P\x90")
_CHUNK = 1024 * 1024
#: Of what is packed: small, so that what was read of it tells of what came out.
_PACKED_CHUNK = 128 * 1024
#: What systems put into folders, and so into what is made of them.
_OF_SYSTEMS = frozenset(("__macosx", "thumbs.db", "desktop.ini"))
#: Memory that unpacking xz may take: `xz -9` needs 65 MiB. What zstd may take, 128 MiB, is set in
#: Arrow; the others need less than 1 MiB.
_XZ_MEMORY = 192 * 1024 * 1024


def without_ending(name: str) -> str:
    """Give a file's name without the ending that says it is compressed, if it has one."""
    path = PurePosixPath(name)
    return name[: -len(path.suffix)] if path.suffix.lower() in ENDINGS else name


def compression_of(path: Path, file: str) -> str | None:
    """Tell how a file is compressed, by its first bytes; None if it is not.

    `file` is what errors call it. Raises `DataError` if its ending says that it is compressed and
    it is not so in any way that is known here, and `OSError`.
    """
    with path.open("rb") as opened:
        head = opened.read(16)
    kind = compression_by(head)
    if kind is not None:
        return kind
    said = ENDINGS.get(PurePosixPath(file).suffix.lower())
    if said is not None and head:
        raise _error(f"the file's ending says {said}, but it is not", file)
    return None


def compression_by(head: bytes) -> str | None:
    """Tell how what begins with these bytes is compressed; None if it is not."""
    for magic, kind in _MAGIC:
        if head.startswith(magic) and (kind != "bzip2" or head[4:].startswith(_BZIP2_NEXT)):
            return kind
    # Of zstd these are frames that hold no data, before the first that does.
    if head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50:
        return "zstd"
    return None


def plain_name(path: Path, file: str) -> str:
    """Give the name of what a file holds: of a zip its one file's, else the name without ending.

    Raises as `open_plain`.
    """
    if compression_of(path, file) == "zip":
        with _zip(path, file) as archive:
            return PurePosixPath(_member(archive, file).filename).name
    return without_ending(file)


def open_plain(
    path: Path, file: str, count: Callable[[int], object] = lambda _size: None
) -> IO[bytes]:
    """Open a file, decompressed if it is compressed, as a stream of bytes that cannot be sought.

    `count` hears of the size of each piece as it comes out, and may raise what stops it. Raises
    `DataError`, also while it is read, for one that is damaged, cut off or encrypted, and for a zip
    that holds not one file but none or several; and `OSError`.
    """
    kind = compression_of(path, file)
    if kind is None:
        plain = path.open("rb", buffering=0)
        return io.BufferedReader(_Counted(plain, file, "", count, plain.tell), _CHUNK)
    if kind == "zip":
        archive = _zip(path, file)
        try:
            member = archive.open(_member(archive, file))
        except (NotImplementedError, zipfile.BadZipFile):
            archive.close()
            raise _error(
                "the zip is damaged, or packed in a way that is not read here", file
            ) from None
        except BaseException:
            archive.close()
            raise
        return io.BufferedReader(
            _Counted(member, file, kind, count, lambda: _position(archive.fp), archive), _CHUNK
        )
    stream, taken = _OPENERS[kind](path)
    return io.BufferedReader(_Counted(stream, file, kind, count, taken), _CHUNK)


def taken_by(stream: IO[bytes]) -> int:
    """Give how many of a file's bytes were read for what came out of `open_plain` so far."""
    counted = getattr(stream, "raw", None)
    assert isinstance(counted, _Counted), "a stream of open_plain"
    return counted.taken()


def _position(file: Any) -> int:
    return int(file.tell())


class _Counted(io.RawIOBase):
    """A stream that counts what it gives, and calls what goes wrong by its name."""

    def __init__(
        self,
        stream: Any,
        file: str,
        kind: str,
        count: Callable[[int], object],
        taken: Callable[[], int],
        archive: zipfile.ZipFile | None = None,
    ) -> None:
        super().__init__()
        self.taken = taken
        self._stream = stream
        self._file = file
        self._kind = kind
        self._count = count
        self._archive = archive

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read on; raises `DataError` where the data is damaged or ends too early."""
        try:
            piece = self._stream.read(len(buffer))
        except EOFError:
            raise _error(f"the {self._kind} data is cut off", self._file) from None
        except (
            OSError,
            zlib.error,
            lzma.LZMAError,
            zipfile.BadZipFile,
            NotImplementedError,
        ) as error:
            # Those of the system have a number; pyarrow's and gzip's own have none.
            if isinstance(error, OSError) and error.errno is not None:
                raise
            what = "is cut off" if "Truncated" in str(error) else "is damaged"
            raise _error(f"the {self._kind} data {what}", self._file) from None
        buffer[: len(piece)] = piece
        self._count(len(piece))
        return len(piece)

    def close(self) -> None:
        """Close the file below."""
        if not self.closed:
            self._stream.close()
            if self._archive is not None:
                self._archive.close()
        super().close()


class _Streams:
    """One packed stream after another, as bzip2 and xz files may be."""

    def __init__(
        self, path: Path, make: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor]
    ) -> None:
        self._file = path.open("rb")
        self._make = make
        self._current = make()
        self._left = b""

    def read(self, size: int) -> bytes:
        """Read on; raises `EOFError` if the file ends within a stream, and `LZMAError`."""
        while True:
            if self._current.eof:
                # Zeros may fill up the end.
                rest = (self._current.unused_data or self._left).lstrip(b"\0")
                if not rest and not (rest := self._file.read(_PACKED_CHUNK).lstrip(b"\0")):
                    return b""
                self._current, self._left = self._make(), rest
            if self._current.needs_input and not self._left:
                self._left = self._file.read(_PACKED_CHUNK)
                if not self._left:
                    raise EOFError
            piece, self._left = self._current.decompress(self._left, size), b""
            if piece:
                return piece

    def tell(self) -> int:
        """Tell how far the file below was read."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file below."""
        self._file.close()


_Opened = tuple[Any, Callable[[], int]]


def _gzip(path: Path) -> _Opened:
    stream: Any = gzip.open(path)  # noqa: SIM115 - whoever reads closes it
    return stream, lambda: _position(stream.fileobj)


def _zstd(path: Path) -> _Opened:
    import pyarrow as pa

    file = pa.OSFile(str(path))
    return pa.CompressedInputStream(file, "zstd"), lambda: _position(file)


def _bzip2(path: Path) -> _Opened:
    streams = _Streams(path, bz2.BZ2Decompressor)
    return streams, streams.tell


def _xz(path: Path) -> _Opened:
    streams = _Streams(path, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY))
    return streams, streams.tell


_OPENERS: Mapping[str, Callable[[Path], _Opened]] = {
    "gzip": _gzip,
    "zstd": _zstd,
    "bzip2": _bzip2,
    "xz": _xz,
}


def _zip(path: Path, file: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError):
        raise _error("the zip is damaged, or cut off", file) from None


def _member(archive: zipfile.ZipFile, file: str) -> zipfile.ZipInfo:
    """Give the one file that an archive holds, beside folders and what systems add."""
    names = archive.namelist()
    if "[Content_Types].xml" in names:
        raise _error("an office document, not a file of data", file, "Save it as CSV in UTF-8, or")
    members = [member for member in archive.infolist() if _is_data(member)]
    if len(members) != 1:
        raise _error(
            f"the zip holds {len(members) or 'no'} files; one is read",
            file,
            "Unpack it into a folder and name that, or",
        )
    if members[0].flag_bits & 1:
        raise _error("the zip is encrypted", file, "Unpack it with its password, or")
    return members[0]


def _is_data(member: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(member.filename).parts
    ours = not any(part.startswith(".") or part.lower() in _OF_SYSTEMS for part in parts)
    return ours and not member.is_dir()


def _error(title: str, file: str, hint: str = "Fetch the file again, mend it, or") -> DataError:
    return DataError(title, file=file, hint=hint, remedy=LeaveOut())

"""Which encoding a file of text is in: UTF-8 if it can be, by its mark, or by a guess.

A file is in one encoding: that is decided by all of its bytes, never row by row, as in a file of
Windows-1252 the rows with typographic quotes are the only ones that are not UTF-8 as well.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mindcorpus.errors import DataError
from mindcorpus.sources.readers.copies import written
from mindcorpus.sources.readers.encoding_guess import Guess, guess

_CHUNK = 1024 * 1024
_MARK = codecs.BOM_UTF8
#: UTF-32 first: its mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: From so sure on a guess is taken.
SURE = 0.9
_SAMPLE = 64 * 1024
_BEYOND = re.compile("[^\x00-\x7f]")
_ESCAPED = re.compile("[\udc80-\udcff]")
#: What stands around a byte that is not ASCII is the sample of a guess, as words are.
_AROUND = re.compile(rb"[^\r\n]{0,60}[^\x00-\x7f][^\r\n]{0,60}")


class Scan:
    """Looks at a file's bytes as they pass: whether they are UTF-8, and hold marks after the head.

    It costs some three hundredths of what reading the rows does.
    """

    def __init__(self, *, for_marks: bool = True) -> None:
        self._for_marks = for_marks
        self.is_utf8 = True
        #: Whether U+FEFF begins a line that is not the first: files were joined, perhaps.
        self.has_marks = False
        self._left = b""
        self._end = b""

    def feed(self, chunk: bytes) -> None:
        """Look at the next bytes."""
        if self._for_marks and not self.has_marks:
            self.has_marks = _has_marks(self._end + chunk[:8]) or (
                _MARK in chunk and _has_marks(chunk)
            )
            self._end = (self._end + chunk)[-4:] if len(chunk) < 4 else chunk[-4:]
        if self.is_utf8 and (self._left or not chunk.isascii()):
            begin = 0
            if self._left:
                # What may be the beginning of a character waited for these bytes.
                begin = min(len(chunk), 4 - len(self._left))
                first = self._left + chunk[:begin]
                at = _last_start(first)
                self._left = first[at:]
                self.is_utf8 = _is_utf8(first, 0, at)
                if begin == len(chunk):
                    return
                begin = max(0, begin - len(self._left))
            end = _last_start(chunk)
            self._left = chunk[max(begin, end) :]
            self.is_utf8 = self.is_utf8 and (end <= begin or _is_utf8(chunk, begin, end))

    def finish(self) -> None:
        """Look at the end of the file."""
        self.is_utf8 = self.is_utf8 and not self._left


def _last_start(chunk: bytes) -> int:
    """Give where a last character begins of which bytes may be missing, or the end."""
    for back in range(1, min(4, len(chunk) + 1)):
        byte = chunk[-back]
        if byte >= 0xC0:
            wants = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(chunk) - back if wants > back else len(chunk)
        if byte < 0x80:
            break
    return len(chunk)


def _has_marks(chunk: bytes) -> bool:
    return b"\n" + _MARK in chunk or b"\r" + _MARK in chunk


def _is_utf8(chunk: bytes, begin: int, end: int) -> bool:
    """Tell whether a share of bytes is UTF-8; Arrow is several times as quick at it as Python."""
    import numpy as np
    import pyarrow as pa

    ends = pa.py_buffer(np.array([begin, end], np.int32))
    column = pa.Array.from_buffers(pa.binary(), 1, [None, ends, pa.py_buffer(chunk)])
    try:
        column.cast(pa.string())
    except pa.ArrowInvalid:
        return False
    return True


def scan_file(path: Path, *, for_marks: bool = True) -> Scan:
    """Look at the bytes of a file, for marks only where asked."""
    scan = Scan(for_marks=for_marks)
    for chunk in _chunks(path):
        scan.feed(chunk)
    scan.finish()
    return scan


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def marked(head: bytes) -> str:
    """Give the encoding that a file's first bytes say; "" if they say none, or UTF-8."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    # Without a mark: every other byte of Latin text is a zero.
    for at, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros, others = head[at::2], head[1 - at :: 2]
        if len(head) >= 8 and zeros.count(0) > max(0.7 * len(zeros), 5 * others.count(0)):
            return encoding
    return ""


@dataclass(frozen=True)
class _Census:
    """What a file that is not UTF-8 holds."""

    characters: int
    """Characters beyond ASCII that are UTF-8."""
    broken: int
    """Bytes that are not."""
    sample: bytes
    used: bytes
    """The bytes beyond ASCII that it has, each once."""


def guessed(path: Path, file: str) -> str:
    """Guess the encoding of a file that is not UTF-8; "utf-8" for one with some broken rows.

    Raises `DataError` with the candidates if none is sure.
    """
    census = _census(path)
    if census.characters >= census.broken:
        return "utf-8"
    found = guess(census.sample, census.used)
    if not found:
        return "utf-8"  # broken bytes, not letters: the rows that have them are dropped
    if found[0].confidence >= SURE:
        return found[0].encoding
    raise not_sure(found, file)


def not_sure(found: list[Guess], file: str) -> DataError:
    """Give the error for a file of which the encoding cannot be told."""
    names = [f"{each.encoding} ({each.confidence:.2f})" for each in found[:3]]
    return DataError(
        f"the text is not UTF-8, and may be {' or '.join(names)}",
        file=file,
        hint=f'Say which in the source\'s entry (encoding = "{found[0].encoding}").',
    )


def _census(path: Path) -> _Census:
    characters = broken = 0
    sample = io.BytesIO()
    used: set[int] = set()
    for chunk in _chunks(path):
        if chunk.isascii():
            continue
        text = chunk.decode("utf-8", "surrogateescape")
        of_chunk = len(_ESCAPED.findall(text))
        broken += of_chunk
        characters += len(_BEYOND.findall(text)) - of_chunk
        used.update(set(chunk) - set(range(128)))
        if sample.tell() < _SAMPLE:
            for found in _AROUND.finditer(chunk):
                sample.write(found.group() + b"\n")
                if sample.tell() >= _SAMPLE:
                    break
    return _Census(characters, broken, sample.getvalue(), bytes(sorted(used)))


def transcode(path: Path, encoding: str, file: str, target: Path) -> Scan:
    """Write a file's text to `target` in UTF-8, without a mark at its head; give a scan of it.

    Raises `DataError` with the place where the file is not in that encoding.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    scan, at, first = Scan(), 0, True
    with written(target) as write:
        for chunk in (*_chunks(path), b""):
            try:
                text = decoder.decode(chunk, final=not chunk)
                encoded = text.encode()
            except UnicodeError as error:
                start = getattr(error, "start", 0)
                raise DataError(
                    f"the text is not {encoding}, at about byte {at + start}",
                    file=file,
                    hint='Say its encoding in the source\'s entry (encoding = "…"), or mend it.',
                ) from None
            at += len(chunk)
            if first and encoded:
                encoded, first = encoded.removeprefix(_MARK), False
            scan.feed(encoded)
            write(encoded)
    scan.finish()
    return scan

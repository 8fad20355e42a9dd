"""Check a chat file: lines as they should be, or what else it is; compressed or not.

Whatever the file holds, it is read as a stream, and no more than one example of it is held.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mindcorpus.compression import compression_of, open_plain
from mindcorpus.errors import DataError, SettingsError
from mindcorpus.formats.chat_check import (
    ChatCheck,
    CheckReport,
    Finding,
    Tell,
    combine,
    of_file,
    of_the_whole,
)
from mindcorpus.formats.chat_layouts import Form, diagnose
from mindcorpus.formats.json_values import JsonValues
from mindcorpus.limits import MAX_RECORD_BYTES
from mindcorpus.not_data import MARK
from mindcorpus.progress import Cancellation, Progress, Reporter, silent

_READ_BYTES = 1024 * 1024


def check_chat_file(
    path: Path,
    report: Reporter = silent,
    cancel: Cancellation | None = None,
    tell: Tell | None = None,
) -> CheckReport:
    """Check every example of a chat file; whatever it holds, the answer is a report.

    `tell` hears of every finding as it is made; the report keeps the first of each code. Raises
    `SettingsError` if the file cannot be read, `CancelledError` if asked to stop.
    """
    cancel = cancel or Cancellation()
    cancel.check()
    with _Bytes(path) as content:
        return _check(_Reading(path, content, report, cancel), tell)


def _check(file: _Reading, tell: Tell | None) -> CheckReport:
    found = _Findings(tell)
    content = file.content
    if content.compressed:
        found.add("compressed")
    seen = diagnose(content.head, whole=content.whole)
    for departure in seen.departures:
        found.add(*departure)
    check = ChatCheck(tell, "line" if seen.form == "lines" else "example", seen.layout)
    for number, value in enumerate(_values(file, seen.form, found), 1):
        check.line(number, value)
        file.tell(check.examples.count)
    if content.damage:
        found.add("damaged", f"{content.damage}; it was read so far")
    file.tell(check.examples.count, last=True)
    if seen.form != "none" and not content.damage:
        for finding in of_the_whole(check.examples.count, file.done):
            found.add(finding.code, finding.reason)
    return combine([check.result()], str(file.path), file.done, found.findings, check.unit)


def _values(file: _Reading, form: Form, found: _Findings) -> Iterator[bytes | None]:
    """Yield the lines of a file, or the values that stand there instead."""
    if form == "lines":
        yield from file.lines()
        return
    if file.content.head.startswith(MARK):
        found.add("byte-order-mark")
        file.skip(len(MARK))
    if form == "none":
        file.skip_all()
        return
    values = JsonValues(array=form == "array")
    yield from values.split(file.pieces())
    if not values.ended and not file.content.damage:
        found.add("invalid-json", "the array has no end: the file is cut off, or not JSON")


class _Findings:
    """What is found of the whole file."""

    def __init__(self, tell: Tell | None) -> None:
        self.findings: list[Finding] = []
        self._tell = tell

    def add(self, code: str, reason: str = "") -> None:
        """Take note of a finding."""
        finding = of_file(code, reason)
        self.findings.append(finding)
        if self._tell is not None:
            self._tell(finding, "line")


class _Bytes(io.RawIOBase):
    """What a file holds, decompressed; its `head` can be looked at before it is read.

    Where compressed data is damaged it ends, and `damage` says so.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self.damage = ""
        self.size: int | None
        self._stream: Any
        try:
            # What is no file, such as a pipe, can be opened once only.
            self.compressed = path.is_file() and compression_of(path, path.name) is not None
            self._stream = open_plain(path, path.name) if self.compressed else path.open("rb")
            self.size = None if self.compressed else path.stat().st_size or None
        except DataError as error:
            self.compressed, self._stream, self.damage = True, io.BytesIO(), error.title
            self.size = None
        except OSError as error:
            raise _unreadable(path, _told(error)) from None
        except ValueError:  # a NUL in the path
            raise _unreadable(path, "not a file name") from None
        pieces = []
        left = _READ_BYTES
        while left and (piece := self._more(left)):
            pieces.append(piece)
            left -= len(piece)
        self.head = self._again = b"".join(pieces)
        self.whole = left > 0

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read on: first what was looked at."""
        size = len(buffer)
        piece, self._again = self._again[:size], self._again[size:]
        piece = piece or self._more(size)
        buffer[: len(piece)] = piece
        return len(piece)

    def _more(self, size: int) -> bytes:
        if self.damage:
            return b""
        try:
            piece: bytes = self._stream.read1(size)
        except DataError as error:
            self.damage = error.title
            return b""
        except OSError as error:
            raise _unreadable(self._path, _told(error)) from None
        return piece

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            self._stream.close()
        super().close()


class _Reading:
    """One reading of a file: its lines or pieces, how far it has come, and who wants to know."""

    def __init__(self, path: Path, content: _Bytes, report: Reporter, cancel: Cancellation) -> None:
        self.path = path
        self.content = content
        self.done = 0
        self._file = io.BufferedReader(content, _READ_BYTES)
        self._report = report
        self._cancel = cancel
        self._told = 0

    def tell(self, examples: int, *, last: bool = False) -> None:
        """Report the progress, if there is some; raises `CancelledError`."""
        if last or self.done - self._told >= _READ_BYTES:
            self._told = self.done
            if not last:
                self._cancel.check()
            self._report(Progress("check", self.path.name, examples, self.done, self.content.size))

    def lines(self) -> Iterator[bytes | None]:
        """Yield each line; None stands for one that is too long to hold."""
        while line := self._file.readline(MAX_RECORD_BYTES + 1):
            self.done += len(line)
            if len(line) <= MAX_RECORD_BYTES or line.endswith(b"\n"):
                yield line
                continue
            while line and not line.endswith(b"\n"):
                self._cancel.check()
                line = self._file.readline(_READ_BYTES)
                self.done += len(line)
            yield None

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes in pieces."""
        while piece := self._file.read1(_READ_BYTES):
            self.done += len(piece)
            self._cancel.check()
            yield piece

    def skip(self, size: int) -> None:
        """Leave some bytes out."""
        self.done += len(self._file.read(size))

    def skip_all(self) -> None:
        """Leave all bytes out, and count them."""
        for _ in self.pieces():
            self.tell(0)


def _told(error: OSError) -> str:
    return (error.strerror or "input/output error").lower()


def _unreadable(path: Path, reason: str) -> SettingsError:
    return SettingsError(
        f"cannot be read: {reason}",
        file=str(path),
        hint="Name a chat JSON-lines file that exists and that you may read.",
    )

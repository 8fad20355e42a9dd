"""A source's file made ready to be cut: unpacked, in UTF-8, and known to be data.

Where both are so already, which is nearly always, nothing is written: the file is only looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mindcorpus.compression import compression_by, compression_of, open_plain, plain_name
from mindcorpus.errors import DataError
from mindcorpus.remedies import LeaveOut
from mindcorpus.sources.budgets import Budget, Meter
from mindcorpus.sources.file_formats import BINARY, KNOWN_ENDINGS, Format, Reading, format_of
from mindcorpus.sources.readers.copies import written
from mindcorpus.sources.readers.diagnosis import HEAD, refuse_no_data
from mindcorpus.sources.readers.encodings import Scan, guessed, marked, scan_file, transcode

_CHUNK = 1024 * 1024
_UTF8 = "utf-8"


@dataclass(frozen=True)
class Prepared:
    """What a file is read as, and whether a copy is read in its place."""

    format: Format
    encoding: str = _UTF8
    """Of the text; a copy is in UTF-8."""
    guessed: bool = False
    copied: bool = False
    has_marks: bool = False
    spent: int = 0
    """Bytes that the copy takes."""


def prepare(
    path: Path,
    file: str,
    reading: Reading,
    budget: Budget,
    target: Path,
    guess_of: Callable[[], str] = lambda: "",
    check: Callable[[], object] = lambda: None,
) -> Prepared:
    """Look at a file, and write what is to be read in its place to `target` if that is another.

    `guess_of` gives the encoding that was guessed before for these bytes, or ""; it is called only
    for text that is not UTF-8. `check` is called for each piece that is unpacked. Raises
    `DataError` for what is no data, is damaged, comes to more than its budget, or is in an encoding
    that cannot be told; `StorageError` where the copy cannot be written; and `OSError`.
    """
    with path.open("rb") as opened:
        head = opened.read(HEAD)
    refuse_no_data(head, file, None)
    packed = compression_of(path, file) is not None
    name = plain_name(path, file) if packed else file
    format_ = reading.format or format_of(name)
    if format_ is None:
        raise DataError(
            "the zip's file has no ending that says its format" if packed else "no known format",
            file=file,
            hint=f"Say format = … in the entry; files end in {KNOWN_ENDINGS}.",
        )
    meter = Meter(budget, file)
    scan = None
    source = path
    if packed:
        scan = _unpack(path, file, format_, meter, target, check)
        source = target
        with source.open("rb") as opened:
            head = opened.read(HEAD)
        _refuse_twice_packed(head, file)
    refuse_no_data(head, file, format_)
    as_it_is = Prepared(format_, copied=packed, spent=meter.spent)
    if format_ in BINARY:
        return as_it_is
    encoding, is_guess = reading.encoding or marked(head), False
    if not encoding:
        scan = scan or scan_file(source, for_marks=format_ == "csv")
        if scan.is_utf8:
            return replace(as_it_is, has_marks=scan.has_marks)
        encoding = guess_of() or guessed(source, file)
        is_guess = encoding != _UTF8
    if encoding == _UTF8:
        scan = scan or scan_file(source, for_marks=format_ == "csv")
        return replace(as_it_is, has_marks=scan.has_marks)
    copy = target.with_name(f"{target.name}.text")
    scan = transcode(source, encoding, file, copy)
    meter.decoded(copy.stat().st_size)
    copy.replace(target)
    return Prepared(
        format_,
        encoding,
        guessed=is_guess,
        copied=True,
        has_marks=scan.has_marks,
        spent=meter.spent,
    )


def _refuse_twice_packed(head: bytes, file: str) -> None:
    inner = compression_by(head)
    if inner is not None:
        raise DataError(
            f"what the file unpacks to is compressed once more ({inner})",
            file=file,
            hint="Unpack it once, or",
            remedy=LeaveOut(),
        )


def _unpack(
    path: Path, file: str, format_: str, meter: Meter, target: Path, check: Callable[[], object]
) -> Scan:
    def count(size: int) -> None:
        check()
        meter.decoded(size)

    scan = Scan()
    text = format_ not in BINARY
    with open_plain(path, file, count) as packed, written(target) as write:
        while chunk := packed.read(_CHUNK):
            if text:
                scan.feed(chunk)
            write(chunk)
    scan.finish()
    return scan

"""The beginning of a file made ready and cut as a merge does it: unpacked, in UTF-8, known as data.

Of a large text no more is unpacked than is looked at. Where a form can only be told, or read, from
the whole file, the whole is made ready, within the budget of a merge.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from mindcorpus.compression import compression_of, open_plain, plain_name, taken_by
from mindcorpus.inspection.limits import BEGINNING_BYTES, SLACK_BYTES
from mindcorpus.progress import Cancellation
from mindcorpus.settings import Settings
from mindcorpus.sources.budgets import Budget, Budgets
from mindcorpus.sources.catalog import Source
from mindcorpus.sources.file_formats import BINARY, Reading, format_of
from mindcorpus.sources.files import FetchedFile
from mindcorpus.sources.readers import Shard, plan_shards, readable
from mindcorpus.sources.readers.encodings import marked
from mindcorpus.sources.readers.prepare import Prepared, prepare

_CHUNK = 1024 * 1024
#: What can be read when its end is not there.
_BY_ROWS = {"jsonl", "json", "json-rows", "csv"}
_LINE_END = {
    "utf-16": ("utf-16-le", "utf-16-be"),
    "utf-32": ("utf-32-le", "utf-32-be"),
}


@dataclass(frozen=True)
class Ready:
    """What is read of a file, and what it was."""

    path: Path
    prepared: Prepared
    compression: str | None
    whole: bool
    """Whether all of the file is there."""
    size: int
    """Bytes of the whole file as it is read, taken from its beginning if only that is there."""


def make_ready(
    source: Source, file: FetchedFile, settings: Settings, scratch: Path, cancel: Cancellation
) -> Ready:
    """Make the beginning of a file ready, copies of which go to `scratch`; raises `DataError`."""
    reading = source.reading(file.path)
    budget = Budgets.of(settings).of_file(file.size)
    with readable(file.path):
        kind = compression_of(file.local, file.path)
        name = plain_name(file.local, file.path) if kind else file.path
        text = (reading.format or format_of(name)) not in BINARY
        ready = None
        if text and (kind is not None or file.size > BEGINNING_BYTES):
            ready = _of_beginning(file, name, kind, reading, budget, scratch, cancel)
        if ready is not None and _can_be_cut(source, file, ready):
            return ready
        return _of_whole(file, kind, reading, budget, scratch, cancel)


def shards_of_beginning(source: Source, file: FetchedFile, ready: Ready) -> list[Shard]:
    """Cut what is there into shards, as the entry `source` says; raises `DataError`."""
    return plan_shards(
        ready.path,
        file.path,
        ready.prepared.format,
        source.reading(file.path),
        has_marks=ready.prepared.has_marks,
    )


def _of_whole(
    file: FetchedFile,
    kind: str | None,
    reading: Reading,
    budget: Budget,
    scratch: Path,
    cancel: Cancellation,
) -> Ready:
    target = scratch / "whole"
    prepared = prepare(file.local, file.path, reading, budget, target, check=cancel.check)
    path = target if prepared.copied else file.local
    return Ready(path, prepared, kind, whole=True, size=path.stat().st_size)


def _of_beginning(
    file: FetchedFile,
    name: str,
    kind: str | None,
    reading: Reading,
    budget: Budget,
    scratch: Path,
    cancel: Cancellation,
) -> Ready | None:
    """Make only the beginning ready; None for a file that is no longer than that."""
    begin, copy = scratch / "beginning", scratch / "beginning-ready"
    taken = _copy_beginning(file, begin, cancel)
    if taken is None:
        begin.unlink()
        return None
    length = _end_with_a_line(begin)
    prepared = prepare(begin, name, reading, budget, copy, check=cancel.check)
    if kind is None and not prepared.copied:
        # It can be read where it is, whatever its length.
        begin.unlink()
        return Ready(file.local, prepared, kind, whole=True, size=file.size)
    path = copy if prepared.copied else begin
    size = path.stat().st_size * file.size // max(1, taken if kind else length)
    return Ready(path, replace(prepared, copied=True), kind, whole=False, size=size)


def _can_be_cut(source: Source, file: FetchedFile, ready: Ready) -> bool:
    return ready.whole or shards_of_beginning(source, file, ready)[0].format in _BY_ROWS


def _copy_beginning(file: FetchedFile, target: Path, cancel: Cancellation) -> int | None:
    """Write so much as is looked at; give how many bytes of the file it took, None if all."""
    written = 0
    with open_plain(file.local, file.path) as plain, target.open("xb") as out:
        while written < BEGINNING_BYTES:
            cancel.check()
            if not (chunk := plain.read(_CHUNK)):
                return None
            written += out.write(chunk)
        taken = taken_by(plain)
        return taken if plain.read(1) else None


def _end_with_a_line(path: Path) -> int:
    """Cut a file behind its last line, or a last character that may not be whole; give its size."""
    with path.open("r+b") as file:
        head = file.read(4096)
        mark = marked(head)
        encodings = _LINE_END.get(mark, (mark or "ascii",))
        size = path.stat().st_size
        start = max(0, size - SLACK_BYTES)
        # What is looked for must not begin within a character.
        start -= start % 4
        file.seek(start)
        tail = file.read()
        end = max(_behind_last_line(tail, encoding) for encoding in encodings)
        if end == 0:
            end = len(tail)
            while end and (tail[end - 1] >= 0x80 if not mark else end % 4):
                end -= 1
        file.truncate(start + end)
    return start + end


def _behind_last_line(tail: bytes, encoding: str) -> int:
    line_end = "\n".encode(encoding)
    at = tail.rfind(line_end)
    while at > 0 and at % len(line_end):
        at = tail.rfind(line_end, 0, at + len(line_end) - 1)
    return at + len(line_end) if at >= 0 else 0

"""Formats whose records are lines of text files, and the streams that write them.

A stream is what one encoder makes of the records of one selection. Files of several formats may
hold the same lines: each line is encoded once, and files that would be equal are written once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mindcorpus.corpus.row_batch import RowBatch
from mindcorpus.corpus.row_facts import Numbers, RowFacts
from mindcorpus.formats.base import (
    PARTS,
    Format,
    Made,
    Parts,
    Placed,
    Run,
    Taken,
    Writer,
    regions_of,
)
from mindcorpus.storage.files import Piece, Written
from mindcorpus.storage.manifest import write_text
from mindcorpus.storage.ordered_hash import Share, SharedFile

#: What stands around the records of a JSON array, and between two of them.
_ARRAY = b"[\n", b",\n", b"\n]\n"


class Encoder(ABC):
    """Makes lines of rows, anew for each run; it may count what it does. Travels by pickle.

    Its class and the arguments that it was made of say all of its lines.
    """

    columns: ClassVar[tuple[str, ...]]
    """The columns of the corpus that it reads."""
    per_record: ClassVar[int] = 1
    """How many lines a record has."""

    @abstractmethod
    def lines(self, table: Any, first: int) -> Iterable[bytes]:
        """Give the line of each row of a table, with its line end; several lines in one piece.

        `first` is the place of the first of them among all records of its section, from 0. Of the
        columns for conversations those may be missing that no row of the run has.
        """

    def lines_of(self, rows: RowBatch, first: int) -> Iterable[bytes]:
        """Give what `lines` gives, of rows whose texts others may have encoded already."""
        return self.lines(rows.table, first)

    def sizes(self, rows: RowFacts) -> Numbers | None:
        """Give the bytes of each corpus row's line, shape (rows,); None: it cannot be told before.

        Where it can, all workers write one file in place; else each run's lines are copied once.
        """
        del rows
        return None

    def result(self) -> Any:
        """Give what the format's `describe` is to know of the lines."""
        return None


@dataclass(frozen=True)
class Lines:
    """The lines of a section: which encoder makes them, of which arguments."""

    encoder: type[Encoder]
    arguments: tuple[Any, ...] = ()
    section: str = "default"

    def made(self) -> Encoder:
        """Make the encoder."""
        return self.encoder(*self.arguments)


@dataclass(frozen=True)
class LineFile:
    """A file of a format: whose lines, and of which part."""

    name: str
    lines: Lines
    part: str | None = None
    """None: all parts together."""
    array: bool = False
    """Whether it is a JSON array of the lines."""


class LineFormat(Format):
    """A format of lines: in one file, or in a folder with a file for each part of the split.

    It is a folder where its entry has no `suffix`.
    """

    @abstractmethod
    def lines(self) -> Sequence[Lines]:
        """Give the lines of each of its sections, in their order."""

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]
        """The columns of the corpus that its encoders read."""
        return tuple(dict.fromkeys(name for each in self.lines() for name in each.encoder.columns))

    def files(self) -> Sequence[LineFile]:
        """Give its files: by default one, or `train.jsonl`, `validation.jsonl` and so on.

        A format of several sections has a file of each: `sft_train.jsonl`.
        """
        lines = self.lines()
        if self.entry.suffix:
            return [LineFile(self.entry.path, each) for each in lines]
        return [
            LineFile(self.file_name(each.section, part), each, part)
            for each in lines
            for part in self.parts
        ]

    def file_name(self, section: str, part: str) -> str:
        """Give the name of the file of a part of a section."""
        return f"{part}.jsonl" if len(self.sections) == 1 else f"{section}_{part}.jsonl"

    def extras(self, files: Sequence[LineFile]) -> Mapping[str, str]:
        """Give the texts of further files, by name: what a trainer needs to know of the others.

        `files` are those that are there.
        """
        del files
        return {}

    def finish(self, files: Sequence[Written], results: Sequence[Any], digest: str) -> Made:
        """Tell of the files; `results` has those of the encoder of each, run by run."""
        del digest
        known = {file.name: file for file in self.files()}
        there = [known[each.path.relative_to(self.folder).as_posix()] for each in files]
        made = self.describe(there, files, results)
        placed = [
            Placed(file.name, file.lines.section, file.part, file.lines.encoder.per_record)
            for file in there
        ]
        extras = [write_text(self.folder / name, text) for name, text in self.extras(there).items()]
        return replace(made, outputs=[*files, *extras], placed=placed)

    def describe(
        self,
        files: Sequence[LineFile],
        outputs: Sequence[Written],
        encoded: Sequence[Sequence[Any]],
    ) -> Made:
        """Tell what the encoders' results say of the files; by default nothing more.

        `encoded` has, for each file, the results of its encoder, in the order of the runs: the
        same ones for all files of the same lines.
        """
        del files, encoded
        return Made(outputs)


@dataclass(frozen=True)
class Route:
    """Where some of a stream's lines go in one run."""

    share: Share
    part: int | None
    """Index into `PARTS`; None: all."""
    array: bool
    first: bool
    """Whether the file begins with this run's lines."""


@dataclass(frozen=True)
class StreamTarget:
    """Where a run's lines of one stream go, and what encodes them."""

    lines: Lines
    first: int
    """The place of the run's first record among all of the stream."""
    routes: tuple[Route, ...]

    def open(self, stack: ExitStack) -> Writer:
        """Open the shares."""
        files = [stack.enter_context(route.share.open()) for route in self.routes]
        return _StreamWriter(self, files)


class _StreamWriter:
    """Encodes each row once, and writes its line into each file that has it."""

    def __init__(self, target: StreamTarget, files: Sequence[Any]) -> None:
        self._encoder = target.lines.made()
        self._place = target.first
        self._routes = list(zip(target.routes, files, strict=True))
        self._begun = [not route.first for route in target.routes]
        self._rows = [0] * len(files)

    def write(self, rows: RowBatch, parts: Parts) -> None:
        """Write some rows."""
        lines = list(self._encoder.lines_of(rows, self._place))
        self._place += len(lines)
        assert len(lines) == rows.num_rows, f"{type(self._encoder).__name__} lost a row"
        by_part: dict[int | None, Sequence[bytes]] = {None: lines}
        for at, (route, file) in enumerate(self._routes):
            if route.part not in by_part:
                mine = np.flatnonzero(parts == route.part).tolist()
                by_part[route.part] = [lines[place] for place in mine]
            chosen = by_part[route.part]
            if route.array:
                self._write_array(at, file, chosen)
            else:
                file.write(b"".join(chosen))
            self._rows[at] += len(chosen)

    def _write_array(self, at: int, file: Any, lines: Iterable[bytes]) -> None:
        for line in lines:
            if self._begun[at]:
                file.write(_ARRAY[1])
            self._begun[at] = True
            file.write(line.rstrip(b"\n"))

    def result(self) -> tuple[tuple[int, ...], Any]:
        """Give how many records went into each file, and what the encoder tells."""
        return tuple(self._rows), self._encoder.result()


@dataclass
class Stream:
    """What one encoder makes of the records of one selection, and the files that hold it."""

    lines: Lines
    taken: Taken
    is_whole: bool = True
    """Whether records are written as the corpus has them: only then are sizes known before."""
    files: list[SharedFile] = field(default_factory=list)
    routes: list[tuple[int | None, bool]] = field(default_factory=list)
    """Of each file: the part, and whether it is an array."""
    places: dict[tuple[str | None, bool], int] = field(default_factory=dict)

    def add(self, path: Path, file: LineFile, scratch: Path, runs: Sequence[Run]) -> int:
        """Lay out a file, unless one that is equal is there; give its number in the stream."""
        key = file.part, file.array
        if key not in self.places:
            self.places[key] = len(self.files)
            self.routes.append((None if file.part is None else PARTS.index(file.part), file.array))
            self.files.append(self._laid_out(path, file, scratch, runs))
        return self.places[key]

    def _laid_out(
        self, path: Path, file: LineFile, scratch: Path, runs: Sequence[Run]
    ) -> SharedFile:
        if self.is_whole and not file.array:
            sizes_of, times = self.lines.made().sizes, self.taken.of(file.part)
            regions = regions_of(path, b"", sizes_of, self.taken.rows, times, runs)
            if regions is not None:
                return SharedFile(path, tuple(regions))
        # Formats may have files of one name in folders of one name.
        folder = scratch / path.relative_to(scratch.parent)
        folder.mkdir(parents=True)
        pieces = tuple(Piece(folder / f"{at:05d}") for at in range(len(runs)))
        head, _, tail = _ARRAY if file.array else (b"", b"", b"")
        return SharedFile(path, pieces, head, tail)

    def targets(self, runs: Sequence[Run]) -> list[StreamTarget]:
        """Give where each run's lines go."""
        first = [self._first_row(part) for part, _ in self.routes]
        targets, before = [], 0
        for at, run in enumerate(runs):
            routes = tuple(
                Route(file.shares[at], part, array, run.start <= row)
                for row, file, (part, array) in zip(first, self.files, self.routes, strict=True)
            )
            targets.append(StreamTarget(self.lines, before, routes))
            before += int(run.of(self.taken.times).sum())
        return targets

    def _first_row(self, part: int | None) -> int:
        """Give the corpus row of a part's first record; a file has one at least."""
        return int(np.argmax(self.taken.of(None if part is None else PARTS[part]) > 0))

"""What a training format is: it lays its files out, its writers fill them, and it says what came.

`LineFormat` does all of that for formats with a record a line; they give an `Encoder` alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from mindcorpus.arrow import flags
from mindcorpus.corpus.row_facts import Flags, Numbers, RowFacts
from mindcorpus.formats.registry import FormatEntry
from mindcorpus.storage.files import Piece, Region, Written, lay_out
from mindcorpus.warning import DataWarning

#: The parts of a split, and whether a part's rows are held out.
SPLITS: Mapping[str, bool] = {"train": False, "validation": True}


@dataclass(frozen=True)
class Run:
    """Some of the corpus' Parquet parts, with their rows [start, stop)."""

    parts: tuple[Path, ...]
    start: int
    stop: int

    def of(self, rows: Any) -> Any:
        """Give its share of an array with one value a corpus row."""
        return rows[self.start : self.stop]


@dataclass(frozen=True)
class Taken:
    """The rows of the corpus that are taken; arrays have shape (rows,), one value a corpus row."""

    rows: RowFacts
    taken: Flags
    held_out: Flags
    """Which of those taken are for validation."""

    def side(self, held_out: bool | None) -> Flags:  # noqa: FBT001 - a side is one of three
        """Give which rows are taken and held out, or not; None: both."""
        if held_out is None:
            return self.taken
        side: Flags = self.taken & (self.held_out == held_out)
        return side


Share = Region | Piece
"""What one run writes of a file: bytes at its place, or a piece that is put there later."""


@dataclass(frozen=True)
class SharedFile:
    """A file that all runs write together: the share of each, in order."""

    path: Path
    shares: tuple[Share, ...]


class Writer(Protocol):
    """Takes the rows of one run, batch by batch."""

    def write(self, table: Any, held_out: Flags) -> None:
        """Take rows of the corpus, in order; `held_out` says of each whether it is."""

    def result(self) -> Any:
        """Give what `finish` is to know; the files are closed by then. Travels by pickle."""


class Target(Protocol):
    """Where a run's rows go; travels by pickle to the process that writes them."""

    def open(self, stack: ExitStack) -> Writer:
        """Open what is to be written, to be closed with the stack."""


@dataclass(frozen=True)
class Layout:
    """Where everything goes: a target a run, and the files that the runs share."""

    targets: Sequence[Target]
    files: Sequence[SharedFile] = ()


@dataclass(frozen=True)
class Made:
    """What came of a format."""

    outputs: Sequence[Written]
    split: dict[str, Any] | None = None
    """The proof of the split, where the format is split."""
    findings: Sequence[Mapping[str, Any]] = ()
    """What rules find in it: code, severity, line, reason."""
    finding_counts: Mapping[str, int] = field(default_factory=dict)
    changed: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """How many rows, by source and by a word for what was done to them."""
    warnings: Sequence[DataWarning] = ()
    """What its users must know of it."""


class Format(ABC):
    """One training format of one prepare, made in a folder of its own."""

    columns: ClassVar[tuple[str, ...]]
    """The columns of the corpus that its writers read."""

    def __init__(
        self, entry: FormatEntry, settings: Mapping[str, Any], folder: Path, scratch: Path
    ) -> None:
        """Take what shapes it, the folder it becomes, and a folder for what is not kept."""
        self.entry = entry
        self.settings = settings
        """The fields of the request that the entry names."""
        self.folder = folder
        self.scratch = scratch

    @abstractmethod
    def plan(self, taken: Taken, runs: Sequence[Run]) -> Layout:
        """Lay the files out in the folder, which is there and empty.

        Nothing of the arrays may be kept: workers would inherit them.
        """

    @abstractmethod
    def finish(
        self, files: Sequence[Written], results: Sequence[Any], digest: str, proof: dict[str, Any]
    ) -> Made:
        """Write what is left to write, and tell what came.

        `files` are the shared ones, `results` those of the writers, in the order of the runs;
        `digest` stands for all that shapes the format, `proof` is of the split.
        """

    @staticmethod
    def check(folder: Path) -> list[dict[str, str]]:
        """Give what is wrong with a published folder beyond checksums, as {path, problem}."""
        del folder
        return []


class Encoder(ABC):
    """Turns rows into lines of one file, anew for each run; it may count. Travels by pickle."""

    @abstractmethod
    def lines(self, table: Any) -> Iterable[bytes]:
        """Give one line, with its line end, for each row of a table with the format's columns."""

    def sizes(self, rows: RowFacts) -> Numbers | None:
        """Give the bytes of each corpus row's line, shape (rows,); None: it cannot be told before.

        Where it can, all workers write one file in place; else each run's lines are copied once.
        """
        del rows
        return None

    def result(self) -> Any:
        """Give what the format's `finish` is to know of the lines."""
        return None


class LineFormat(Format):
    """A record a line: in one file, or in a folder with a file for train and one for validation.

    It is a folder where its entry has no `suffix`.
    """

    @abstractmethod
    def encoder(self, first_line: int) -> Encoder:
        """Give the encoder of a run whose lines begin with a number, from 1, in its file."""

    def plan(self, taken: Taken, runs: Sequence[Run]) -> Layout:
        """Lay the files out: in place where sizes are known, else in pieces."""
        sides = {f"{self.entry.artifact}{self.entry.suffix}": None}
        if not self.entry.suffix:
            sides = {f"{name}.jsonl": held_out for name, held_out in SPLITS.items()}  # type: ignore[misc]
        sizes = self.encoder(1).sizes(taken.rows)
        files = [
            SharedFile(self.folder / name, self._shares(name, sizes, taken.side(side), runs))
            for name, side in sides.items()
        ]
        wanted = [taken.side(side) for side in sides.values()]
        return Layout(
            [
                LineTarget(
                    tuple(file.shares[at] for file in files),
                    tuple(sides.values()),
                    tuple(self.encoder(1 + int(rows[: run.start].sum())) for rows in wanted),
                )
                for at, run in enumerate(runs)
            ],
            files,
        )

    def _shares(
        self, name: str, sizes: Numbers | None, wanted: Flags, runs: Sequence[Run]
    ) -> tuple[Share, ...]:
        if sizes is None:
            return tuple(
                Piece(self.scratch / f"{self.entry.name}-{name}-{at:05d}")
                for at in range(len(runs))
            )
        return tuple(regions_of(self.folder / name, b"", sizes, wanted, runs))

    def finish(
        self, files: Sequence[Written], results: Sequence[Any], digest: str, proof: dict[str, Any]
    ) -> Made:
        """Tell of the files; a folder is split, and carries the proof."""
        del digest
        rows = [result.rows for result in results]
        outputs = [
            Written(file.path, file.bytes, file.sha256, sum(row[at] for row in rows))
            for at, file in enumerate(files)
        ]
        encoded = [[result.encoded[at] for result in results] for at in range(len(files))]
        made = self.describe(encoded, outputs)
        return replace(made, outputs=outputs, split=None if self.entry.suffix else proof)

    def describe(self, encoded: Sequence[Sequence[Any]], outputs: Sequence[Written]) -> Made:
        """Tell what the encoders' results say of the files; by default nothing more.

        `encoded` has those of each file, in the order of the runs.
        """
        del encoded
        return Made(outputs)


def regions_of(
    path: Path, head: bytes, sizes: Numbers, wanted: Flags, runs: Sequence[Run]
) -> list[Region]:
    """Lay a file out: each run's share of it, from the sizes of the rows that are wanted."""
    shares = [int(run.of(sizes)[run.of(wanted)].sum()) for run in runs]
    return lay_out(path, head, shares, b"")


@dataclass(frozen=True)
class LineTarget:
    """Where a run's lines go: a share of each file, which rows it takes, and what encodes them."""

    shares: tuple[Share, ...]
    sides: tuple[bool | None, ...]
    encoders: tuple[Encoder, ...]

    def open(self, stack: ExitStack) -> LineWriter:
        """Open the shares."""
        files = [stack.enter_context(share.open()) for share in self.shares]
        return LineWriter(list(zip(files, self.sides, self.encoders, strict=True)))


@dataclass(frozen=True)
class LinesWritten:
    """What a run wrote: rows of each file, and what the encoder of each gives."""

    rows: tuple[int, ...]
    encoded: tuple[Any, ...]


class LineWriter:
    """Writes each row's line into the file of its side."""

    def __init__(self, files: Sequence[tuple[Any, bool | None, Encoder]]) -> None:
        self._files = files
        self._rows = [0] * len(files)

    def write(self, table: Any, held_out: Flags) -> None:
        """Write the rows of a table."""
        for at, (file, side, encoder) in enumerate(self._files):
            rows = table
            if side is not None:
                wanted = held_out == side
                rows = table if wanted.all() else table.filter(flags(np.asarray(wanted)))
            for line in encoder.lines(rows):
                file.write(line)
            self._rows[at] += rows.num_rows

    def result(self) -> LinesWritten:
        """Give what was written."""
        results = tuple(encoder.result() for *_, encoder in self._files)
        return LinesWritten(tuple(self._rows), results)

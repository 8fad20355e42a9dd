"""What a training format is: it names its sections, its writers fill its files, it says what came.

`formats.lines` does all of that for formats whose records are lines of text; these give an
`Encoder` alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt

from mindcorpus.corpus.row_batch import RowBatch
from mindcorpus.corpus.row_facts import Numbers, RowFacts, integers_for
from mindcorpus.formats.entry import FormatEntry
from mindcorpus.storage.files import Region, Written, lay_out
from mindcorpus.storage.ordered_hash import SharedFile
from mindcorpus.warning import DataWarning

#: The parts of a corpus' split, in the order of their codes: 0 is train.
PARTS = ("train", "validation", "test")
#: What a writer may ask for beside the columns of the corpus: where each record stands there, and
#: the name of its part.
PLACES = ("corpus_row", "part")
Parts = npt.NDArray[np.int8]
"""The part of each row, as index into `PARTS`; -1: it is in none, as it has no response."""
Times = npt.NDArray[np.uint16]
"""How often a format has each row; 0: it does not take it."""
Takes = Literal["answers", "pairs"]
"""Which records a section may hold: those with a response, or those with a rejected one as well."""


@dataclass(frozen=True)
class Section:
    """Records of one kind within a format; most formats have one."""

    name: str
    """As the configuration of it is called."""
    takes: Takes = "answers"
    carries: tuple[str, ...] | None = None
    """What of a conversation it can hold, if that is not what the format's entry says."""
    refuses: tuple[str, ...] = ()
    """What leaves a record out of it that other formats take in another form."""


ANSWERS = Section("default")
PAIRS = Section("default", "pairs")


@dataclass(frozen=True)
class Run:
    """Some of the corpus' Parquet parts, with their rows [start, stop)."""

    parts: tuple[Path, ...]
    start: int
    stop: int
    text: int
    """Bytes of its texts."""

    def of(self, rows: Any) -> Any:
        """Give its share of an array with one value a corpus row."""
        return rows[self.start : self.stop]


@dataclass(frozen=True)
class Taken:
    """The rows of the corpus that a section takes; arrays have shape (rows,)."""

    rows: RowFacts
    times: Times
    parts: Parts

    def of(self, part: str | None) -> Times:
        """Give how often each row stands in a part; None: in all of them together."""
        if part is None:
            return self.times
        times: Times = self.times * (self.parts == PARTS.index(part))
        return times

    def order(self, part: str | None) -> Numbers:
        """Give the corpus row of each record of a part, in the order in which they are written."""
        times = self.of(part)
        rows = np.flatnonzero(times).astype(integers_for(len(times)))
        order: Numbers = np.repeat(rows, times[rows]) if (times > 1).any() else rows
        return order


class Writer(Protocol):
    """Takes the rows of one run, batch by batch."""

    def write(self, rows: RowBatch, parts: Parts) -> None:
        """Take rows of the corpus, in order, each as often as it is to be there, and their parts.

        All batches of one run have the same columns.
        """

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
class Placed:
    """Files that hold the records of a section, or one part of it: which record stands where."""

    file: str
    """A file, or a folder whose files together hold the records in order; relative."""
    section: str
    part: str | None
    """None: it holds all parts."""
    per_record: int = 1
    """How many lines or rows each record has."""


@dataclass(frozen=True)
class Made:
    """What came of a format."""

    outputs: Sequence[Written]
    placed: Sequence[Placed] = ()
    """Every file or folder that holds records."""
    findings: Sequence[Mapping[str, Any]] = ()
    """What rules find in it: code, severity, file, line, reason."""
    finding_counts: Mapping[str, int] = field(default_factory=dict)
    changed: Mapping[str, Mapping[tuple[str, str], int]] = field(default_factory=dict)
    """How many records of a section, by source and by a word for what was done to them."""
    warnings: Sequence[DataWarning] = ()
    """What its users must know of it."""


class Format(ABC):
    """One training format of one prepare, made in a folder of its own.

    It is of one of two kinds: `formats.lines.LineFormat`, whose files are laid out with those of
    other formats that hold the same lines, or `OwnLayout`.
    """

    columns: ClassVar[tuple[str, ...]]
    """The columns of the corpus that its writers read."""
    sections: ClassVar[tuple[Section, ...]] = (ANSWERS,)
    """What it holds. A section that no record fits is left out, unless it is the first."""

    def __init__(
        self,
        entry: FormatEntry,
        settings: Mapping[str, Any],
        folder: Path,
        scratch: Path,
        parts: tuple[str, ...] = PARTS[:2],
    ) -> None:
        """Take what shapes it, the folder it becomes, and a folder for what is not kept."""
        self.entry = entry
        self.settings = settings
        """The fields of the request that the entry names."""
        self.folder = folder
        self.scratch = scratch
        self.parts = parts
        """The parts that the corpus' split has, of `PARTS`."""

    @abstractmethod
    def finish(self, files: Sequence[Written], results: Sequence[Any], digest: str) -> Made:
        """Write what is left to write, and tell what came.

        `files` are the shared ones, `results` those of the writers, in the order of the runs;
        `digest` stands for all that shapes the format.
        """

    def configs(self, made: Made) -> list[dict[str, Any]]:
        """Give the configurations by which `datasets.load_dataset` reads the folder.

        Each is {config_name, data_files: [{split, path}]}, as the head of a card has them.
        """
        found: dict[str, list[dict[str, str]]] = {}
        for each in made.placed:
            files = found.setdefault(each.section, [])
            files.append({"split": each.part or PARTS[0], "path": each.file})
        return [{"config_name": name, "data_files": files} for name, files in found.items()]

    @staticmethod
    def check(folder: Path) -> list[dict[str, str]]:
        """Give what is wrong with a published folder beyond checksums, as {path, problem}."""
        del folder
        return []


class OwnLayout(Format):
    """A format that shares no line with others, and says itself where everything goes."""

    @abstractmethod
    def plan(self, taken: Mapping[str, Taken], runs: Sequence[Run]) -> Layout:
        """Lay the files out in the folder, which is there and empty.

        `taken` has the sections that are made. Nothing of the arrays may be kept: workers would
        inherit them.
        """


def regions_of(
    path: Path,
    head: bytes,
    sizes_of: Callable[[RowFacts], Numbers | None],
    rows: RowFacts,
    times: Times,
    runs: Sequence[Run],
) -> list[Region] | None:
    """Lay a file out: each run's share, from the sizes of rows and how often each is there.

    None where the sizes of some cannot be told.
    """
    shares = []
    for run in runs:
        sizes = sizes_of(rows.part(run.start, run.stop))
        if sizes is None:
            return None
        shares.append(int(np.multiply(sizes, run.of(times), dtype=np.int64).sum()))
    return lay_out(path, head, shares, b"")

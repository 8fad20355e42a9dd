"""What a row stage is, and what it says of a record: one vocabulary for all of them.

A `RecordStage` looks at one record, where parts are made; a `CorpusStage` looks at the indexes of
all parts at once. Both are frozen dataclasses whose fields are their options.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mindcorpus.arrow import as_flags, as_numbers
from mindcorpus.conversations import Conversation
from mindcorpus.corpus.equal_keys import equal_keys
from mindcorpus.corpus.row_facts import Flags, Keys, Numbers, integers_for
from mindcorpus.corpus.verdicts import Verdicts

#: Keys that are sorted at one time: 16 bytes each, and about three times that while sorting.
PARTITION = 250_000
NO_FACTS = pa.schema([])


class Record(NamedTuple):
    """A record on its way into a part, as a `RecordStage` sees it."""

    input: str
    response: str
    rejected_response: str
    source: str
    type: str
    tags: tuple[str, ...]
    conversation: Conversation | None = None
    """Its turns, where its texts do not say all; a stage that changes texts changes these too."""


class Verdict(NamedTuple):
    """What a `RecordStage` says of one record; the default: it stays as it is."""

    drop: str = ""
    """A reason to leave it out, or ""."""
    evidence: str = ""
    """What shows the reason: a place or a count, never the record's text."""
    changed: tuple[str, ...] = ()
    """What was done to its texts, a word each."""
    tags: tuple[str, ...] = ()
    """What was found in it, added to its tags."""
    facts: tuple[Any, ...] = ()
    """The values of the columns that the stage adds to the index."""


class RecordStage(Protocol):
    """Looks at one record; runs in the workers that make parts, and gives the same everywhere."""

    files: ClassVar[tuple[Path, ...]] = ()
    """Data that it reads: parts are named after their bytes."""

    def apply(self, record: Record) -> tuple[Record, Verdict]:
        """Give the record, changed or not, and what is to be said of it."""

    def facts(self) -> pa.Schema:
        """Name the columns it adds to the index, for a `CorpusStage`; `NO_FACTS` for none."""


@dataclass(frozen=True)
class Indexes:
    """The indexes of all parts, in order; their records are counted over all of them."""

    paths: Sequence[Path]
    count: int
    """How many records there are."""
    check: Callable[[], None]
    """Raises `CancelledError` where somebody asked; called now and then."""
    scratch: Path
    """A folder for keys that are too many for the memory: 24 bytes a record."""

    def column(self, name: str, kind: type[np.generic]) -> npt.NDArray[Any]:
        """Read a column, one value a record (or several: 16 bytes are two uint64)."""
        columns = [np.empty(0, kind), *(read_column(path, name, kind) for path in self.paths)]
        return np.concatenate(columns)

    def partitions(self, *columns: str) -> Iterator[tuple[Keys, Numbers]]:
        """Give all keys of a column in groups such that equal keys are in one, with their records.

        A record's key is that of the first of the columns that has one; records without any are
        left out. The records of a group ascend. In bounded memory, some keys at a time; each index
        is read once.
        """
        count = max(1, -(-self.count // PARTITION))
        if count == 1:
            found = [(np.empty((0, 2), np.uint64), np.empty(0, np.int64)), *self._keys(columns)]
            keys, numbers = zip(*found, strict=True)
            yield np.concatenate(keys), np.concatenate(numbers)
            return
        with TemporaryDirectory(prefix="keys-", dir=self.scratch) as folder:
            buckets = [Path(folder, str(number)) for number in range(count)]
            for each in self._keys(columns):
                _scatter(*each, buckets)
            for bucket in buckets:
                self.check()
                rows = np.fromfile(bucket, np.uint64) if bucket.exists() else np.empty(0, np.uint64)
                bucket.unlink(missing_ok=True)
                rows = rows.reshape(-1, 3)
                yield rows[:, :2], rows[:, 2].astype(np.int64)

    def _keys(self, columns: Sequence[str]) -> Iterator[tuple[Keys, Numbers]]:
        """Give the keys of each index, and the records that have them."""
        first = 0
        for path in self.paths:
            self.check()
            found, there = read_keys(path, columns)
            yield found[there], np.flatnonzero(there) + first
            first += len(found)


def _scatter(keys: Keys, numbers: Numbers, buckets: Sequence[Path]) -> None:
    """Put keys behind those of their files, each in the file that its bits choose."""
    home = (keys[:, 0] % np.uint64(len(buckets))).astype(np.int64)
    order = np.argsort(home, kind="stable")
    rows = np.column_stack((keys, numbers.astype(np.uint64)))[order]
    ends = np.cumsum(np.bincount(home, minlength=len(buckets)))
    for bucket, mine in zip(buckets, np.split(rows, ends[:-1]), strict=True):
        if len(mine):
            # Opened for each: files that stay open are limited, and buckets are not.
            with bucket.open("ab") as file:
                file.write(mine.data)


def find_firsts(indexes: Indexes, wanted: Flags, columns: Sequence[str]) -> Numbers:
    """For each record, the number of the first with the same key if that is another, else -1.

    A record's key is that of the first column that has one. Only the records that are wanted are
    looked at. Shape (records,); 4 bytes a record.
    """
    firsts = np.full(indexes.count, -1, integers_for(indexes.count))
    some_left = not wanted.all()
    for keys, numbers in indexes.partitions(*columns):
        if some_left:
            keys, numbers = keys[wanted[numbers]], numbers[wanted[numbers]]  # noqa: PLW2901
        groups = equal_keys(keys)
        # Each points at the first of its group.
        first = numbers[groups.first[groups.of_row]]
        again = first != numbers
        firsts[numbers[again]] = first[again]
    return firsts


def read_column(index: Path, column: str, kind: type[np.generic]) -> npt.NDArray[Any]:
    """Read a column of a part's index, records only, as numbers of a kind."""
    found = [as_numbers(table.column(0), kind) for table in _row_groups(index, [column])]
    return np.concatenate([np.empty(0, kind), *found])


def read_keys(index: Path, columns: Sequence[str]) -> tuple[Keys, Flags]:
    """Read the keys of a part's records, each from the first column that has one.

    Gives shape (records, 2) and (records,): which records have a key at all.
    """
    found = [_keys_of(table, columns) for table in _row_groups(index, ["reason", *columns])]
    keys, there = zip((np.empty((0, 2), np.uint64), np.empty(0, bool)), *found, strict=True)
    return np.concatenate(keys), np.concatenate(there)


def _keys_of(table: Any, columns: Sequence[str]) -> tuple[Keys, Flags]:
    records = ~as_flags(table.column("reason"))
    found = np.zeros((int(records.sum()), 2), np.uint64)
    there = np.zeros(len(found), bool)
    for name in columns:
        if there.all():
            break
        has = as_flags(table.column(name))[records]
        new = has & ~there
        found[new] = as_numbers(table.column(name), np.uint64).reshape(-1, 2)[new[has]]
        there |= has
    return found, there


def _row_groups(index: Path, columns: Sequence[str]) -> Iterator[Any]:
    """Read some columns of an index, a row group at a time: Arrow keeps what it once took."""
    parquet = pq.ParquetFile(index)
    for group in range(parquet.num_row_groups):
        yield parquet.read_row_group(group, list(columns), use_threads=False)


class CorpusStage(Protocol):
    """Looks at the indexes of all parts; texts it does not see."""

    needs: ClassVar[tuple[str, ...]]
    """The columns of the index that it reads; a merge in which one is missing does not begin."""

    def judge(self, indexes: Indexes, verdicts: Verdicts) -> Verdicts:
        """Give the verdicts of the stages before it, and its own beside them."""


Stage = RecordStage | CorpusStage

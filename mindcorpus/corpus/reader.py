"""Pages of the corpus' records, filtered and searched, and where a record came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mindcorpus.corpus import turns
from mindcorpus.corpus.index import Filter, RecordIndex, Rows, read_index
from mindcorpus.corpus.matching import SEARCHED, holding
from mindcorpus.corpus.parquet import ParquetFile
from mindcorpus.errors import SettingsError
from mindcorpus.records import COLUMNS
from mindcorpus.remedies import SeeRecords, SeeTags
from mindcorpus.storage.kinds import CORPUS
from mindcorpus.storage.manifest import read_manifest
from mindcorpus.storage.store import Store

_LINEAGE = (
    "source",
    "type",
    "file",
    "revision",
    "licence",
    "row",
    "item",
    "changed",
    "corpus_row",
    "holds",
    "group_key",
)


@dataclass(frozen=True)
class Page:
    """Some records that match, in corpus order."""

    records: list[dict[str, Any]]
    """Each its `row` in the corpus, its six fields, and what `turns.values_beside` gives."""
    matched: int
    """How many match in all."""
    next_offset: int | None
    """Where the next page starts, None after the last."""
    build: str
    """The build of the corpus that they are of."""


class Records:
    """The records of one published corpus, which never changes; its index is read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.build = folder.name
        """The id of the build it is."""

    @cached_property
    def index(self) -> RecordIndex:
        """What is known of each record without its text."""
        return read_index(self._folder / f"{CORPUS}.lineage.parquet")

    @cached_property
    def _groups(self) -> tuple[RowGroup, ...]:
        groups, first = [], 0
        for part in sorted((self._folder / f"{CORPUS}.parquet").iterdir()):
            for number, rows in enumerate(ParquetFile(part).rows):
                groups.append(RowGroup(part, number, first, rows))
                first += rows
        return tuple(groups)

    def matching(self, wanted: Filter) -> Rows:
        """Give the rows that match.

        Raises `SettingsError` for a source, type or tag that the corpus does not have.
        """
        self._refuse_unknown({"source": wanted.source, "type": wanted.type, "tag": wanted.tag})
        return self.index.matching(wanted)

    def page(self, wanted: Filter, words: list[str], *, offset: int, limit: int) -> Page:
        """Give a page of the records that match and hold the words; reads all to count those."""
        rows = self.matching(wanted)
        if words:
            rows = np.concatenate(
                [np.empty(0, np.int64), *(found for _, found in self._scan(rows, words))]
            )
        records = self.of_rows(rows[offset : offset + limit])
        end = offset + len(records)
        return Page(records, len(rows), end if records and end < len(rows) else None, self.build)

    def each(self, wanted: Filter, words: list[str]) -> Iterator[dict[str, Any]]:
        """Give all records that match and hold the words, reading one row group at a time."""
        rows = self.matching(wanted)
        if not words:
            yield from self._read(rows)
            return
        for _, found in self._scan(rows, words):
            yield from self._read(found)

    def of_rows(self, rows: Rows) -> list[dict[str, Any]]:
        """Give the records of rows that are there, in corpus order."""
        return list(self._read(rows))

    def one(self, row: int) -> dict[str, Any]:
        """Give the record of a row that is there."""
        return self.of_rows(np.array([row], np.int64))[0]

    def lineage(self, row: int) -> dict[str, Any]:
        """Tell where a record came from; raises `SettingsError` for a row that is not there."""
        if not 0 <= row < len(self.index):
            raise SettingsError(
                f"the corpus has no row {row}",
                hint="Rows count from 0;",
                remedy=SeeRecords(),
            )
        place = int(self.index.lineage[row])
        parquet = ParquetFile(self._folder / f"{CORPUS}.lineage.parquet")
        starts = np.cumsum([0, *parquet.rows])
        group = int(np.searchsorted(starts, place, side="right")) - 1
        table = parquet.read_group(group, _LINEAGE)
        found: dict[str, Any] = table.slice(place - int(starts[group]), 1).to_pylist()[0]
        # The key is a hash of what may name a person; that there is one says enough.
        key = found.pop("group_key")
        return {**found, "holds": (found["holds"] or "").split(), "grouped": key is not None}

    def by_group(self, rows: Rows) -> Iterator[tuple[RowGroup, Rows]]:
        """Deal rows, in corpus order, out to the row groups that hold them."""
        for group in self._groups:
            first, last = np.searchsorted(rows, [group.first, group.first + group.rows])
            if first < last:
                yield group, rows[first:last]

    def _scan(self, rows: Rows, words: list[str]) -> Iterator[tuple[Rows, Rows]]:
        """Give by row group the rows looked at, and those of them that hold the words."""
        for group, there in self.by_group(rows):
            yield there, there[group.holding(there, words)]

    def _read(self, rows: Rows) -> Iterator[dict[str, Any]]:
        for group, there in self.by_group(rows):
            for row, record in zip(there, group.records(there), strict=True):
                yield {"row": int(row), **record}

    def _refuse_unknown(self, filters: Mapping[str, str | None]) -> None:
        if all(value is None for value in filters.values()):
            return
        statistics = read_manifest(self._folder)["statistics"]
        for name, value in filters.items():
            known = statistics[f"by_{name}"]
            if value is not None and value not in known:
                raise SettingsError(
                    f"the corpus has no {name} {value!r}",
                    field=name,
                    # Tags may be thousands.
                    hint="" if name == "tag" else f"There are {', '.join(known)}.",
                    remedy=SeeTags() if name == "tag" else None,
                )


@dataclass(frozen=True)
class RowGroup:
    """One row group of one Parquet part; only the columns that are asked for are read."""

    part: Path
    number: int
    first: int
    """The corpus row of its first record."""
    rows: int

    def holding(self, rows: Rows, words: list[str]) -> Any:
        """Tell which of the rows hold all of the words in one text or turn, whatever their case."""
        return holding(self._take(rows, SEARCHED), words)

    def records(self, rows: Rows) -> Iterator[dict[str, Any]]:
        """Read whole records."""
        table = self._take(rows, (*COLUMNS, *turns.NAMES))
        beside = turns.values_beside(table)
        for six, more in zip(table.select(COLUMNS).to_pylist(), beside, strict=True):
            yield six | more

    def _take(self, rows: Rows, columns: tuple[str, ...]) -> Any:
        table = ParquetFile(self.part).read_group(self.number, columns)
        return table if len(rows) == self.rows else table.take(pa.array(rows - self.first))


def browse(
    data_dir: str | Path,
    *,
    offset: int = 0,
    limit: int = 20,
    source: str | None = None,
    type: str | None = None,  # noqa: A002 - the column's name
    tag: str | None = None,
    search: str | None = None,
    min_words: int | None = None,
    max_words: int | None = None,
) -> Page:
    """Give a page of the records that match all of the filters.

    `search` finds words in input, response or rejected response, or in a turn of a conversation,
    whatever their case: a text matches if it holds all of them. `min_words` and `max_words` count
    those of input and response together. `offset` and `limit` count matching records. Raises
    `NoCorpusError`, and `SettingsError` for a source, type or tag that the corpus does not have.
    """
    wanted = Filter(source, type, tag, min_words, max_words)
    words = (search or "").split()
    with Store(data_dir).reading("corpus") as folder:
        return Records(folder).page(wanted, words, offset=offset, limit=limit)


def lineage(data_dir: str | Path, row: int) -> dict[str, Any]:
    """Tell where a record of the corpus came from: file, row, revision, licence, what was changed.

    `holds` lists what its conversation has that its texts do not say, `grouped` tells whether its
    source's entry says with which other records it belongs together.

    Raises `NoCorpusError`, and `SettingsError` for a row that the corpus does not have.
    """
    with Store(data_dir).reading("corpus") as folder:
        return Records(folder).lineage(row)


def record(data_dir: str | Path, row: int) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Give a record of the corpus, where it came from, and its build; raises as `lineage` does."""
    with Store(data_dir).reading("corpus") as folder:
        records = Records(folder)
        origin = records.lineage(row)
        return records.one(row), origin, records.build

"""Pages of the corpus' records, filtered and searched, and where a record came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from mindcorpus.artifacts import CORPUS, Store
from mindcorpus.errors import SettingsError
from mindcorpus.manifests import read_manifest
from mindcorpus.parquet_files import ParquetFile
from mindcorpus.records import COLUMNS


@dataclass(frozen=True)
class Page:
    """Some records that match, in corpus order; each also has its `row` in the corpus."""

    records: list[dict[str, Any]]
    matched: int
    """How many match in all."""
    next_offset: int | None
    """Where the next page starts, None after the last."""


def browse(
    data_dir: str | Path,
    *,
    offset: int = 0,
    limit: int = 20,
    source: str | None = None,
    type: str | None = None,  # noqa: A002 - the column's name
    tag: str | None = None,
    search: str | None = None,
) -> Page:
    """Give a page of the records that match all of the filters.

    `search` finds words in input, response or rejected response, whatever their case: a text
    matches if it holds all of them. `offset` and `limit` count matching records. Raises
    `NoCorpusError`, and `SettingsError` for a source, type or tag that the corpus does not have.
    """
    folder = Store(data_dir).folder("corpus")
    _refuse_unknown(folder, {"source": source, "type": type, "tag": tag})
    words = (search or "").split()
    records: list[dict[str, Any]] = []
    matched = 0
    for group, first in _row_groups(folder):
        rows = group.matching(source, type, tag, words)
        wanted = rows[max(0, offset - matched) :][: limit - len(records)]
        if offset < matched + len(rows) and len(wanted):
            records += [
                {"row": first + int(row), **record}
                for row, record in zip(wanted, group.records(wanted), strict=True)
            ]
        matched += len(rows)
    end = offset + len(records)
    return Page(records, matched, end if records and end < matched else None)


def lineage(data_dir: str | Path, row: int) -> dict[str, Any]:
    """Tell where a record of the corpus came from: file, row, revision, licence, what was changed.

    Raises `NoCorpusError`, and `SettingsError` for a row that the corpus does not have.
    """
    folder = Store(data_dir).folder("corpus")
    parquet = ParquetFile(folder / f"{CORPUS}.lineage.parquet")
    names = [
        "source",
        "type",
        "file",
        "revision",
        "licence",
        "row",
        "item",
        "changed",
        "corpus_row",
    ]
    for group in range(len(parquet.rows)):
        table = parquet.read_group(group, names)
        found: list[dict[str, Any]] = table.filter(pc.equal(table["corpus_row"], row)).to_pylist()
        if found:
            return found[0]
    raise SettingsError(
        f"the corpus has no row {row}", hint="Rows count from 0; `mindcorpus browse` shows them."
    )


def _refuse_unknown(folder: Path, filters: Mapping[str, str | None]) -> None:
    """Raise `SettingsError` for a filter that nothing in the corpus can pass."""
    if all(value is None for value in filters.values()):
        return
    statistics = read_manifest(folder)["statistics"]
    for name, value in filters.items():
        known = statistics[f"by_{name}"]
        if value is not None and value not in known:
            raise SettingsError(
                f"the corpus has no {name} {value!r}",
                field=name,
                # Tags may be thousands.
                hint="`mindcorpus stats` lists the tags."
                if name == "tag"
                else f"There are {', '.join(known)}.",
            )


class _RowGroup:
    """One row group of one Parquet part; of its texts only what is asked for is read."""

    def __init__(self, parquet: ParquetFile, number: int) -> None:
        self._parquet = parquet
        self._number = number
        self._rows = parquet.rows[number]

    def matching(
        self, source: str | None, type_: str | None, tag: str | None, words: list[str]
    ) -> Any:
        """Give the rows of the group that match, as numbers within it."""
        flags = np.ones(self._rows, bool)
        for column, value in (("source", source), ("type", type_)):
            if value is not None:
                flags &= np.asarray(pc.equal(self._column(column), value))
        if tag is not None and flags.any():
            flags &= [tag in tags for tags in self._column("tags").to_pylist()]
        if words and flags.any():
            flags &= self._found(words)
        return np.flatnonzero(flags)

    def _found(self, words: list[str]) -> Any:
        found = np.zeros(self._rows, bool)
        for column in ("input", "response", "rejected_response"):
            text = self._column(column)
            here = np.ones(self._rows, bool)
            for word in words:
                here &= np.asarray(pc.match_substring(text, word, ignore_case=True))
            found |= here
        return found

    def _column(self, name: str) -> Any:
        return self._parquet.read_group(self._number, [name]).column(0)

    def records(self, rows: Any) -> list[dict[str, Any]]:
        """Read whole records."""
        table = self._parquet.read_group(self._number, COLUMNS)
        records: list[dict[str, Any]] = table.take(rows).to_pylist()
        return records


def _row_groups(folder: Path) -> Iterator[tuple[_RowGroup, int]]:
    first = 0
    for part in sorted((folder / f"{CORPUS}.parquet").iterdir()):
        parquet = ParquetFile(part)
        for number, rows in enumerate(parquet.rows):
            yield _RowGroup(parquet, number), first
            first += rows

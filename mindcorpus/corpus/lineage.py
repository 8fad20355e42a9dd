"""Lineage: for every row that was read, where it came from and what became of it.

A dropped row has a reason and evidence (a place or a count, never its text); a duplicate names
the corpus row that was kept; a kept row has its place in the corpus, its keys and its lengths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from mindcorpus.arrow import WORD, as_flags, as_numbers, as_words, coded, numbers, texts, words
from mindcorpus.corpus.kin import Kin, SavedKin
from mindcorpus.corpus.row_facts import Numbers
from mindcorpus.corpus.verdicts import Codes16, SavedVerdicts, Verdicts
from mindcorpus.storage.files import HashedFile, Written

SCHEMA = pa.schema(
    [
        ("source", WORD),
        ("type", WORD),
        ("file", WORD),
        ("revision", WORD),
        ("licence", WORD),
        ("row", pa.int64()),
        ("item", pa.int32()),
        ("status", WORD),
        ("corpus_row", pa.int64()),
        ("reason", WORD),
        ("evidence", pa.string()),
        ("changed", WORD),
        # What a conversation holds beyond its flat texts: words of `conversations.HOLDS`.
        ("holds", WORD),
        # The corpus row of the first record that holds the same but for the rejected side, and of
        # the first that opens with the same turns; null of that record itself, and of most.
        ("same_answer", pa.int64()),
        ("same_opening", pa.int64()),
        # The hash of what the source's own columns say belongs together.
        ("group_key", pa.binary(16)),
        ("input_key", pa.binary(16)),
        ("input_chars", pa.int32()),
        ("response_chars", pa.int32()),
        ("input_words", pa.int32()),
        ("response_words", pa.int32()),
        # The bytes a text takes as JSON and as a CSV cell: a format's writers know by them where
        # each of their records begins, before any is written.
        ("input_json", pa.int32()),
        ("response_json", pa.int32()),
        # 0 for a record that is no pair.
        ("rejected_json", pa.int32()),
        ("input_csv", pa.int32()),
        ("response_csv", pa.int32()),
        # Of a conversation: its turns as messages, those of them that instruct, and its tools.
        ("turns_json", pa.int32()),
        ("system_json", pa.int32()),
        ("tools_json", pa.int32()),
        ("tags", WORD),
    ]
)


# Records of which the number before them is known; as few as make it small beside their codes.
_BLOCK = 64
# Codes that are counted at one time.
_AT_ONCE = 1_000_000 // _BLOCK * _BLOCK
_OF_THE_PART = ("source", "type", "file", "revision", "licence")
_STATUS = ("dropped", "kept", "duplicate")


@dataclass(frozen=True)
class PartOrigin:
    """A part's index, and what is true of all its rows."""

    index: Path
    kept: int
    source: str
    type: str
    file: str
    revision: str
    licence: str
    first_row: int
    """How many rows of the same file stand before it."""


@dataclass(frozen=True)
class LineageJob:
    """All parts in order, the verdicts on their records, and where to write."""

    parts: tuple[PartOrigin, ...]
    verdicts: SavedVerdicts
    kin: SavedKin
    target: Path


def written_changes(changes: Sequence[str]) -> str:
    """Give what was done to a record's texts as `changed` has it: a word, or a JSON array.

    A lone word that begins as an array does is in one too: it would be taken for it.
    """
    if len(changes) < 2 and not any(word.startswith("[") for word in changes):
        return "".join(changes)
    return orjson.dumps(changes).decode()


def read_changes(changed: str) -> list[str]:
    """Give the words that `written_changes` wrote."""
    if not changed.startswith("["):
        return [changed] if changed else []
    words_: list[str] = orjson.loads(changed)
    return words_


class CorpusRows:
    """The corpus row of every record that stays: how many that stay are before it.

    Counted block by block, so that it takes a hundredth of what a number for each would.
    """

    def __init__(self, code: Path) -> None:
        """Take the file of the records' codes, 0 for one that stays."""
        self._code = np.load(code, mmap_mode="r")
        blocks = range(0, len(self._code), _AT_ONCE)
        counts = [_stay_by_block(np.asarray(self._code[at : at + _AT_ONCE])) for at in blocks]
        self._before = np.concatenate(([0], *counts)).cumsum()

    def of(self, records: Numbers) -> Numbers:
        """Give the corpus rows of records that stay."""
        block, within = np.divmod(records, _BLOCK)
        places = np.minimum(block[:, None] * _BLOCK + np.arange(_BLOCK), len(self._code) - 1)
        stays = (self._code[places] == 0) & (np.arange(_BLOCK) < within[:, None])
        rows: Numbers = self._before[block] + stays.sum(axis=1)
        return rows

    def codes_of(self, records: Numbers) -> Codes16:
        """Give the codes of records."""
        return np.asarray(self._code[records])


def _stay_by_block(code: Codes16) -> Numbers:
    """Count those that stay, block by block; the last may be short."""
    counts: Numbers = np.add.reduceat(code == 0, np.arange(0, len(code), _BLOCK), dtype=np.int64)
    return counts


def write_lineage(job: LineageJob, tick: Callable[[int, int], None]) -> Written:
    """Write the lineage file from the parts' indexes."""
    rows = CorpusRows(job.verdicts.code)
    first = 0
    with (
        HashedFile(job.target) as file,
        pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer,
    ):
        for part in job.parts:
            for batch in _batches(part.index):
                last = first + batch.column("reason").null_count
                verdicts, kin = job.verdicts.of(first, last), job.kin.of(first, last)
                writer.write_table(_lineage(part, batch, verdicts, kin, rows, first))
                first = last
                file.rows += batch.num_rows
                tick(0, 0)
    return file.written


def _batches(index: Path) -> Iterator[Any]:
    parquet = pq.ParquetFile(index)
    columns = [name for name in SCHEMA.names if name in parquet.schema_arrow.names]
    for group in range(parquet.num_row_groups):
        yield parquet.read_row_group(group, columns, use_threads=False)


def _lineage(
    part: PartOrigin, batch: Any, verdicts: Verdicts, kin: Kin, rows: CorpusRows, first: int
) -> Any:
    """Make the lines of a batch of an index, of which `first` is the first record."""
    count = batch.num_rows
    records = np.flatnonzero(~as_flags(batch.column("reason")))
    code, twin = verdicts.code, verdicts.twin
    kept, left_out = records[code == 0], np.flatnonzero(code)

    status = np.zeros(count, np.int32)
    status[kept], status[records[twin >= 0]] = 1, 2
    place = np.zeros(count, np.int64)
    if len(kept):
        # Those that stay follow one another.
        before = rows.of(np.flatnonzero(code == 0)[:1] + first)
        place[kept] = before + np.arange(len(kept))
    reason, evidence = _told(batch, verdicts, records, left_out, rows)

    made = {
        **{name: coded(np.zeros(count, np.int32), [getattr(part, name)]) for name in _OF_THE_PART},
        "row": numbers(as_numbers(batch.column("row"), np.int64) + part.first_row, pa.int64()),
        "status": coded(status, _STATUS),
        "corpus_row": numbers(place, pa.int64(), status == 1),
        "reason": reason,
        "evidence": evidence,
        "changed": as_words(batch.column("changed")),
        "holds": as_words(batch.column("holds")),
        **{
            name: _of_kin(which, records, count, rows)
            for name, which in (("same_answer", kin.answer), ("same_opening", kin.opening))
        },
        "tags": as_words(batch.column("tags")),
    }
    columns = [
        made[name] if name in made else batch.column(name).combine_chunks() for name in SCHEMA.names
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _of_kin(which: Numbers, records: Numbers, count: int, rows: CorpusRows) -> Any:
    """Give the corpus rows of the records that are meant, one value a row that was read."""
    found = np.zeros(count, np.int64)
    there = np.zeros(count, bool)
    meant = which >= 0
    found[records[meant]] = rows.of(which[meant])
    there[records[meant]] = True
    return numbers(found, pa.int64(), there)


def _told(
    batch: Any, verdicts: Verdicts, records: Numbers, left_out: Numbers, rows: CorpusRows
) -> tuple[Any, Any]:
    """Give the columns that say why rows were dropped, or records left out."""
    columns = batch.column("reason"), batch.column("evidence")
    if not len(left_out):
        return as_words(columns[0]), columns[1].combine_chunks()
    reason, evidence = (column.to_pylist() for column in columns)
    told = _evidence(verdicts, left_out, rows)
    codes = verdicts.code[left_out].tolist()
    for at, why, words_ in zip(records[left_out].tolist(), codes, told, strict=True):
        reason[at] = verdicts.reasons[why - 1].name
        evidence[at] = words_
    return words(reason), texts([text if text is None else text.encode() for text in evidence])


def _evidence(verdicts: Verdicts, left_out: Numbers, rows: CorpusRows) -> Iterator[str]:
    """Tell what shows that records are left out, one text each."""
    twins = verdicts.twin[left_out]
    places = np.full(len(twins), -1, np.int64)
    places[twins >= 0] = rows.of(twins[twins >= 0])
    codes = verdicts.code[left_out], rows.codes_of(np.maximum(twins, 0))
    for why, gone, place in zip(*(each.tolist() for each in (*codes, places)), strict=True):
        if place < 0:
            yield verdicts.reasons[why - 1].alone
        elif gone:
            name = verdicts.reasons[gone - 1].name
            yield f"the record that stood for it was left out: {name}"
        else:
            yield verdicts.reasons[why - 1].stands.format(row=place)

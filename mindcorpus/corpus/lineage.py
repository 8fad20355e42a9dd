"""Lineage: for every row that was read, where it came from and what became of it.

A dropped row has a reason and evidence (a place or a count, never its text); a duplicate names
the corpus row that was kept; a kept row has its place in the corpus, its keys and its lengths.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from mindcorpus.arrow import WORD, as_flags, as_numbers, coded, numbers, texts, words
from mindcorpus.corpus.kin import Kin, SavedKin
from mindcorpus.corpus.row_facts import Flags, Numbers
from mindcorpus.corpus.verdicts import Reason, SavedVerdicts, Verdicts
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


def corpus_rows(stays: Flags) -> Numbers:
    """Give the corpus row of each record that stays; those of others mean nothing. Shape (n,)."""
    rows: Numbers = np.cumsum(stays, dtype=np.int64) - 1
    return rows


def write_lineage(job: LineageJob, tick: Callable[[int, int], None]) -> Written:
    """Write the lineage file from the parts' indexes."""
    verdicts, kin = job.verdicts.load(), job.kin.load()
    places = corpus_rows(verdicts.stays)
    first = 0
    with (
        HashedFile(job.target) as file,
        pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer,
    ):
        for part in job.parts:
            for batch in _batches(part.index):
                rows, first = _lineage(part, batch, verdicts, kin, places, first)
                writer.write_table(rows)
                file.rows += rows.num_rows
                tick(0, 0)
    return file.written


def _batches(index: Path) -> Sequence[Any]:
    parquet = pq.ParquetFile(index)
    return [
        parquet.read_row_group(group, use_threads=False) for group in range(parquet.num_row_groups)
    ]


def _lineage(
    part: PartOrigin, batch: Any, verdicts: Verdicts, kin: Kin, places: Numbers, first: int
) -> tuple[Any, int]:
    count = batch.num_rows
    records = np.flatnonzero(~as_flags(batch.column("reason")))
    last = first + len(records)
    code, twin = verdicts.code[first:last], verdicts.twin[first:last]
    kept, left_out = records[code == 0], np.flatnonzero(code)

    status = np.zeros(count, np.int32)
    status[kept], status[records[twin >= 0]] = 1, 2
    place = np.zeros(count, np.int64)
    place[kept] = places[first:last][code == 0]
    reason = batch.column("reason").to_pylist()
    evidence = batch.column("evidence").to_pylist()
    for at in left_out.tolist():
        why = verdicts.reasons[code[at] - 1]
        reason[records[at]] = why.name
        evidence[records[at]] = _evidence(why, int(twin[at]), verdicts, places)

    made = {
        **{name: coded(np.zeros(count, np.int32), [getattr(part, name)]) for name in _OF_THE_PART},
        "row": numbers(as_numbers(batch.column("row"), np.int64) + part.first_row, pa.int64()),
        "status": coded(status, _STATUS),
        "corpus_row": numbers(place, pa.int64(), status == 1),
        "reason": words(reason),
        "evidence": texts([text if text is None else text.encode() for text in evidence]),
        "changed": words(batch.column("changed").to_pylist()),
        "holds": words(batch.column("holds").to_pylist()),
        **{
            name: _of_kin(which[first:last], records, count, places)
            for name, which in (("same_answer", kin.answer), ("same_opening", kin.opening))
        },
        "tags": words(batch.column("tags").to_pylist()),
    }
    columns = [
        made[name] if name in made else batch.column(name).combine_chunks() for name in SCHEMA.names
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA), last


def _of_kin(which: Numbers, records: Numbers, count: int, places: Numbers) -> Any:
    """Give the corpus rows of the records that are meant, one value a row that was read."""
    rows = np.zeros(count, np.int64)
    there = np.zeros(count, bool)
    meant = which >= 0
    rows[records[meant]] = places[which[meant]]
    there[records[meant]] = True
    return numbers(rows, pa.int64(), there)


def _evidence(why: Reason, twin: int, verdicts: Verdicts, places: Numbers) -> str:
    if twin < 0:
        return why.alone
    if verdicts.code[twin]:
        gone = verdicts.reasons[verdicts.code[twin] - 1].name
        return f"the record that stood for it was left out: {gone}"
    return why.stands.format(row=places[twin])

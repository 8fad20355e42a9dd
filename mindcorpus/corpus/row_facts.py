"""What the lineage file knows of each corpus row, without its text: read once, by one reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mindcorpus.arrow import as_flags, as_numbers, flags
from mindcorpus.corpus.parquet import ParquetFile

Flags = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int32]
Numbers = npt.NDArray[np.signedinteger[Any]]
"""Of 32 bits where what is counted fits, else of 64."""
Keys = npt.NDArray[np.uint64]
"""Shape (n, 2): a 128-bit key as two integers."""


def integers_for(count: int) -> type[np.signedinteger[Any]]:
    """Give the type of the numbers of so many rows."""
    return np.int32 if count <= np.iinfo(np.int32).max else np.int64


def none_of(count: int) -> Numbers:
    """Give -1 for each of so many rows, in no memory; it cannot be written into."""
    return np.broadcast_to(integers_for(count)(-1), (count,))


_WORDS = ("source", "type", "tags", "holds")
_NUMBERS = (
    *("response_words", "input_json", "response_json", "rejected_json", "input_csv"),
    *("response_csv", "input_chars", "response_chars", "turns_json", "system_json", "tools_json"),
)
_KIN = ("same_answer", "same_opening")


@dataclass(frozen=True)
class LineageColumns:
    """Some columns of the lineage's kept rows, in corpus order; arrays have shape (rows,)."""

    names: Mapping[str, tuple[str, ...]]
    """Column of words -> its words."""
    codes: Mapping[str, Codes]
    """Column of words -> index into its words."""
    numbers: Mapping[str, npt.NDArray[np.int32]]
    """Nulls are 0."""
    rows: Mapping[str, Numbers]
    """Column of corpus rows -> the rows, nulls as -1."""
    keys: Mapping[str, Keys]
    """Column of 128-bit keys -> shape (rows, 2), nulls as zeros."""
    places: Numbers
    """The row of the lineage file that tells of each."""


def read_columns(
    lineage: Path,
    words: Sequence[str],
    numbers: Sequence[str],
    keys: Sequence[str] = (),
    rows: Sequence[str] = (),
) -> LineageColumns:
    """Read columns of a lineage file, kept rows only; raises `CorruptArtifactError`."""
    known: dict[str, dict[str, int]] = {name: {} for name in words}
    found: dict[str, list[Any]] = {name: [np.empty(0, np.int32)] for name in (*words, *numbers)}
    found |= {name: [np.empty(0, np.int64)] for name in rows}
    found |= {name: [np.empty((0, 2), np.uint64)] for name in keys}
    places: list[Numbers] = [np.empty(0, np.int64)]
    parquet, first = ParquetFile(lineage), 0
    for group, count in enumerate(parquet.rows):
        table = parquet.read_group(group, [*found, "status"])
        status = table.column("status").combine_chunks()
        kept = {word: code for code, word in enumerate(status.dictionary.to_pylist())}.get("kept")
        wanted = as_numbers(status.indices, np.int32) == kept
        places.append(np.flatnonzero(wanted) + first)
        first += count
        table = table.filter(flags(wanted))
        for name in words:
            column = table.column(name).combine_chunks()
            codes = [
                known[name].setdefault(word, len(known[name]))
                for word in column.dictionary.to_pylist()
            ]
            if column.null_count:
                # Where nothing is said.
                codes.append(known[name].setdefault("", len(known[name])))
            indices = _filled(table.column(name), np.int32, -1, coded=True)
            found[name].append(np.array(codes or [0], np.int32)[indices])
        for name in numbers:
            found[name].append(_filled(table.column(name), np.int32, 0))
        for name in rows:
            found[name].append(_filled(table.column(name), np.int64, -1))
        for name in keys:
            found[name].append(_filled(table.column(name), np.uint64, 0, width=2))
    arrays = {name: np.concatenate(pieces) for name, pieces in found.items()}
    return LineageColumns(
        names={name: tuple(known[name]) for name in words},
        codes={name: arrays[name] for name in words},
        numbers={name: arrays[name] for name in numbers},
        rows={name: arrays[name] for name in rows},
        keys={name: arrays[name] for name in keys},
        places=np.concatenate(places),
    )


def _filled(
    column: Any, kind: type[np.generic], null: int, *, width: int = 1, coded: bool = False
) -> npt.NDArray[Any]:
    """Give a column's values as numbers, `width` of them each; a null as `null`."""
    source = column.combine_chunks()
    values = as_numbers(source.indices if coded else source, kind).reshape(-1, width)
    if source.null_count:
        filled = np.full((len(source), width), null, kind)
        filled[as_flags(column)] = values
        values = filled
    return values if width > 1 else values[:, 0]


@dataclass(frozen=True)
class RowFacts:
    """What is known of each corpus row; arrays have shape (rows,) or (rows, 2)."""

    names: tuple[str, ...]
    source: Codes
    """Index into `names`."""
    types: tuple[str, ...]
    type: Codes
    input_key: Keys
    group_key: Keys
    """Zeros for a row that belongs to no group."""
    same_answer: Numbers
    """The first row that holds the same but for the rejected side; -1: none before it does."""
    same_opening: Numbers
    """The first row that opens with the same turns; -1: none before it does."""
    holdings: tuple[str, ...]
    holds: Codes
    """Index into `holdings`: words of `conversations.HOLDS`; "" for a row that its texts say."""
    tag_sets: tuple[str, ...]
    tags: Codes
    """Index into `tag_sets`."""
    response_words: Numbers
    input_json: Numbers
    """Bytes the input takes as JSON; those below likewise."""
    response_json: Numbers
    rejected_json: Numbers
    """The same of the rejected response; 0 for a record that is no pair."""
    input_csv: Numbers
    response_csv: Numbers
    input_chars: Numbers
    response_chars: Numbers
    turns_json: Numbers
    """Bytes the turns of a conversation take as messages, up to the last answer; else 0."""
    system_json: Numbers
    """Those of them that are turns that instruct, with a comma each."""
    tools_json: Numbers

    def holding(self, *words: str) -> Flags:
        """Tell which rows hold one of some things that `conversations.HOLDS` names."""
        sets = [set(each.split()) for each in self.holdings]
        found: Flags = np.array([not words_.isdisjoint(words) for words_ in sets], bool)[self.holds]
        return found

    @property
    def answered(self) -> Flags:
        """Whether a row has a response."""
        return self.response_words > 0

    @property
    def paired(self) -> Flags:
        """Whether a row has a response, and a rejected one beside it."""
        return self.answered & (self.rejected_json > 0)


def read_row_facts(lineage: Path) -> RowFacts:
    """Read what a lineage file knows of the corpus' rows; raises `CorruptArtifactError`."""
    found = read_columns(lineage, _WORDS, _NUMBERS, ("input_key", "group_key"), _KIN)
    return RowFacts(
        names=found.names["source"],
        source=found.codes["source"],
        types=found.names["type"],
        type=found.codes["type"],
        input_key=found.keys["input_key"],
        group_key=found.keys["group_key"],
        **{name: found.rows[name] for name in _KIN},
        holdings=found.names["holds"],
        holds=found.codes["holds"],
        tag_sets=found.names["tags"],
        tags=found.codes["tags"],
        **{name: found.numbers[name].astype(np.int64) for name in _NUMBERS},
    )

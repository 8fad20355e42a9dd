"""What the lineage file knows of each corpus row, without its text: read once, by one reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mindcorpus.arrow import as_numbers, flags
from mindcorpus.corpus.parquet import ParquetFile

Flags = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int32]
Numbers = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]
"""Shape (n, 2): a 128-bit key as two integers."""

_WORDS = ("source", "type", "tags")
_NUMBERS = ("response_words", "input_json", "response_json", "input_csv", "response_csv")


@dataclass(frozen=True)
class LineageColumns:
    """Some columns of the lineage's kept rows, in corpus order; arrays have shape (rows,)."""

    names: Mapping[str, tuple[str, ...]]
    """Column of words -> its words."""
    codes: Mapping[str, Codes]
    """Column of words -> index into its words."""
    numbers: Mapping[str, npt.NDArray[np.int32]]
    keys: Mapping[str, Keys]
    """Column of 128-bit keys -> shape (rows, 2)."""
    places: Numbers
    """The row of the lineage file that tells of each."""


def read_columns(
    lineage: Path, words: Sequence[str], numbers: Sequence[str], keys: Sequence[str] = ()
) -> LineageColumns:
    """Read columns of a lineage file, kept rows only; raises `CorruptArtifactError`."""
    known: dict[str, dict[str, int]] = {name: {} for name in words}
    found: dict[str, list[Any]] = {name: [np.empty(0, np.int32)] for name in (*words, *numbers)}
    found |= {name: [np.empty((0, 2), np.uint64)] for name in keys}
    places: list[Numbers] = [np.empty(0, np.int64)]
    parquet, first = ParquetFile(lineage), 0
    for group, rows in enumerate(parquet.rows):
        table = parquet.read_group(group, [*found, "status"])
        status = table.column("status").combine_chunks()
        kept = {word: code for code, word in enumerate(status.dictionary.to_pylist())}.get("kept")
        wanted = as_numbers(status.indices, np.int32) == kept
        places.append(np.flatnonzero(wanted) + first)
        first += rows
        table = table.filter(flags(wanted))
        for name in words:
            column = table.column(name).combine_chunks()
            codes = [
                known[name].setdefault(word, len(known[name]))
                for word in column.dictionary.to_pylist()
            ]
            found[name].append(np.array(codes, np.int32)[as_numbers(column.indices, np.int32)])
        for name in numbers:
            found[name].append(as_numbers(table.column(name), np.int32))
        for name in keys:
            found[name].append(as_numbers(table.column(name), np.uint64).reshape(-1, 2))
    arrays = {name: np.concatenate(pieces) for name, pieces in found.items()}
    return LineageColumns(
        names={name: tuple(known[name]) for name in words},
        codes={name: arrays[name] for name in words},
        numbers={name: arrays[name] for name in numbers},
        keys={name: arrays[name] for name in keys},
        places=np.concatenate(places),
    )


@dataclass(frozen=True)
class RowFacts:
    """What is known of each corpus row; arrays have shape (rows,) or (rows, 2)."""

    names: tuple[str, ...]
    source: Codes
    """Index into `names`."""
    types: tuple[str, ...]
    type: Codes
    input_key: Keys
    tag_sets: tuple[str, ...]
    tags: Codes
    """Index into `tag_sets`."""
    response_words: Numbers
    input_json: Numbers
    """Bytes the input takes as JSON; the next three likewise."""
    response_json: Numbers
    input_csv: Numbers
    response_csv: Numbers

    @property
    def answered(self) -> Flags:
        """Whether a row has a response."""
        return self.response_words > 0


def read_row_facts(lineage: Path) -> RowFacts:
    """Read what a lineage file knows of the corpus' rows; raises `CorruptArtifactError`."""
    found = read_columns(lineage, _WORDS, _NUMBERS, ("input_key",))
    return RowFacts(
        names=found.names["source"],
        source=found.codes["source"],
        types=found.names["type"],
        type=found.codes["type"],
        input_key=found.keys["input_key"],
        tag_sets=found.names["tags"],
        tags=found.codes["tags"],
        **{name: found.numbers[name].astype(np.int64) for name in _NUMBERS},
    )

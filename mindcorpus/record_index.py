"""What is known of each record of a corpus without its text: small, and made once a corpus."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from mindcorpus.columns import as_numbers, flags
from mindcorpus.parquet_files import ParquetFile

_WORDS = ("source", "type", "tags")
_NUMBERS = ("input_words", "response_words")

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Filter:
    """Which records are wanted; those that match all of it.

    `min_words` and `max_words` count the words of input and response together.
    """

    source: str | None = None
    type: str | None = None
    tag: str | None = None
    min_words: int | None = None
    max_words: int | None = None


@dataclass(frozen=True)
class RecordIndex:
    """Source, type, tags and length of each corpus row; arrays have shape (rows,)."""

    names: dict[str, tuple[str, ...]]
    """Column -> its words; tags are sets of tags, as JSON."""
    codes: dict[str, npt.NDArray[np.int32]]
    """Column -> index into its words."""
    words: npt.NDArray[np.int32]
    lineage: Rows
    """The row of the lineage file that tells of it."""

    def __len__(self) -> int:
        return len(self.words)

    def matching(self, wanted: Filter) -> Rows:
        """Give the rows that match, in corpus order."""
        keep = np.ones(len(self), bool)
        for column, word in (("source", wanted.source), ("type", wanted.type)):
            if word is not None:
                keep &= self._has(column, [name == word for name in self.names[column]])
        if wanted.tag is not None:
            keep &= self._has("tags", [wanted.tag in orjson.loads(s) for s in self.names["tags"]])
        if wanted.min_words is not None:
            keep &= self.words >= wanted.min_words
        if wanted.max_words is not None:
            keep &= self.words <= wanted.max_words
        return np.flatnonzero(keep)

    def _has(self, column: str, chosen: list[bool]) -> npt.NDArray[np.bool_]:
        found: npt.NDArray[np.bool_] = np.array(chosen, bool)[self.codes[column]]
        return found

    def count(self, sources: Collection[str], types: Collection[str]) -> int:
        """Count the rows that are of one of these sources and of one of these types."""
        keep = self._has("source", [name in sources for name in self.names["source"]])
        keep &= self._has("type", [name in types for name in self.names["type"]])
        return int(np.count_nonzero(keep))

    def counts_by_length(self, edges: list[int]) -> list[int]:
        """Count the rows from each edge up to the next; the last has no end."""
        counts, _ = np.histogram(self.words, [*edges, np.inf])
        return [int(count) for count in counts]


def read_index(lineage: Path) -> RecordIndex:
    """Read the index from a corpus' lineage file; raises `CorruptArtifactError`."""
    known: dict[str, dict[str, int]] = {name: {} for name in _WORDS}
    found: dict[str, list[Any]] = {name: [np.empty(0, np.int32)] for name in (*_WORDS, *_NUMBERS)}
    places: list[Rows] = [np.empty(0, np.int64)]
    parquet, first = ParquetFile(lineage), 0
    for group, rows in enumerate(parquet.rows):
        table = parquet.read_group(group, [*_WORDS, *_NUMBERS, "status"])
        status = table.column("status").combine_chunks()
        kept = {word: code for code, word in enumerate(status.dictionary.to_pylist())}.get("kept")
        wanted = as_numbers(status.indices, np.int32) == kept
        places.append(np.flatnonzero(wanted) + first)
        first += rows
        table = table.filter(flags(wanted))
        for name in _WORDS:
            column = table.column(name).combine_chunks()
            codes = [
                known[name].setdefault(word, len(known[name]))
                for word in column.dictionary.to_pylist()
            ]
            found[name].append(np.array(codes, np.int32)[as_numbers(column.indices, np.int32)])
        for name in _NUMBERS:
            found[name].append(as_numbers(table.column(name), np.int32))
    arrays = {name: np.concatenate(pieces) for name, pieces in found.items()}
    return RecordIndex(
        names={name: tuple(known[name]) for name in _WORDS},
        codes={name: arrays[name] for name in _WORDS},
        words=arrays["input_words"] + arrays["response_words"],
        lineage=np.concatenate(places),
    )

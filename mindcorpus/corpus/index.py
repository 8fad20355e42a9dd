"""What is known of each record of a corpus without its text: small, and made once a corpus."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson

from mindcorpus.corpus.row_facts import read_columns

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
    found = read_columns(lineage, _WORDS, _NUMBERS)
    return RecordIndex(
        names=dict(found.names),
        codes=dict(found.codes),
        words=found.numbers["input_words"] + found.numbers["response_words"],
        lineage=found.places,
    )

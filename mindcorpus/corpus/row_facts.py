"""What the lineage file knows of each corpus row, without its text: read once, by one reader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from mindcorpus.arrow import as_flags, as_numbers, flags
from mindcorpus.corpus.column_store import ColumnStore
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
_KEYS = ("input_key", "group_key")
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
    places: Numbers
    """The row of the lineage file that tells of each."""


@dataclass(frozen=True)
class Asked:
    """Columns of the lineage, by kind: words, lengths, keys of 128 bits, corpus rows."""

    words: Sequence[str] = ()
    numbers: Sequence[str] = ()
    keys: Sequence[str] = ()
    rows: Sequence[str] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.words, *self.numbers, *self.keys, *self.rows)


#: Column of words -> its words in the order of their codes.
Known = dict[str, dict[str, int]]


def read_columns(lineage: Path, words: Sequence[str], numbers: Sequence[str]) -> LineageColumns:
    """Read columns of a lineage file, kept rows only; raises `CorruptArtifactError`."""
    known: Known = {name: {} for name in words}
    pieces = [
        {name: np.empty(0, np.int32) for name in (*words, *numbers)} | {"": np.empty(0, np.int64)},
        *_kept_rows(ParquetFile(lineage), Asked(words, numbers), known),
    ]
    arrays = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    return LineageColumns(
        names={name: tuple(known[name]) for name in words},
        codes={name: arrays[name] for name in words},
        numbers={name: arrays[name] for name in numbers},
        places=arrays[""],
    )


def _kept_rows(
    parquet: ParquetFile, asked: Asked, known: Known
) -> Iterator[dict[str, npt.NDArray[Any]]]:
    """Read the kept rows of each row group, column by column; under "" their places in the file.

    Words are added to those that are known.
    """
    first = 0
    for group, count in enumerate(parquet.rows):
        table = parquet.read_group(group, [*asked.names, "status"])
        status = table.column("status").combine_chunks()
        kept = {word: code for code, word in enumerate(status.dictionary.to_pylist())}.get("kept")
        wanted = as_numbers(status.indices, np.int32) == kept
        found: dict[str, npt.NDArray[Any]] = {"": np.flatnonzero(wanted) + first}
        first += count
        table = table.filter(flags(wanted))
        found |= {name: _codes(table.column(name), known[name]) for name in asked.words}
        found |= {name: _filled(table.column(name), np.int32, 0) for name in asked.numbers}
        found |= {name: _filled(table.column(name), np.int64, -1) for name in asked.rows}
        found |= {name: _filled(table.column(name), np.uint64, 0, width=2) for name in asked.keys}
        yield found


def _codes(column: Any, known: dict[str, int]) -> Codes:
    """Give which of the known words each value is; new ones are added, "" for where none is."""
    chunk = column.combine_chunks()
    codes = [known.setdefault(word, len(known)) for word in chunk.dictionary.to_pylist()]
    if chunk.null_count:
        # Where nothing is said.
        codes.append(known.setdefault("", len(known)))
    found: Codes = np.array(codes or [0], np.int32)[_filled(column, np.int32, -1, coded=True)]
    return found


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
    """What is known of each corpus row; arrays have shape (rows,) or (rows, 2).

    An array is read where it is asked for, and not kept: ask once for what is used again.
    """

    names: tuple[str, ...]
    types: tuple[str, ...]
    holdings: tuple[str, ...]
    tag_sets: tuple[str, ...]
    _columns: ColumnStore
    _first: int
    _last: int

    def __len__(self) -> int:
        return self._last - self._first

    def part(self, first: int, last: int) -> RowFacts:
        """Give the rows [first, last)."""
        return replace(self, _first=self._first + first, _last=self._first + last)

    def open_scratch(self) -> IO[bytes]:
        """Open an empty file that is gone when it is closed."""
        return self._columns.open_scratch()

    def _read(self, name: str) -> npt.NDArray[Any]:
        return self._columns.read(name, self._first, self._last)

    @property
    def source(self) -> Codes:
        """Index into `names`."""
        return self._read("source")

    @property
    def type(self) -> Codes:
        """Index into `types`."""
        return self._read("type")

    @property
    def input_key(self) -> Keys:
        """The key of the input."""
        return self._read("input_key")

    @property
    def group_key(self) -> Keys:
        """Zeros for a row that belongs to no group."""
        return self._read("group_key")

    @property
    def same_answer(self) -> Numbers:
        """The first row that holds the same but for the rejected side; -1: none before it does."""
        return self._read("same_answer")

    @property
    def same_opening(self) -> Numbers:
        """The first row that opens with the same turns; -1: none before it does."""
        return self._read("same_opening")

    @property
    def holds(self) -> Codes:
        """Index into `holdings`: words of `conversations.HOLDS`; "" where the texts say all."""
        return self._read("holds")

    @property
    def tags(self) -> Codes:
        """Index into `tag_sets`."""
        return self._read("tags")

    @property
    def response_words(self) -> Numbers:
        """How many words the response has."""
        return self._read("response_words")

    @property
    def input_json(self) -> Numbers:
        """Bytes the input takes as JSON; those below likewise."""
        return self._read("input_json")

    @property
    def response_json(self) -> Numbers:
        """The same of the response."""
        return self._read("response_json")

    @property
    def rejected_json(self) -> Numbers:
        """The same of the rejected response; 0 for a record that is no pair."""
        return self._read("rejected_json")

    @property
    def input_csv(self) -> Numbers:
        """Bytes the input takes as a CSV cell."""
        return self._read("input_csv")

    @property
    def response_csv(self) -> Numbers:
        """The same of the response."""
        return self._read("response_csv")

    @property
    def input_chars(self) -> Numbers:
        """How many characters the input has."""
        return self._read("input_chars")

    @property
    def response_chars(self) -> Numbers:
        """The same of the response."""
        return self._read("response_chars")

    @property
    def turns_json(self) -> Numbers:
        """Bytes the turns of a conversation take as messages, up to the last answer; else 0."""
        return self._read("turns_json")

    @property
    def system_json(self) -> Numbers:
        """Those of them that are turns that instruct, with a comma each."""
        return self._read("system_json")

    @property
    def tools_json(self) -> Numbers:
        """Those of its tools."""
        return self._read("tools_json")

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
    known: Known = {name: {} for name in _WORDS}
    parquet = ParquetFile(lineage)
    types: dict[str, np.dtype[Any]] = dict.fromkeys((*_WORDS, *_NUMBERS), np.dtype(np.int32))
    types |= dict.fromkeys(_KIN, np.dtype(integers_for(sum(parquet.rows))))
    types |= dict.fromkeys(_KEYS, np.dtype((np.uint64, 2)))
    store = ColumnStore(lineage.parent, types)
    for found in _kept_rows(parquet, Asked(_WORDS, _NUMBERS, _KEYS, _KIN), known):
        store.append(found)
    return RowFacts(
        names=tuple(known["source"]),
        types=tuple(known["type"]),
        holdings=tuple(known["holds"]),
        tag_sets=tuple(known["tags"]),
        _columns=store,
        _first=0,
        _last=len(store),
    )

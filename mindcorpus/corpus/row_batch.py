"""Some rows of the corpus on their way into files: each text decoded and encoded once for all.

The merged files and the formats hold the same texts, as JSON or as CSV cells. Whoever asks first
has a column encoded; whoever asks next, also for some of the rows alone, takes what is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from mindcorpus.corpus.encoding import csv_escaped_all, json_text
from mindcorpus.limits import BATCH_BYTES

#: A batch is as large as these columns of it say, whatever its readers read: so the bytes of one
#: format do not depend on which others are made beside it.
WEIGHED = ("input", "response", "source", "tags")
# What orjson gives keeps 8 KiB at least (3.13): of shorter texts a copy is kept.
_SHORT = 4096


class _Texts:
    """What was made of the columns of some rows, which may be a part of other rows."""

    def __init__(self, table: Any, whole: _Texts | None = None, places: Sequence[int] = ()) -> None:
        self._table = table
        self._whole = whole
        self._places = places
        self._made: dict[tuple[str, str], Sequence[Any]] = {}

    def get(self, kind: str, name: str) -> Sequence[Any]:
        """Give a column in one of three forms: `values`, `json`, `csv`."""
        found = self.known(kind, name)
        if found is None:
            found = self._made[kind, name] = self._make(kind, name)
        return found

    def known(self, kind: str, name: str) -> Sequence[Any] | None:
        """Give what was made before, of these rows or of those they are a part of."""
        if (kind, name) not in self._made and self._whole is not None:
            whole = self._whole.known(kind, name)
            if whole is not None:
                self._made[kind, name] = [whole[at] for at in self._places]
        return self._made.get((kind, name))

    def _make(self, kind: str, name: str) -> Sequence[Any]:
        column = self._table.column(name)
        if kind == "json":
            return [_fitted(json_text(text)) for text in self.get("values", name)]
        if kind == "csv":
            return csv_escaped_all(column.cast(pa.binary()).to_pylist())
        values: list[Any] = column.to_pylist()
        return values


def _fitted(encoded: bytes) -> bytes:
    """Give a short text in memory of its own size."""
    return bytes(memoryview(encoded)) if len(encoded) < _SHORT else encoded


class RowBatch:
    """Rows of the corpus: an Arrow table, and its texts as Python objects once asked for."""

    def __init__(self, table: Any, texts: _Texts | None = None) -> None:
        """Take a `pyarrow.Table` with columns of the corpus."""
        self.table = table
        self._texts = texts or _Texts(table)

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return int(self.table.num_rows)

    def values(self, name: str) -> Sequence[Any]:
        """Give a column as Python objects: texts as `str`."""
        return self._texts.get("values", name)

    def json(self, name: str) -> Sequence[bytes]:
        """Give each text of a column as JSON."""
        return self._texts.get("json", name)

    def csv(self, name: str) -> Sequence[bytes]:
        """Give what stands between the quotation marks of each text's CSV cell."""
        return self._texts.get("csv", name)

    def of(self, table: Any) -> RowBatch:
        """Give the same rows as another table has them, with the same texts."""
        return RowBatch(table, self._texts)

    def slice(self, first: int, count: int) -> RowBatch:
        """Give the rows [first, first + count), or as many of them as there are."""
        places = range(first, min(first + count, self.num_rows))
        return self.take(self.table.slice(first, count), places)

    def take(self, table: Any, places: Sequence[int]) -> RowBatch:
        """Give the rows of these numbers, in their order; `table` has them."""
        return RowBatch(table, _Texts(table, self._texts, places))


def batches_of(table: Any, columns: Sequence[str]) -> Iterator[RowBatch]:
    """Give some columns of a table in batches of about `BATCH_BYTES`.

    The table has the columns of `WEIGHED` too, and each column in one piece.
    """
    weight = table.select(WEIGHED).nbytes
    chosen = table.select(columns)
    rows = max(1, table.num_rows * BATCH_BYTES // max(1, weight))
    for first in range(0, table.num_rows, rows):
        yield RowBatch(chosen.slice(first, rows))

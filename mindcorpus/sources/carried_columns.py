"""Columns that go along with a record, whatever adapter makes it: its group and its metadata."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import Any, ClassVar

from mindcorpus.sources.adapters import (
    Adapter,
    Kept,
    Wrong,
    json_text,
    look_up,
    names_of,
    scalar_text,
)
from mindcorpus.sources.readers import Drop, Row


@dataclass(frozen=True)
class Carried:
    """An adapter whose records are given what some columns of their rows hold."""

    #: What rows are left out by design is the adapter's to say.
    selects: ClassVar[frozenset[str]] = frozenset()
    adapter: Adapter
    group: tuple[str, ...] = ()
    """Columns whose values say which records belong together."""
    keep_columns: tuple[str, ...] = ()
    """Columns that are kept as metadata."""

    @property
    def whole_file(self) -> bool:
        """Whether the adapter must see all rows of a file at once."""
        return self.adapter.whole_file

    def __call__(self, rows: Iterable[Row | Drop]) -> Iterator[Kept | Drop]:
        """Adapt rows; those without a column of their group are dropped."""
        held: dict[int, tuple[str, str]] = {}
        # Of one row several records may be made, and much later, where a file is read whole.
        take = held.__getitem__ if self.whole_file else held.pop
        for outcome in self.adapter(self._noted(rows, held)):
            if isinstance(outcome, Kept):
                group, metadata = take(outcome.number)
                yield outcome._replace(group=group, metadata=metadata)
            else:
                yield outcome
                if not self.whole_file:
                    held.pop(outcome.number, None)

    def _noted(
        self, rows: Iterable[Row | Drop], held: dict[int, tuple[str, str]]
    ) -> Iterator[Row | Drop]:
        for row in rows:
            if isinstance(row, Row) and isinstance(row.value, dict):
                try:
                    held[row.number] = self._group_of(row.value), self._metadata_of(row.value)
                except Wrong as wrong:
                    yield Drop(row.number, wrong.reason, wrong.evidence)
                    continue
            yield row

    def _group_of(self, row: Mapping[str, Any]) -> str:
        values = [_value(row, column) for column in self.group]
        # A row that says of no group that it is of it stands for itself.
        return "" if not any(values) else json_text(values, "the group")

    def _metadata_of(self, row: Mapping[str, Any]) -> str:
        found = {
            column: _kept(look_up(row, column))
            for column in self.keep_columns
            if _is_there(row, column)
        }
        return json_text(found, "a column that is kept") if found else ""


def _kept(value: Any) -> Any:
    """Give a value as JSON can say it: tables have dates and exact numbers."""
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _is_there(row: Mapping[str, Any], column: str) -> bool:
    return column in row or look_up(row, column) is not None


def _value(row: Mapping[str, Any], column: str) -> str:
    """Give a value of a group as text: 7, 7.0 and "7" are one patient in three files."""
    value = look_up(row, column)
    if value is None:
        if column in row or column.partition(".")[0] in row:
            return ""
        raise Wrong(
            "missing-column", f"there is no {column!r} of group; the row has {names_of(row)}"
        )
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = scalar_text(value)
    return json_text(value, f"{column!r}") if text is None else text

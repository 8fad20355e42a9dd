"""The adapter for an entry that does not say how its rows are laid out: their layout is seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, ClassVar

from mindcorpus.errors import DataError
from mindcorpus.options import build
from mindcorpus.sources.adapters import Adapter, Kept, TagColumn, names_of
from mindcorpus.sources.chat_adapter import Messages
from mindcorpus.sources.columns_adapter import Columns
from mindcorpus.sources.layouts import FIRST_ROWS, Layout, detect
from mindcorpus.sources.preference_adapter import Preference
from mindcorpus.sources.readers import Drop, Row
from mindcorpus.sources.transcript_adapter import Transcript

#: The adapters whose layouts are seen.
SEEN: Mapping[str, type[Adapter]] = {
    "columns": Columns,
    "messages": Messages,
    "preference": Preference,
    "transcript": Transcript,
}


@dataclass(frozen=True)
class Auto:
    """Reads rows by the layout that the first of them have."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    selects: ClassVar[frozenset[str]] = frozenset()
    tag_columns: tuple[TagColumn, ...] = field(default=(), kw_only=True)

    @property
    def whole_file(self) -> bool:
        """No: each row gives a record of its own."""
        return False

    def __call__(self, rows: Iterable[Row | Drop]) -> Iterator[Kept | Drop]:
        """Adapt the rows of one file; raises `DataError` for a layout that is not known."""
        left = iter(rows)
        first = list(islice(left, FIRST_ROWS))
        yield from self.of(seen(first))(chain(first, left))

    def of(self, layout: Layout) -> Adapter:
        """Give the adapter for a layout."""
        options = {**layout.options, "tag_columns": self.tag_columns}
        adapter: Adapter = build(SEEN[layout.adapter], options)
        return _AsSeen(adapter, layout.unseen, layout.optional)


@dataclass(frozen=True)
class _AsSeen:
    """The adapter of a layout that was seen: a row may lack columns, and must not have new ones."""

    #: None of the adapters whose layouts are seen leaves rows out by design.
    selects: ClassVar[frozenset[str]] = frozenset()
    adapter: Adapter
    unseen: frozenset[str]
    optional: tuple[str, ...]

    @property
    def whole_file(self) -> bool:
        """Whether the adapter must see all rows of a file at once."""
        return self.adapter.whole_file

    def __call__(self, rows: Iterable[Row | Drop]) -> Iterator[Kept | Drop]:
        """Adapt rows; one that says something where the first ones had nothing is dropped."""
        return self.adapter(map(self._checked, rows))

    def _checked(self, row: Row | Drop) -> Row | Drop:
        if not isinstance(row, Row) or not isinstance(row.value, dict):
            return row
        value = row.value
        if not self.unseen.isdisjoint(value):
            new = [name for name in sorted(self.unseen) if value.get(name) not in (None, "", [])]
            if new:
                what = f"the first rows have no {new[0]!r}, and this one has; name an adapter"
                return Drop(row.number, "other-layout", what)
        for column in self.optional:
            if column not in value:
                value[column] = None
        return row


def seen(first: Sequence[Row | Drop], file: str | None = None) -> Layout:
    """Tell the layout of a file by its first rows; raises `DataError` for one not known."""
    objects = [row.value for row in first if isinstance(row, Row) and isinstance(row.value, dict)]
    layout = detect(objects)
    if layout is None:
        columns: dict[str, Any] = {name: None for row in objects for name in row}
        raise DataError(
            f"its layout is none that is known; it has {names_of(columns)}",
            file=file,
            hint="Name an adapter and the columns that it reads: docs/sources.md shows each.",
        )
    return layout

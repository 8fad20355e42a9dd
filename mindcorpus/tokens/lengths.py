"""Lengths summed up by source: mean, percentiles, the longest, and all together.

Kept as how many rows there are of each length, so that millions take some kilobytes, and what was
counted in several processes adds up to the same whatever the order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mindcorpus.errors import SettingsError
from mindcorpus.tokens.tokenizer import Tokenizer

Integers = NDArray[np.int64]
_MILLION = 1_000_000


@dataclass(frozen=True)
class Lengths:
    """Each length that there is, in order, and how many rows have it."""

    values: Integers
    rows: Integers

    @classmethod
    def of(cls, counts: Sequence[int] | NDArray[np.integer[Any]]) -> Lengths:
        """Take the lengths of rows."""
        # The fewer bits they have, the sooner they are sorted.
        values, rows = np.unique(np.asarray(counts), return_counts=True)
        return cls(values.astype(np.int64), rows.astype(np.int64))

    def __add__(self, other: Lengths) -> Lengths:
        both = np.concatenate((self.values, other.values))
        values, places = np.unique(both, return_inverse=True)
        rows = np.zeros(len(values), np.int64)
        np.add.at(rows, places, np.concatenate((self.rows, other.rows)))
        return Lengths(values, rows)

    @property
    def total(self) -> int:
        """All tokens of all rows."""
        return int(self.values @ self.rows)

    def percentile(self, percent: int) -> int:
        """Give the length at place floor((n - 1) * share) of all in order, counted from 0."""
        ends = np.cumsum(self.rows)
        place = (int(ends[-1]) - 1) * percent // 100
        return int(self.values[np.searchsorted(ends, place, side="right")])

    def as_dict(self) -> dict[str, Any]:
        """Give rows, mean, p50, p95, max and total as JSON values; there must be a row."""
        rows = int(self.rows.sum())
        return {
            "rows": rows,
            "mean": round(self.total / rows, 1),
            "p50": self.percentile(50),
            "p95": self.percentile(95),
            "max": int(self.values[-1]),
            "total": self.total,
        }


class LengthSummary:
    """Lengths by source, added as they are counted."""

    def __init__(self) -> None:
        """Begin empty."""
        self._by_source: dict[str, Lengths] = {}

    def add(self, source: str, counts: Sequence[int] | NDArray[np.integer[Any]]) -> None:
        """Add the lengths of rows of a source."""
        if len(counts):
            self._add(source, Lengths.of(counts))

    def update(self, other: LengthSummary) -> None:
        """Add what another summary holds."""
        for source, lengths in other._by_source.items():
            self._add(source, lengths)

    def _add(self, source: str, lengths: Lengths) -> None:
        there = self._by_source.get(source)
        self._by_source[source] = lengths if there is None else there + lengths

    @property
    def total(self) -> int:
        """All tokens of all rows."""
        return sum(lengths.total for lengths in self._by_source.values())

    def as_dict(self, tokenizer: Tokenizer) -> dict[str, Any]:
        """Give `tokenizer`, `exact`, and `lengths`: `all` first, then the sources by name.

        The same for the same rows, in whatever order they were added; no lengths without rows.
        """
        named = dict(sorted(self._by_source.items()))
        first, *others = named.values() or (None,)
        whole = {} if first is None else {"all": sum(others, first)}
        return {
            "tokenizer": tokenizer.name,
            "exact": tokenizer.exact,
            "lengths": {name: found.as_dict() for name, found in (whole | named).items()},
        }


def cost(tokens: int, price_per_million: Decimal, epochs: int) -> Decimal:
    """Give what training on tokens costs at a price, which is the user's: none is known here.

    Raises `SettingsError` if the price is no number, or below 0, or there is not one epoch.
    """
    if not price_per_million.is_finite() or price_per_million < 0:
        raise SettingsError(
            "a price is 0 or more",
            field="price_per_million",
            hint="Give what a million tokens cost.",
        )
    if epochs < 1:
        raise SettingsError("epochs are 1 or more", field="epochs", hint="Give 1, or leave it out.")
    return tokens * epochs * price_per_million / _MILLION

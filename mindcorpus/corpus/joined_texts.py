"""Many short texts at once: folded, measured and counted as one, with a NUL between them.

All that is told of a text is what `records` and `corpus.encoding` tell of it alone; for texts of
some dozen bytes a call for each costs more than what it does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mindcorpus.corpus.encoding import JSON_ESCAPES
from mindcorpus.records import fold_any, fold_plain, wide_blanks

Counts = npt.NDArray[np.int64]
"""Shape (texts,)."""
_NUL = b"\0"
_ASCII = bytes(range(128))
#: How many bytes more a byte takes in JSON; a NUL is none of a text's.
_ESCAPED = np.frombuffer(b"\0" + JSON_ESCAPES[1:], np.uint8)


class Joined:
    """Texts in UTF-8, with a NUL between each two; none of them holds one."""

    def __init__(self, raw: bytes, count: int) -> None:
        """Take so many texts, joined; raises `ValueError` where one holds a NUL."""
        self.raw = raw
        self.count = count
        self._bytes = np.frombuffer(raw, np.uint8)
        between = np.flatnonzero(self._bytes == 0)
        if len(between) != max(0, count - 1):
            raise ValueError("a text holds a NUL")
        self._ends: Counts = np.append(between, len(raw))[:count]
        self._starts: Counts = np.concatenate(([0], between + 1))[:count]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Joined:
        """Join texts; raises `ValueError` for lone surrogates and for a NUL."""
        return cls("\0".join(texts).encode(), len(texts))

    @property
    def sizes(self) -> Counts:
        """The bytes of each text."""
        sizes: Counts = self._ends - self._starts
        return sizes

    def one_by_one(self) -> list[bytes]:
        """Give the texts."""
        return self.raw.split(_NUL) if self.count else []

    def close_together(self) -> bytes:
        """Give the texts with nothing between them."""
        return self.raw.replace(_NUL, b"")

    def json_sizes(self) -> Counts:
        """Give what `json_size` gives of each text."""
        return self.sizes + 2 + self._sums(_ESCAPED[self._bytes])

    def csv_sizes(self) -> Counts:
        """Give what `csv_cell_size` gives of each text."""
        return self.sizes + 2 + self._sums(self._bytes == ord('"'))

    def counts_of(self, byte: int) -> Counts:
        """Count how often a byte stands in each text."""
        return self._sums(self._bytes == byte)

    def _sums(self, values: npt.NDArray[Any]) -> Counts:
        """Sum up values that are 0 at most bytes, text by text."""
        places = np.flatnonzero(values)
        sums = np.concatenate(([0], np.cumsum(values[places], dtype=np.int64)))
        found: Counts = np.diff(sums[np.searchsorted(places, self._ends)], prepend=0)
        return found

    def folded(self) -> Joined:
        """Fold each text, as `fold` does."""
        raw, alone = self._without_odd_characters()
        texts = fold_plain(raw).replace(b" \0", _NUL).replace(b"\0 ", _NUL)
        if not alone:
            return Joined(texts, self.count)
        found, before = texts.split(_NUL), self.one_by_one()
        for at in alone:
            found[at] = fold_any(before[at])
        return Joined(_NUL.join(found), self.count)

    def _without_odd_characters(self) -> tuple[bytes, list[int]]:
        """Give the texts with plain blanks, and the places of those that fold otherwise."""
        if self.raw.isascii():
            return self.raw, []
        blanks = wide_blanks(self.raw.translate(None, _ASCII).decode())
        if blanks is not None:
            return _with_spaces(self.raw, blanks), []
        others = self.raw.translate(None, _ASCII[1:]).decode().split("\0")
        # Texts of one language hold the same few characters beyond ASCII.
        known = {each: wide_blanks(each) for each in set(others)}
        odd = [at for at, each in enumerate(others) if known[each] is None]
        found = frozenset().union(*(each for each in known.values() if each is not None))
        return _with_spaces(self.raw, found), odd

    def word_counts(self) -> Counts:
        """Count the words of each text, which is folded."""
        counts: Counts = self.counts_of(0x20) + (self._ends > self._starts)
        return counts


def _with_spaces(raw: bytes, blanks: Iterable[str]) -> bytes:
    for blank in blanks:
        raw = raw.replace(blank.encode(), b" ")
    return raw

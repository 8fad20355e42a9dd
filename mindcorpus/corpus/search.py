"""A search for words, done bit by bit: what was looked through once is remembered."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from mindcorpus.corpus.index import Filter, Rows

if TYPE_CHECKING:
    from mindcorpus.corpus.reader import Records, RowGroup

#: Reading and matching leave the interpreter to others, so that two row groups go side by side.
_AT_ONCE = 2


class Search:
    """Which records of a corpus pass a filter and hold all of the words in one text.

    Threads may share one: each goes on from where the last one came to.
    """

    def __init__(self, records: Records, wanted: Filter, words: tuple[str, ...]) -> None:
        """Begin; raises `SettingsError` for a source, type or tag that the corpus lacks."""
        rows = records.matching(wanted)
        self._words = list(words)
        self._left = list(records.by_group(rows))
        self._found: list[Rows] = [np.empty(0, np.int64)]
        self._lock = threading.Lock()
        self.candidates = len(rows)
        """How many records pass the filter."""
        self.looked_at = 0
        """How many of them, from the first on, were looked at."""

    @property
    def complete(self) -> bool:
        """Whether all of them were."""
        return not self._left

    @property
    def hits(self) -> Rows:
        """The rows found so far, in corpus order."""
        return np.concatenate(self._found)

    def go_on(self, seconds: float) -> None:
        """Look on until the time is up; through one row group at least, so that it gets on."""
        until = time.monotonic() + seconds
        with self._lock, ThreadPoolExecutor(_AT_ONCE) as threads:
            while self._left:
                pieces = self._left[:_AT_ONCE]
                # All or nothing: what failed is looked at once more, and counted once.
                held_by = list(threads.map(self._holding, pieces))
                for (_, rows), held in zip(pieces, held_by, strict=True):
                    self._found.append(rows[held])
                    self.looked_at += len(rows)
                self._left = self._left[_AT_ONCE:]
                if time.monotonic() >= until:
                    break
            self._found = [self.hits]

    def _holding(self, piece: tuple[RowGroup, Rows]) -> Any:
        group, rows = piece
        return group.holding(rows, self._words)

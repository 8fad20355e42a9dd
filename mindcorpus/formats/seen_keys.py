"""128-bit keys that were seen: batch by batch in sorted arrays, a quarter of a set's memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

_Halves = npt.NDArray[np.uint64]
"""Shape (2, keys): the halves of keys, in the order of the first ones."""


class SeenKeys:
    """Keys of batches that had none twice, and none of a batch before them."""

    def __init__(self) -> None:
        """Begin empty."""
        # Each at least twice as long as the next one.
        self._sorted: list[_Halves] = []

    def __len__(self) -> int:
        return sum(keys.shape[1] for keys in self._sorted)

    def __contains__(self, key: bytes) -> bool:
        half, rest = np.frombuffer(key, np.uint64)
        for keys in self._sorted:
            first, last = (np.searchsorted(keys[0], half, side) for side in ("left", "right"))
            if (keys[1, first:last] == rest).any():
                return True
        return False

    def add(self, keys: bytes) -> bool:
        """Add keys of 16 bytes each; tell whether they were, which needs that all may be new.

        Half of a key tells: a few that are new may pass for seen.
        """
        if not keys:
            return True
        new = _in_order(np.frombuffer(keys, np.uint64).reshape(-1, 2).T)
        if (new[0, 1:] == new[0, :-1]).any() or any(self._met(new)):
            return False
        self._sorted.append(new)
        while len(self._sorted) > 1 and self._sorted[-2].size < 2 * self._sorted[-1].size:
            both = self._sorted.pop(), self._sorted.pop()
            self._sorted.append(_in_order(np.concatenate(both, axis=1)))
        return True

    def _met(self, new: _Halves) -> Iterator[bool]:
        """Tell for each array whether it holds one of some keys."""
        for keys in self._sorted:
            places = np.searchsorted(keys[0], new[0])
            places[places == keys.shape[1]] = 0
            yield bool((keys[0, places] == new[0]).any())


def _in_order(keys: _Halves) -> _Halves:
    ordered: _Halves = np.ascontiguousarray(keys[:, np.argsort(keys[0])])
    return ordered

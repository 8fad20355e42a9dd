"""Which rows have one key: groups of them, found by sorting half of each key."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mindcorpus.corpus.row_facts import Keys, Numbers, integers_for


class Groups(NamedTuple):
    """Rows that belong together."""

    of_row: Numbers
    """The group of each row: shape (rows,)."""
    sizes: Numbers
    first: Numbers
    """The first row of each group; shape (groups,), as that of the sizes."""


def equal_keys(keys: Keys) -> Groups:
    """Give each row's group (rows with one key, in the order of the keys), its size, first row."""
    order = np.argsort(keys[:, 0])
    ordered = keys[:, 0][order]
    new = np.ones(len(keys), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    again = np.flatnonzero(~new)
    if (keys[order[again], 1] != keys[order[again - 1], 1]).any():
        # Half of a key is nearly always enough.
        order = np.lexsort((keys[:, 1], keys[:, 0]))
        new[1:] = (keys[order[1:]] != keys[order[:-1]]).any(axis=1)
    starts = np.flatnonzero(new)
    of_row = np.empty(len(keys), integers_for(len(keys)))
    of_row[order] = np.cumsum(new, dtype=of_row.dtype) - 1
    sizes = np.diff(starts, append=len(keys)).astype(of_row.dtype)
    first = np.minimum.reduceat(order, starts) if len(starts) else starts
    return Groups(of_row, sizes, first.astype(of_row.dtype))

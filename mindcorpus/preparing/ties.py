"""What ties records together such that a split may not part them: input, opening, group."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from mindcorpus.corpus.row_facts import Flags, Keys, Numbers, RowFacts, integers_for


class Groups(NamedTuple):
    """Rows that belong together."""

    of_row: Numbers
    """The group of each row: shape (rows,)."""
    sizes: Numbers
    first: Numbers
    """The first row of each group; shape (groups,), as that of the sizes."""


@dataclass(frozen=True)
class Ties:
    """What ties rows: those that are equal in one of these are one group, and so on from each."""

    inputs: Keys
    """The keys of their inputs: shape (rows, 2)."""
    openings: Numbers | None = None
    """A number that is the same for those that open with the same turns: shape (rows,)."""
    groups: Keys | None = None
    """The keys of the groups that their sources name: shape (rows, 2), zeros for none."""

    @classmethod
    def of_rows(cls, rows: RowFacts, taken: Flags | Numbers | slice) -> Self:
        """Give what ties the rows that are taken: flags of them, their numbers, or a slice."""
        openings = groups = None
        opening, group = rows.same_opening, rows.group_key
        if (opening >= 0).any():
            openings = np.where(opening < 0, np.arange(len(opening)), opening)[taken]
        if group.any():
            groups = group[taken]
        return cls(rows.input_key[taken], openings, groups)

    @cached_property
    def _of_inputs(self) -> Groups:
        return _equal(self.inputs)

    def find_groups(self) -> Groups:
        """Find the groups: rows of one input, joined wherever an opening or a group joins two."""
        found = self._of_inputs
        edges = [np.empty((2, 0), np.int64)]
        if self.openings is not None:
            edges.append(found.of_row[_to_first(_numbered(self.openings))])
        if self.groups is not None:
            named = np.flatnonzero(self.groups.any(axis=1))
            edges.append(found.of_row[named[_to_first(_equal(self.groups[named]))]])
        joined = np.concatenate(edges, axis=1)
        joined = joined[:, joined[0] != joined[1]]
        return _merged(found, *joined) if joined.size else found

    def overlaps(self, parts: Any) -> dict[str, int]:
        """Count what stands in more than one part: of inputs, openings and groups.

        `parts` has the part of each row, shape (rows,).
        """
        named = None if self.groups is None else self.groups.any(axis=1)
        return {
            "overlap": _in_several(self._of_inputs, parts),
            "opening_overlap": 0
            if self.openings is None
            else _in_several(_numbered(self.openings), parts),
            "group_overlap": 0
            if self.groups is None
            else _in_several(_equal(self.groups[named]), parts[named]),
        }


def _equal(keys: Keys) -> Groups:
    """Give each row's group (rows with one key, in the order of the keys), its size, first row."""
    order = np.argsort(keys[:, 0])
    ordered = keys[:, 0][order]
    new = np.ones(len(keys), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    del ordered
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


def _numbered(values: Numbers) -> Groups:
    """Give the same of rows with one number."""
    _, first, group, sizes = np.unique(
        values, return_index=True, return_inverse=True, return_counts=True
    )
    return Groups(group, sizes, first)


def _to_first(groups: Groups) -> Numbers:
    """Give each row with the first one of its group: shape (2, rows)."""
    edges: Numbers = np.stack((np.arange(len(groups.of_row)), groups.first[groups.of_row]))
    return edges


def _merged(found: Groups, left: Numbers, right: Numbers) -> Groups:
    """Make one of the groups that edges join: numbered as the lowest of each is."""
    lowest = _join(len(found.sizes), left, right)
    _, group = np.unique(lowest, return_inverse=True)
    count = int(group.max()) + 1
    first = np.full(count, len(found.of_row), np.int64)
    np.minimum.at(first, group, found.first)
    of_row = group[found.of_row]
    return Groups(of_row, np.bincount(of_row), first)


def _join(count: int, left: Numbers, right: Numbers) -> npt.NDArray[np.int64]:
    """Give the lowest group that each is joined with, by any number of edges: shape (count,).

    In each round every root that has an edge to a lower one is hung below the lowest of these, and
    all are brought to their roots; the rounds are about the logarithm of the longest chain.
    """
    root = np.arange(count)
    while True:
        ends = np.sort(np.stack((root[left], root[right])), axis=0)
        apart = ends[0] != ends[1]
        if not apart.any():
            return root
        left, right = left[apart], right[apart]
        np.minimum.at(root, ends[1, apart], ends[0, apart])
        while not np.array_equal(higher := root[root], root):
            root = higher


def _in_several(groups: Groups, parts: Any) -> int:
    """Count the groups with rows in more than one part, from the rows themselves."""
    first = np.asarray(parts)[groups.first]
    apart = groups.of_row[parts != first[groups.of_row]]
    return len(np.unique(apart))

"""What ties records together such that a split may not part them: input, opening, group."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import IO, Any, Self

import numpy as np
import numpy.typing as npt

from mindcorpus.corpus.equal_keys import Groups, equal_keys
from mindcorpus.corpus.row_facts import Flags, Keys, Numbers, RowFacts
from mindcorpus.preparing.key_groups import AT_ONCE, equal_keys_of


class InputKeys:
    """The keys of the inputs of all rows, read where they are asked for."""

    def __init__(self, rows: RowFacts) -> None:
        """Take the rows."""
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, which: Any) -> Any:
        return self._rows.input_key[which]

    def open_scratch(self) -> IO[bytes]:
        """Open a file that is gone when it is closed."""
        return self._rows.open_scratch()

    def read(self, first: int, last: int) -> Keys:
        """Give those of the rows [first, last)."""
        return self._rows.part(first, last).input_key


@dataclass(frozen=True)
class Ties:
    """What ties rows: those that are equal in one of these are one group, and so on from each."""

    inputs: Keys | InputKeys
    """The keys of their inputs: shape (rows, 2)."""
    openings: Numbers | None = None
    """A number that is the same for those that open with the same turns: shape (rows,)."""
    groups: Keys | None = None
    """The keys of the groups that their sources name: shape (rows, 2), zeros for none."""

    @classmethod
    def of_rows(cls, rows: RowFacts, taken: Flags | Numbers | None) -> Self:
        """Give what ties the rows that are taken: flags of them, or their numbers; None: all."""
        mine = slice(None) if taken is None else taken
        openings = groups = None
        opening, group = rows.same_opening, rows.group_key
        if (opening >= 0).any():
            openings = np.where(opening < 0, np.arange(len(opening)), opening)[mine]
        if group.any():
            groups = group[mine]
        inputs = InputKeys(rows) if taken is None else rows.input_key[taken]
        return cls(inputs, openings, groups)

    @cached_property
    def _of_inputs(self) -> Groups:
        if isinstance(self.inputs, InputKeys):
            with self.inputs.open_scratch() as file:
                return equal_keys_of(self.inputs.read, len(self.inputs), file)
        return equal_keys(self.inputs)

    def first_halves(self, groups: Groups) -> npt.NDArray[np.uint64]:
        """Give the first half of the key of each group's first row."""
        if not isinstance(self.inputs, InputKeys):
            found: npt.NDArray[np.uint64] = self.inputs[groups.first, 0]
            return found
        halves = np.empty(len(groups.first), np.uint64)
        is_first = np.zeros(len(self.inputs), bool)
        is_first[groups.first] = True
        for at in range(0, len(is_first), AT_ONCE):
            mine = np.flatnonzero(is_first[at : at + AT_ONCE])
            keys = self.inputs.read(at, min(at + AT_ONCE, len(is_first)))
            halves[groups.of_row[at : at + AT_ONCE][mine]] = keys[mine, 0]
        return halves

    def find_groups(self) -> Groups:
        """Find the groups: rows of one input, joined wherever an opening or a group joins two."""
        found = self._of_inputs
        edges = [np.empty((2, 0), np.int64)]
        if self.openings is not None:
            edges.append(found.of_row[_to_first(_numbered(self.openings))])
        if self.groups is not None:
            named = np.flatnonzero(self.groups.any(axis=1))
            edges.append(found.of_row[named[_to_first(equal_keys(self.groups[named]))]])
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
            else _in_several(equal_keys(self.groups[named]), parts[named]),
        }


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

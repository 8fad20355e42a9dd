"""Train, validation and test without a leak: records that anything ties together never part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mindcorpus.corpus.row_facts import Codes, Flags, Numbers, none_of
from mindcorpus.preparing.sampling import scramble
from mindcorpus.preparing.ties import Ties

#: How far, as a share of all rows, a part may be from what was asked for.
TOLERANCE = 0.005
#: How far validation may be of a format's rows, which keep their parts, before that is told.
TOLERANCE_OF_SOME = 0.02
# Bits of work up to which the exact search for the best fit is tried (50 MB at the most).
_SEARCH_BITS = 400_000_000
# The share of groups from which on all are put in order.
_NEARLY_ALL = 0.8


class Shares(Protocol):
    """How rows are split."""

    @property
    def seed(self) -> int:
        """The seed of every choice."""

    @property
    def validation_share(self) -> float:
        """The share of all rows."""

    @property
    def test_share(self) -> float:
        """The same; 0 for no test part."""

    @property
    def folds(self) -> int:
        """How many folds; 0 for none."""


def assign(ties: Ties, strata: Numbers, shares: Shares) -> tuple[npt.NDArray[np.int8], Numbers]:
    """Give each row its part (0 train, 1 validation, 2 test) and its fold, -1 for none.

    Rows are split by groups of what is tied, stratified by `strata` of shape (rows,), the same for
    a seed. A group's stratum is that of its first row. Test is taken from what validation leaves,
    and the folds from what test leaves.
    """
    groups = ties.find_groups()
    group, sizes, first = groups
    scores = scramble(ties.first_halves(groups), shares.seed)
    strata_of = strata[first]
    del groups, first
    of_group = np.zeros(len(sizes), np.int8)
    count = len(strata)
    for part, share in ((1, shares.validation_share), (2, shares.test_share)):
        # Where all are free, nothing is copied.
        free: Any = np.flatnonzero(of_group == 0) if of_group.any() else slice(None)
        left = int(sizes[free].sum())
        if share and left:
            aim = min(1.0, share * count / left)
            chosen = _held_out(sizes[free], strata_of[free], scores[free], aim)
            of_group[chosen if isinstance(free, slice) else free[chosen]] = part
    if not shares.folds:
        return of_group[group], none_of(count)
    folds = _dealt(sizes, strata_of, scores, of_group != 2, shares.folds)
    return of_group[group], folds[group]


def _held_out(sizes: Numbers, strata: Numbers, scores: Any, share: float) -> Flags:
    """Choose groups whose rows are a share of all, stratum by stratum.

    Strata are filled one after another, each making up for what the last could not place, so that
    the whole is as near to `share` as groups allow.
    """
    count = int(sizes.sum())
    chosen = np.zeros(len(sizes), bool)
    rows = placed = 0
    codes, found = np.unique(strata, return_counts=True)
    # Strata of few groups first: those of many can make up for them.
    for code in codes[np.lexsort((codes, found))].tolist():
        mine = strata == code
        rows += int(sizes[mine].sum())
        picked = _first_by_score(mine, sizes, scores, round(share * rows) - placed)
        chosen[picked] = True
        placed += int(sizes[picked].sum())
    if abs(placed - share * count) > TOLERANCE * count and len(sizes) * count <= _SEARCH_BITS:
        order = np.lexsort((scores,))
        better = np.zeros(len(sizes), bool)
        better[order[_best_fit(sizes[order], share * count)]] = True
        if abs(int(sizes[better].sum()) - share * count) < abs(placed - share * count):
            chosen = better
    return chosen


def _first_by_score(mine: Flags, sizes: Numbers, scores: Any, aim: int) -> Numbers:
    """Choose some of the groups that are mine, by their scores, whose sizes add up to `aim`.

    Or as little below as they come. Scores are spread evenly: few more than are chosen need to be
    put in order, unless large groups are in the way.
    """
    count = int(sizes[mine].sum())
    # A tenth more than have to be, and some for chance.
    likely = 1.1 * max(aim, 0) / max(count, 1) + 0.001
    limits = [np.uint64(likely * 2**64)] if likely < _NEARLY_ALL else []
    for limit in (*limits, None):
        some = np.flatnonzero(mine if limit is None else mine & (scores < limit))
        # Equal scores stay in the order of their groups.
        some = some[np.argsort(scores[some], kind="stable")]
        picked = some[_fill(sizes[some], aim)]
        if int(sizes[picked].sum()) >= aim:
            break
    return picked


def _dealt(sizes: Numbers, strata: Numbers, scores: Any, free: Flags, folds: int) -> Numbers:
    """Deal groups into folds, of each stratum the largest first, back and forth."""
    found = np.full(len(sizes), -1, np.int64)
    mine = np.flatnonzero(free)
    order = mine[np.lexsort((scores[mine], -sizes[mine], strata[mine]))]
    place = np.arange(len(order)) % (2 * folds)
    found[order] = np.where(place < folds, place, 2 * folds - 1 - place)
    return found


def _fill(sizes: Numbers, aim: int) -> npt.NDArray[np.int64]:
    """Choose groups, in order, whose sizes add up to `aim` or as little below as they come."""
    sums = np.cumsum(sizes)
    prefix = int(np.searchsorted(sums, aim, side="right"))
    gap = aim - (int(sums[prefix - 1]) if prefix else 0)
    more: list[int] = []
    for at in range(prefix, len(sizes)):
        if gap <= 0:
            break
        if sizes[at] <= gap:
            more.append(at)
            gap -= int(sizes[at])
    return np.concatenate((np.arange(prefix), np.array(more, np.int64)))


def _best_fit(sizes: Numbers, aim: float) -> npt.NDArray[np.int64]:
    """Choose the groups whose sizes add up nearest to `aim`, exactly (subset sum over bit sets)."""
    reached = [1]
    for size in sizes.tolist():
        reached.append(reached[-1] | reached[-1] << size)
    sums, floor = reached[-1], int(aim)
    goal = (sums & (1 << floor + 1) - 1).bit_length() - 1
    if above := sums >> floor + 1:
        next_goal = floor + (above & -above).bit_length()
        goal = min(goal, next_goal, key=lambda value: abs(value - aim))
    chosen = []
    for at in range(len(sizes) - 1, -1, -1):
        if not reached[at] >> goal & 1:
            chosen.append(at)
            goal -= int(sizes[at])
    return np.array(chosen, np.int64)


def prove(
    ties: Ties,
    sources: Codes,
    names: tuple[str, ...],
    parts: npt.NDArray[np.int8],
    part_names: Sequence[str],
    share: float,
    others: int = 0,
    repeated: int = 0,
) -> dict[str, Any]:
    """Say how rows are split, counted from the rows themselves, not from how they were chosen.

    `parts` are the rows' parts, of `part_names`; `others` is how many rows of the corpus' split
    are not among them: what is left need not have its share; `repeated` is how many are there
    again.
    """
    count = len(parts)
    overlaps = ties.overlaps(parts)
    assert not any(overlaps.values())
    _, sizes, first = ties.find_groups()
    # A group is in the part of its first row, as no group is in two.
    rows, groups = (
        [int((each == code).sum()) for code in range(len(part_names))]
        for each in (parts, parts[first])
    )
    placed = rows[1]
    return {
        "parts": {
            name: {"rows": rows[code], "groups": groups[code]}
            for code, name in enumerate(part_names)
        },
        "share": round(placed / count, 6) if count else 0.0,
        **overlaps,
        "by_source": {
            names[code]: {
                name: int(((parts == at) & (sources == code)).sum())
                for at, name in enumerate(part_names)
            }
            for code in np.unique(sources).tolist()
        },
        "note": _note(ties, sizes, placed, count, share, (others, repeated)),
    }


def _note(
    ties: Ties, sizes: Numbers, placed: int, count: int, share: float, some: tuple[int, int]
) -> str:
    """Say why validation is off its share; "" where it is not. `some` as in `prove`."""
    others, repeated = some
    tolerance = TOLERANCE_OF_SOME if others or repeated else TOLERANCE
    if not count or abs(placed - share * count) <= count * tolerance:
        return ""
    said = f"Validation has {placed / count:.1%} of the rows, not {share:.0%}: "
    if repeated:
        return f"{said}{repeated:,} of them are there again, and these train."
    if others:
        return said + (
            "a record is in the same part in all formats, and this one does not take "
            f"{others:,} of the {count + others:,} that were split."
        )
    alone = ties.openings is None and ties.groups is None
    tied = "of one input" if alone else "that belong together"
    largest = int(sizes.max())
    return said + (
        f"records {tied} stay together, and the largest such group has {largest:,} of "
        f"{count:,} rows."
    )

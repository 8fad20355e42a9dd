"""Train and validation without a leak: records that anything ties together never part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mindcorpus.corpus.row_facts import Codes, Flags, Numbers
from mindcorpus.preparing.selection import scramble
from mindcorpus.preparing.ties import Ties

#: How far, as a share of all rows, the validation part may be from what was asked for.
TOLERANCE = 0.005
# Bits of work up to which the exact search for the best fit is tried (50 MB at the most).
_SEARCH_BITS = 400_000_000


@dataclass(frozen=True)
class Split:
    """Which rows are for validation, and what proves that nothing leaks."""

    validation: Flags
    group: Numbers
    """The group of each row; none is on both sides."""
    proof: dict[str, Any]
    """parts (train and validation: rows, groups), share, what is on both sides, by_source, note."""


def split_rows(
    ties: Ties, sources: Codes, names: tuple[str, ...], share: float, seed: int
) -> Split:
    """Split rows by groups of what is tied, stratified by source, the same for a seed.

    `sources` has shape (rows,), as the ties have. A group's stratum is the source of its first
    row. Strata are filled one after another, each making up for what the last could not place, so
    that the whole is as near to `share` as groups allow.
    """
    count = len(sources)
    group, sizes, first = ties.find_groups()
    scores = scramble(ties.inputs[first, 0], seed)
    strata = sources[first]
    chosen = np.zeros(len(sizes), bool)
    rows = aim = 0
    # Strata of few groups first: those of many can make up for them.
    by_freedom = sorted(set(strata.tolist()), key=lambda code: (int((strata == code).sum()), code))
    placed = 0
    for code in by_freedom:
        mine = np.flatnonzero(strata == code)
        mine = mine[np.lexsort((mine, scores[mine]))]
        rows += int(sizes[mine].sum())
        aim = round(share * rows) - placed
        picked = mine[_fill(sizes[mine], aim)]
        chosen[picked] = True
        placed += int(sizes[picked].sum())
    if abs(placed - share * count) > TOLERANCE * count and len(sizes) * count <= _SEARCH_BITS:
        best = _best_fit(sizes[np.lexsort((scores,))], share * count)
        better = np.zeros(len(sizes), bool)
        better[np.lexsort((scores,))[best]] = True
        if abs(int(sizes[better].sum()) - share * count) < abs(placed - share * count):
            chosen = better
    validation = chosen[group]
    proof = prove(ties, group, sources, names, validation, share)
    return Split(validation, group, proof)


def _fill(sizes: npt.NDArray[np.int64], aim: int) -> npt.NDArray[np.int64]:
    """Choose groups, in order, whose sizes add up to `aim` or as little below as they come."""
    sums = np.cumsum(sizes)
    prefix = int(np.searchsorted(sums, aim, side="right"))
    chosen = list(range(prefix))
    gap = aim - (int(sums[prefix - 1]) if prefix else 0)
    for at in range(prefix, len(sizes)):
        if gap <= 0:
            break
        if sizes[at] <= gap:
            chosen.append(at)
            gap -= int(sizes[at])
    return np.array(chosen, np.int64)


def _best_fit(sizes: npt.NDArray[np.int64], aim: float) -> npt.NDArray[np.int64]:
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
    group: Numbers,
    sources: Codes,
    names: tuple[str, ...],
    validation: Flags,
    share: float,
) -> dict[str, Any]:
    """Say how rows are split, counted from the rows themselves, not from how they were chosen."""
    count = len(validation)
    overlaps = ties.overlaps(validation)
    assert not any(overlaps.values())
    placed = int(validation.sum())
    sizes = np.bincount(group)
    held_out = np.bincount(group[validation], minlength=len(sizes)) > 0
    note = ""
    if abs(placed - share * count) > TOLERANCE * count:
        largest = int(sizes.max())
        inputs_alone = ties.openings is None and ties.groups is None
        tied = "of one input" if inputs_alone else "that belong together"
        note = (
            f"Validation has {placed / count:.1%} of the rows, not {share:.0%}: records {tied} "
            f"stay together, and the largest such group has {largest:,} of {count:,} rows."
        )
    by_source = {
        names[code]: {
            "train": int((~validation & (sources == code)).sum()),
            "validation": int((validation & (sources == code)).sum()),
        }
        for code in sorted(set(sources.tolist()))
    }
    return {
        "parts": {
            "train": {"rows": count - placed, "groups": int(((sizes > 0) & ~held_out).sum())},
            "validation": {"rows": placed, "groups": int(held_out.sum())},
        },
        "share": round(placed / count, 6),
        **overlaps,
        "by_source": by_source,
        "note": note,
    }

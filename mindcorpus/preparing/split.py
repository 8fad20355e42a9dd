"""Train and validation without a leak: records with the same folded input never part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mindcorpus.corpus.row_facts import Codes, Flags, Keys
from mindcorpus.preparing.selection import scramble

#: How far, as a share of all rows, the validation part may be from what was asked for.
TOLERANCE = 0.005
# Bits of work up to which the exact search for the best fit is tried (50 MB at the most).
_SEARCH_BITS = 400_000_000


@dataclass(frozen=True)
class Split:
    """Which rows are for validation, and what proves that nothing leaks."""

    validation: Flags
    proof: dict[str, Any]
    """parts (train and validation: rows, groups), share, overlap (always 0), by_source, note."""


def split_rows(
    input_keys: Keys, sources: Codes, names: tuple[str, ...], share: float, seed: int
) -> Split:
    """Split rows by groups of one folded input each, stratified by source, the same for a seed.

    `input_keys` has shape (rows, 2), `sources` shape (rows,). A group's stratum is the source of
    its first row. Strata are filled one after another, each making up for what the last could not
    place, so that the whole is as near to `share` as groups allow.
    """
    count = len(sources)
    group, sizes, first = _groups(input_keys)
    scores = scramble(input_keys[first, 0], seed)
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
    return Split(validation, _proof(input_keys, sources, names, validation, sizes, chosen, share))


def _groups(
    keys: Keys,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Give each row's group (rows with one key), each group's size and first row."""
    order = np.lexsort((np.arange(len(keys)), keys[:, 1], keys[:, 0]))
    ordered = keys[order]
    new = np.ones(len(keys), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    group = np.empty(len(keys), np.int64)
    group[order] = np.cumsum(new) - 1
    return group, np.bincount(group), order[new]


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


def _proof(
    keys: Keys,
    sources: Codes,
    names: tuple[str, ...],
    validation: Flags,
    sizes: npt.NDArray[np.int64],
    chosen: Flags,
    share: float,
) -> dict[str, Any]:
    count = len(validation)
    # Counted from the rows themselves, not from how they were chosen: sorted by key, a leak would
    # be two equal neighbours on different sides.
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    equal = (keys[order][1:] == keys[order][:-1]).all(axis=1)
    overlap = int((equal & (validation[order][1:] != validation[order][:-1])).sum())
    assert overlap == 0
    placed = int(validation.sum())
    note = ""
    if abs(placed - share * count) > TOLERANCE * count:
        largest = int(sizes.max())
        note = (
            f"Validation has {placed / count:.1%} of the rows, not {share:.0%}: records of one "
            f"input stay together, and the largest such group has {largest:,} of {count:,} rows."
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
            "train": {"rows": count - placed, "groups": int((~chosen).sum())},
            "validation": {"rows": placed, "groups": int(chosen.sum())},
        },
        "share": round(placed / count, 6),
        "overlap": overlap,
        "by_source": by_source,
        "note": note,
    }

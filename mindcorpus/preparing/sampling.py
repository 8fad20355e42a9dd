"""What of a source is taken where not all is: a cap, or a factor of a mixture; a seed decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mindcorpus.corpus.row_facts import Flags, Numbers, RowFacts
from mindcorpus.errors import SettingsError
from mindcorpus.formats.base import Parts, Times
from mindcorpus.job_requests import PrepareRequest

_AT_ONCE = 250_000


class Tokens(NamedTuple):
    """How many tokens each row has; arrays of shape (rows,), 0 for rows that nobody asked for."""

    whole: Numbers
    """All its messages; of a pair, with the chosen answer."""
    other: Numbers
    """Those of a pair with the rejected answer; 0 for a record that is none."""
    least: Numbers
    """Those up to the first answer: a conversation that is cut has no less."""
    system: Numbers
    """Of its own messages those that instruct."""
    early: Numbers
    """Of these the ones before the first answer."""


@dataclass(frozen=True)
class Known:
    """What of a corpus decides which rows are taken, beside the facts of the rows themselves."""

    rows: RowFacts
    parts: Parts
    seed: int
    tokens: Tokens | None = None
    """What they count as a format has them, where a request asks for no more than so many."""
    unchangeable: tuple[str, ...] = ()
    """Sources whose licence forbids to change what they hold."""
    any_names: bool = False
    """Whether a request may name sources, types and tags that the corpus does not hold.

    One that a format was made with may: its sources were there once, and may come back.
    """


def code_of(names: Sequence[str], name: str) -> int:
    """Give the code of a name; -1, which no row has, for one that is not there."""
    return names.index(name) if name in names else -1


def no_row(count: int) -> Flags:
    """Give False for each of so many rows, in no memory; it cannot be written into."""
    return np.broadcast_to(np.False_, (count,))


def over_caps(known: Known, request: PrepareRequest, taken: Flags) -> Flags:
    """Tell which of the rows that are taken are more than their source's cap allows."""
    if not request.caps:
        return no_row(len(taken))
    rows, over = known.rows, np.zeros(len(taken), bool)
    for name, cap in request.caps.items():
        candidates = np.flatnonzero(taken & (rows.source == code_of(rows.names, name)))
        over[candidates[_spread(rows, candidates, known.seed)[cap:]]] = True
    return over


def mix(known: Known, request: PrepareRequest, times: Times) -> Flags:
    """Multiply sources by their factors: a share is a sample, and only what trains is repeated.

    Gives the rows that are out by it. Raises `SettingsError` where a source has no row to give.
    """
    if not request.mix:
        return no_row(len(times))
    rows, out = known.rows, np.zeros(len(times), bool)
    for name, factor in request.mix.items():
        mine = np.flatnonzero((times > 0) & (rows.source == code_of(rows.names, name)))
        if not len(mine) and known.any_names:
            continue
        if not len(mine):
            raise SettingsError(
                f"mix asks for {factor:g} times the records of {name}, of which none is left",
                field="mix",
                hint="Leave it out of mix, or take more of its records.",
            )
        whole, part = divmod(factor, 1)
        if factor > 1:
            mine = mine[known.parts[mine] == 0]
        some = mine[_spread(rows, mine, known.seed)[: round(part * len(mine))]]
        if factor < 1:
            out[mine] = True
            out[some] = False
        else:
            times[mine] = int(whole)
            times[some] += 1
    times[out] = 0
    return out


def _spread(rows: RowFacts, candidates: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.int64]:
    """Order rows such that any first few are a random sample, even over the source's tag sets.

    For Psych-101 a tag set is an experiment, and one experiment alone is 23 % of the sessions.
    """
    # By the other half of the key than the split goes by: a sample is not of one part.
    scores = scramble(rows.input_key[candidates, 1], seed)
    tags = rows.tags[candidates]
    order = np.lexsort((candidates, scores, tags))
    starts = np.flatnonzero(np.diff(tags[order], prepend=-1))
    place = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    rank = np.empty(len(order), np.int64)
    rank[order] = place
    return np.lexsort((candidates, scores, rank))


def scramble(keys: npt.NDArray[np.uint64], seed: int) -> npt.NDArray[np.uint64]:
    """Give a pseudo-random number for each key and a seed, by the finaliser of SplitMix64.

    Source: Steele, Lea and Flood, «Fast splittable pseudorandom number generators», 2014.
    """
    scrambled = np.empty(len(keys), np.uint64)
    # Some at a time: what stands between the steps is as large as the keys.
    for at in range(0, len(keys), _AT_ONCE):
        with np.errstate(over="ignore"):
            mixed = keys[at : at + _AT_ONCE] ^ (
                np.uint64(seed % 2**64) * np.uint64(0x9E3779B97F4A7C15)
            )
            mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            scrambled[at : at + _AT_ONCE] = mixed ^ (mixed >> np.uint64(31))
    return scrambled

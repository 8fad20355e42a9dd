"""Which records of the corpus a training format takes, and why it leaves the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mindcorpus.command_words import in_commands
from mindcorpus.corpus.row_facts import Flags, RowFacts
from mindcorpus.errors import SettingsError
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.remedies import Cap, ChooseRecords, PrepareWithout
from mindcorpus.warning import DataWarning

# A mixture is warned about when more than half of its rows come from one source, or are one word.
_DOMINANT = 0.5


@dataclass(frozen=True)
class Selection:
    """Which corpus rows are taken, and the account of it by source."""

    rows: RowFacts
    taken: Flags
    sources: dict[str, dict[str, Any]]
    """Source -> read, kept, dropped by reason, duplicates (always empty), changed by kind."""

    @property
    def count(self) -> int:
        """How many rows are taken."""
        return int(self.taken.sum())

    def by_source(self, wanted: Flags) -> dict[str, int]:
        """Count some rows by source; sources without any are not named."""
        counts = np.bincount(self.rows.source[wanted], minlength=len(self.rows.names))
        return {
            name: count
            for name, count in zip(self.rows.names, counts.tolist(), strict=True)
            if count
        }

    @property
    def skipped(self) -> dict[str, int]:
        """How many rows are left out, by reason."""
        found: dict[str, int] = {}
        for counts in self.sources.values():
            for reason, count in counts["dropped"].items():
                found[reason] = found.get(reason, 0) + count
        return found


@dataclass(frozen=True)
class Choice:
    """What is to be told of a selection, without its arrays."""

    count: int
    skipped: dict[str, int]
    sources: dict[str, dict[str, Any]]
    warnings: list[DataWarning]


def describe_choice(selection: Selection) -> Choice:
    """Give what a format's manifest tells of a selection."""
    return Choice(
        selection.count, selection.skipped, selection.sources, mixture_warnings(selection)
    )


def select(rows: RowFacts, request: PrepareRequest, seed: int) -> Selection:
    """Choose rows; each one that is not taken has one reason, the first that holds.

    Raises `SettingsError` for a source or type that the corpus does not hold, and where nothing
    is left.
    """
    _check_names("source", (*request.exclude, *request.caps), rows.names)
    _check_names("type", request.types, rows.types)
    for name, cap in request.caps.items():
        if cap < 0:
            raise SettingsError(f"the cap of {name} is {cap}", hint="A cap is 0 or more records.")
    excluded = np.isin(rows.source, [rows.names.index(name) for name in request.exclude])
    wanted = np.isin(rows.type, [rows.types.index(name) for name in request.types])
    if not request.types:
        wanted[:] = True
    reasons: dict[str, Flags] = {"excluded-source": excluded, "other-type": ~wanted}
    reasons["no-response"] = ~rows.answered
    taken = ~excluded & wanted & rows.answered
    reasons["same-answer"] = _said_before(rows, taken)
    reasons["over-cap"] = np.zeros(len(rows.source), bool)
    taken &= ~reasons["same-answer"]
    for name, cap in request.caps.items():
        candidates = np.flatnonzero(taken & (rows.source == rows.names.index(name)))
        over = candidates[_spread(rows, candidates, seed)[cap:]]
        reasons["over-cap"][over] = True
        taken[over] = False
    if not taken.any():
        raise SettingsError("no record is left to prepare", remedy=ChooseRecords())
    return Selection(rows, taken, _account(rows, taken, reasons))


def _said_before(rows: RowFacts, candidates: Flags) -> Flags:
    """Tell which candidates hold the same as one before, but for a pair's rejected side."""
    again = np.zeros(len(candidates), bool)
    if (rows.same_answer >= 0).any():
        places = np.arange(len(candidates))
        mine = places[candidates]
        firsts = np.where(rows.same_answer < 0, places, rows.same_answer)[mine]
        again[mine] = True
        again[mine[np.unique(firsts, return_index=True)[1]]] = False
    return again


def _check_names(what: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise SettingsError(
                f"the corpus holds no {what} {name!r}", hint=f"It holds {', '.join(known)}."
            )


def _spread(rows: RowFacts, candidates: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.int64]:
    """Order rows such that any first few are a random sample, even over the source's tag sets.

    For Psych-101 a tag set is an experiment, and one experiment alone is 23 % of the sessions.
    """
    scores = scramble(rows.input_key[candidates, 0], seed)
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
    with np.errstate(over="ignore"):
        mixed = keys ^ (np.uint64(seed % 2**64) * np.uint64(0x9E3779B97F4A7C15))
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        scrambled: npt.NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return scrambled


def _account(
    rows: RowFacts, taken: Flags, reasons: Mapping[str, Flags]
) -> dict[str, dict[str, Any]]:
    sources: dict[str, dict[str, Any]] = {}
    for code, name in enumerate(rows.names):
        left = rows.source == code
        read = int(left.sum())
        dropped: dict[str, int] = {}
        left &= ~taken
        for reason, holds in reasons.items():
            count = int((left & holds).sum())
            left &= ~holds
            if count:
                dropped[reason] = count
        kept = read - sum(dropped.values())
        assert not left.any()
        assert kept == int((taken & (rows.source == code)).sum())
        sources[name] = {
            "read": read,
            "kept": kept,
            "dropped": dropped,
            "duplicates": {},
            "changed": {},
        }
    return sources


def mixture_warnings(selection: Selection) -> list[DataWarning]:
    """Say when one source or one-word answers dominate the rows, and what mends it."""
    rows, total = selection.rows, selection.count
    warnings = []
    kept = {name: counts["kept"] for name, counts in selection.sources.items()}
    top = max(kept, key=lambda name: kept[name])
    others = total - kept[top]
    if others and kept[top] > _DOMINANT * total:
        mend = in_commands(Cap(top, others))
        text = f"{top} is {kept[top] / total:.0%} of the rows."
        warnings.append(DataWarning("dominant-source", text, mend))
    short = rows.source[selection.taken & (rows.response_words == 1)]
    if len(short) > _DOMINANT * total:
        givers = np.bincount(short)
        giver = rows.names[int(givers.argmax())]
        mend = _mend_short(giver, total - kept[giver], len(short) - int(givers.max()))
        text = (
            f"{len(short) / total:.0%} of the answers are one word, most of them from {giver}; "
            "a model learns to answer so."
        )
        warnings.append(DataWarning("one-word-answers", text, mend))
    return warnings


def _mend_short(giver: str, others: int, short: int) -> str:
    """Say what brings one-word answers down to half; `short` of the others' are one word too."""
    # Should the sample be one-word answers alone, they and the others' are still half of all.
    cap = others - 2 * short
    if cap > 0:
        return in_commands(Cap(giver, cap))
    if others and cap == 0:
        return in_commands(PrepareWithout(giver))
    return "Merge sources with longer answers as well."

"""Which records of the corpus a training format takes, and why it leaves the others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mindcorpus.command_words import in_commands
from mindcorpus.corpus.row_facts import Codes, Flags, Numbers, RowFacts
from mindcorpus.errors import SettingsError
from mindcorpus.formats.base import Parts, Takes, Times
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.remedies import Cap, ChooseRecords, PrepareWithout
from mindcorpus.warning import DataWarning

# A mixture is warned about when more than half of its rows come from one source, or are one word.
_DOMINANT = 0.5


@dataclass(frozen=True)
class Selection:
    """Which corpus rows are taken, how often each, and the account of it by source."""

    rows: RowFacts
    times: Times
    sources: dict[str, dict[str, Any]]
    """Source -> read, kept, dropped by reason, duplicates (always empty), changed by kind.

    What is counted are rows of the corpus; a row that is taken twice is kept once.
    """

    @property
    def taken(self) -> Flags:
        """Which rows are taken."""
        return self.times > 0

    @property
    def count(self) -> int:
        """How many records there are, a row as often as it is taken."""
        return int(self.times.sum())

    @property
    def repeats(self) -> dict[str, int]:
        """How many records of each source are there again; sources without any are not named."""
        more = np.maximum(self.times.astype(np.int64) - 1, 0)
        counts = np.bincount(self.rows.source, more, len(self.rows.names)).astype(np.int64)
        found = zip(self.rows.names, counts.tolist(), strict=True)
        return {name: count for name, count in found if count}

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
    repeats: dict[str, int]
    warnings: list[DataWarning]
    proof: dict[str, Any]


def describe_choice(selection: Selection, proof: dict[str, Any]) -> Choice:
    """Give what a format's manifest tells of a selection."""
    return Choice(
        selection.count,
        selection.skipped,
        selection.sources,
        selection.repeats,
        mixture_warnings(selection),
        proof,
    )


class Tokens(NamedTuple):
    """How many tokens each row has: shape (rows,)."""

    whole: Numbers
    """All its messages."""
    least: Numbers
    """Those up to the first answer: of a conversation that is cut there is no less."""


@dataclass(frozen=True)
class Known:
    """What of a corpus decides which rows are taken, beside the facts of the rows themselves."""

    rows: RowFacts
    parts: Parts
    seed: int
    tokens: Tokens | None = None
    """Where a request asks for no more than so many."""
    unchangeable: tuple[str, ...] = ()
    """Sources whose licence forbids to change what they hold."""


def select(known: Known, request: PrepareRequest, takes: Takes = "answers") -> Selection:
    """Choose rows; each one that is not taken has one reason, the first that holds.

    Raises `SettingsError` for a source, type or tag that the corpus does not hold, and where
    nothing is left.
    """
    rows = known.rows
    given = _Given(rows, request)
    reasons: dict[str, Flags] = given.reasons()
    reasons["no-response"] = ~rows.answered
    if takes == "pairs":
        reasons["no-pair"] = ~rows.paired
    taken = ~np.any([*reasons.values()], axis=0)
    if not taken.any():
        raise _nothing_left(rows, takes)
    if takes == "answers":
        reasons["same-answer"] = _said_before(rows, taken)
        taken &= ~reasons["same-answer"]
    words = rows.response_words
    reasons["too-few-words"] = words < (request.min_words or 0)
    reasons["too-many-words"] = words > (request.max_words or np.iinfo(np.int64).max)
    if request.max_tokens is not None and request.over_length != "keep":
        assert known.tokens is not None
        over = known.tokens.whole > request.max_tokens
        if request.over_length == "cut-turns" and takes == "answers":
            whole = _among(rows.source, rows.names, known.unchangeable)
            over &= whole | (known.tokens.least > request.max_tokens)
        reasons["over-length"] = over
    for reason in ("too-few-words", "too-many-words", "over-length"):
        taken &= ~reasons.get(reason, np.zeros(1, bool))
    reasons["over-cap"] = _over_caps(known, request, taken)
    taken &= ~reasons["over-cap"]
    times = taken.astype(np.uint16)
    reasons["mixed-out"] = _mix(known, request, times)
    if not times.any():
        raise _nothing_left(rows, takes)
    return Selection(rows, times, _account(rows, times > 0, reasons))


class _Given:
    """What a request says of sources, types and tags, in the words of a corpus."""

    def __init__(self, rows: RowFacts, request: PrepareRequest) -> None:
        self._rows = rows
        self._request = request
        sources = (*request.sources, *request.exclude, *request.caps, *request.mix)
        check_names("source", sources, rows.names)
        check_names("type", request.types, rows.types)
        self._tags = [json.loads(each) for each in rows.tag_sets]
        if request.tags:
            held = dict.fromkeys(tag for each in self._tags for tag in each)
            check_names("tag", request.tags, tuple(held))
        for name, cap in request.caps.items():
            if cap < 0:
                raise SettingsError(
                    f"the cap of {name} is {cap}", hint="A cap is 0 or more records."
                )

    def reasons(self) -> dict[str, Flags]:
        """Give the rows that are not wanted, by reason."""
        rows, request = self._rows, self._request
        return {
            "excluded-source": _among(rows.source, rows.names, request.exclude),
            "other-source": self._others(rows.source, rows.names, request.sources),
            "other-type": self._others(rows.type, rows.types, request.types),
            "other-tag": self._other_tags(),
        }

    def _others(self, codes: Codes, names: Sequence[str], wanted: Sequence[str]) -> Flags:
        if not wanted:
            return np.zeros(len(codes), bool)
        return ~_among(codes, names, wanted)

    def _other_tags(self) -> Flags:
        if not self._request.tags:
            return np.zeros(len(self._rows.tags), bool)
        wanted = set(self._request.tags)
        without = np.array([wanted.isdisjoint(each) for each in self._tags], bool)
        found: Flags = without[self._rows.tags]
        return found


def _among(codes: Codes, names: Sequence[str], wanted: Sequence[str]) -> Flags:
    found: Flags = np.isin(codes, [at for at, name in enumerate(names) if name in wanted])
    return found


def _nothing_left(rows: RowFacts, takes: Takes) -> SettingsError:
    if takes == "pairs" and not rows.paired.any():
        return SettingsError(
            "the corpus holds no preference pairs",
            hint="A pair is a record with a response and a rejected one; sources that have them "
            "are marked so in docs/sources.md. A corpus of an earlier release must be merged anew.",
        )
    what = "preference pair" if takes == "pairs" else "record"
    return SettingsError(f"no {what} is left to prepare", remedy=ChooseRecords())


def _over_caps(known: Known, request: PrepareRequest, taken: Flags) -> Flags:
    """Tell which of the rows that are taken are more than their source's cap allows."""
    rows, over = known.rows, np.zeros(len(taken), bool)
    for name, cap in request.caps.items():
        candidates = np.flatnonzero(taken & (rows.source == rows.names.index(name)))
        over[candidates[_spread(rows, candidates, known.seed)[cap:]]] = True
    return over


def _mix(known: Known, request: PrepareRequest, times: Times) -> Flags:
    """Multiply sources by their factors: a share is a sample, and only what trains is repeated.

    Gives the rows that are out by it. Raises `SettingsError` where a source has no row to give.
    """
    rows, out = known.rows, np.zeros(len(times), bool)
    for name, factor in request.mix.items():
        mine = np.flatnonzero((times > 0) & (rows.source == rows.names.index(name)))
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


def check_names(what: str, names: Sequence[str], known: Sequence[str]) -> None:
    """Raise `SettingsError` for a name that the corpus does not hold."""
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
    counts = np.bincount(rows.source, selection.times, len(rows.names)).astype(np.int64).tolist()
    kept = dict(zip(rows.names, counts, strict=True))
    top = max(kept, key=lambda name: kept[name])
    others = total - kept[top]
    if others and kept[top] > _DOMINANT * total:
        mend = in_commands(Cap(top, others))
        text = f"{top} is {kept[top] / total:.0%} of the rows."
        warnings.append(DataWarning("dominant-source", text, mend))
    short = np.repeat(rows.source, np.where(rows.response_words == 1, selection.times, 0))
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

"""Which records of the corpus a training format takes, and why it leaves the others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mindcorpus.corpus.row_facts import Codes, Flags, RowFacts
from mindcorpus.errors import SettingsError
from mindcorpus.formats.base import Takes, Times
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing.sampling import Known, mix, no_row, over_caps
from mindcorpus.remedies import ChooseRecords

#: Why a row is not taken, in the order in which it is asked.
REASONS = (
    *("excluded-source", "other-source", "other-type", "other-tag", "no-response", "no-pair"),
    *("same-answer", "too-few-words", "too-many-words", "over-length", "over-cap", "mixed-out"),
)


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
        more = np.where(self.times, self.times - np.uint16(1), np.uint16(0))
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


def select(known: Known, request: PrepareRequest, takes: Takes = "answers") -> Selection:
    """Choose rows; each one that is not taken has one reason, the first that holds.

    Raises `SettingsError` for a source, type or tag that the corpus does not hold, and where
    nothing is left.
    """
    rows = known.rows
    given = _Given(known, request)
    reasons: dict[str, Flags] = given.reasons()
    reasons["no-response"] = ~rows.answered
    if takes == "pairs":
        reasons["no-pair"] = ~rows.paired
    taken = np.ones(len(rows), bool)
    for holds in reasons.values():
        taken &= ~holds
    if not taken.any():
        raise _nothing_left(rows, takes)
    if takes == "answers":
        reasons["same-answer"] = _said_before(rows, taken)
        taken &= ~reasons["same-answer"]
    reasons |= _of_words(rows, request)
    if request.max_tokens is not None and request.over_length != "keep":
        assert known.tokens is not None
        sides = known.tokens.whole
        if takes == "pairs":
            sides = np.maximum(sides, known.tokens.other)
        over = sides > request.max_tokens
        if request.over_length == "cut-turns" and takes == "answers":
            whole = _among(rows.source, rows.names, known.unchangeable)
            over &= whole | (known.tokens.least > request.max_tokens)
        reasons["over-length"] = over
    for reason in ("too-few-words", "too-many-words", "over-length"):
        taken &= ~reasons.get(reason, np.zeros(1, bool))
    reasons["over-cap"] = over_caps(known, request, taken)
    taken &= ~reasons["over-cap"]
    times = taken.astype(np.uint16)
    reasons["mixed-out"] = mix(known, request, times)
    if not times.any():
        raise _nothing_left(rows, takes)
    assert [*reasons] == [reason for reason in REASONS if reason in reasons]
    return Selection(rows, times, _account(rows, times > 0, reasons))


def _of_words(rows: RowFacts, request: PrepareRequest) -> dict[str, Flags]:
    """Give the rows whose responses are too short or too long, where that was asked for."""
    few = many = no_row(len(rows))
    if request.min_words:
        few = rows.response_words < request.min_words
    if request.max_words:
        many = rows.response_words > request.max_words
    return {"too-few-words": few, "too-many-words": many}


class _Given:
    """What a request says of sources, types and tags, in the words of a corpus."""

    def __init__(self, known: Known, request: PrepareRequest) -> None:
        rows = known.rows
        self._rows = rows
        self._request = request
        self._tags = [json.loads(each) for each in rows.tag_sets]
        if not known.any_names:
            sources = (*request.sources, *request.exclude, *request.caps, *request.mix)
            check_names("source", sources, rows.names)
            check_names("type", request.types, rows.types)
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
            return no_row(len(codes))
        return ~_among(codes, names, wanted)

    def _other_tags(self) -> Flags:
        if not self._request.tags:
            return no_row(len(self._rows))
        wanted = set(self._request.tags)
        without = np.array([wanted.isdisjoint(each) for each in self._tags], bool)
        found: Flags = without[self._rows.tags]
        return found


def _among(codes: Codes, names: Sequence[str], wanted: Sequence[str]) -> Flags:
    if not wanted:
        return no_row(len(codes))
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


def _said_before(rows: RowFacts, candidates: Flags) -> Flags:
    """Tell which candidates hold the same as one before, but for a pair's rejected side."""
    first = rows.same_answer
    if not (first >= 0).any():
        return no_row(len(candidates))
    again = np.zeros(len(candidates), bool)
    places = np.arange(len(candidates))
    mine = places[candidates]
    firsts = np.where(first < 0, places, first)[mine]
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


def _account(
    rows: RowFacts, taken: Flags, reasons: Mapping[str, Flags]
) -> dict[str, dict[str, Any]]:
    sources: dict[str, dict[str, Any]] = {}
    source = rows.source
    for code, name in enumerate(rows.names):
        left = source == code
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
        assert kept == int((taken & (source == code)).sum())
        sources[name] = {
            "read": read,
            "kept": kept,
            "dropped": dropped,
            "duplicates": {},
            "changed": {},
        }
    return sources

"""The corpus in numbers: one JSON for terminal, API and charts.

Computed from the parts' indexes (lengths and keys), so no text is read again; what is held is how
many records there are of each length.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from operator import add
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow.parquet as pq

from mindcorpus.arrow import as_flags, as_numbers, flags
from mindcorpus.corpus.lineage import PartOrigin, read_changes
from mindcorpus.corpus.row_facts import Keys
from mindcorpus.corpus.verdicts import Codes16, Reason, SavedVerdicts
from mindcorpus.stages.base import Indexes
from mindcorpus.storage.row_counts import DUPLICATE
from mindcorpus.tokens.lengths import Lengths

_LENGTHS = ("input_chars", "response_chars", "input_words", "response_words")
_UNITS = {"chars": "characters", "words": "words"}
_SHARES = {"median": 0.5, "p5": 0.05, "p95": 0.95}
_METHOD: Literal["lower"] = "lower"
#: How percentiles are taken, for who recomputes them.
PERCENTILES = (
    f"{_METHOD}: of n lengths in order, the one at place floor((n - 1) * share), counted from 0"
)
# Row groups of an index that are in memory at one time.
_GROUPS_AT_ONCE = 5
_Spreads = dict[str, Lengths]
"""By column of `_LENGTHS`: how many records have each length."""


@dataclass(frozen=True)
class StatisticsJob:
    """All parts in order, the verdicts on their records, and a folder for what is not kept."""

    parts: tuple[PartOrigin, ...]
    verdicts: SavedVerdicts
    scratch: Path


def compute_statistics(job: StatisticsJob, tick: Callable[[int, int], None]) -> dict[str, Any]:
    """Compute the statistics of a merge.

    Gives `records`, `by_source`, `by_type`, `by_tag`, `lengths` (by source and over all, of inputs
    and of responses where there are any: rows, and mean, median, p5, p95 and max of characters and
    words), `percentiles` (their method), `sources` (read, kept, dropped by reason, duplicates by
    the source of the kept twin, changed by what), and `overlap` (pairs of sources: folded inputs
    that both hold, and records of one that were duplicates of the other).
    """
    starts = np.cumsum([0, *(part.kept for part in job.parts)])
    owner = [part.source for part in job.parts]
    sources: dict[str, dict[str, Any]] = {}
    by_reason: dict[str, dict[str, Counter[str]]] = {}
    by_type: Counter[str] = Counter()
    by_tag: Counter[str] = Counter()
    lengths: dict[str, _Spreads] = {}
    for part, table, first, last in _pieces(job.parts):
        verdicts = job.verdicts.of(first, last)
        code, twin = verdicts.code, verdicts.twin
        stays = code == 0
        rows = ~as_flags(table.column("reason"))
        rows[rows] = stays
        kept = table.select(["changed", "tags"]).filter(flags(rows))
        counts = sources.setdefault(
            part.source,
            {
                "read": 0,
                "kept": 0,
                "dropped": Counter(),
                "duplicates": Counter(),
                "changed": Counter(),
            },
        )
        counts["read"] += table.num_rows
        counts["kept"] += kept.num_rows
        counts["dropped"].update(_counted(table.column("reason")))
        counts["dropped"].update(_by_reason(code[twin < 0], verdicts.reasons))
        for changed, count in _counted(kept.column("changed")).items():
            for change in read_changes(changed):
                counts["changed"][change] += count
        for at, reason in enumerate(verdicts.reasons, 1):
            stood_for = twin[(code == at) & (twin >= 0)]
            homes = np.searchsorted(starts, stood_for, side="right") - 1
            twins = Counter(owner[home] for home in homes)
            counts["duplicates"].update(twins)
            if twins:
                reasons = by_reason.setdefault(part.source, {})
                reasons[reason.name] = reasons.get(reason.name, Counter()) + twins
        by_type[part.type] += kept.num_rows
        for tags, count in _counted(kept.column("tags")).items():
            for tag in orjson.loads(tags):
                by_tag[tag] += count
        found = [as_numbers(table.column(name), np.int32)[stays] for name in _LENGTHS]
        _add(lengths, part.source, found)
        tick(0, 0)
    for source, reasons in by_reason.items():
        # Where equal records are all there is, `duplicates` says it.
        if set(reasons) != {DUPLICATE}:
            ranked = {reason: _ranked(twins) for reason, twins in reasons.items()}
            sources[source]["duplicates_by_reason"] = ranked
    return {
        "records": sum(counts["kept"] for counts in sources.values()),
        "by_source": {source: counts["kept"] for source, counts in sources.items()},
        "by_type": _ranked(by_type),
        "by_tag": _ranked(by_tag),
        "lengths": {name: _summary(found) for name, found in _with_all(lengths).items()},
        "percentiles": PERCENTILES,
        "sources": {
            source: {
                name: _ranked(value) if isinstance(value, Counter) else value
                for name, value in counts.items()
            }
            for source, counts in sources.items()
        },
        "overlap": _overlap(job, starts, sources, lambda: tick(0, 0)),
    }


def _pieces(parts: Sequence[PartOrigin]) -> Iterator[tuple[PartOrigin, Any, int, int]]:
    """Read the indexes some row groups at a time, each part at least once.

    Gives also the first record of each piece, and the first behind it.
    """
    columns = ["reason", "changed", "tags", *_LENGTHS]
    last = 0
    for part in parts:
        parquet = pq.ParquetFile(part.index)
        for at in range(0, max(1, parquet.num_row_groups), _GROUPS_AT_ONCE):
            groups = range(at, min(at + _GROUPS_AT_ONCE, parquet.num_row_groups))
            table = parquet.read_row_groups([*groups], columns, use_threads=False)
            first, last = last, last + table.column("reason").null_count
            yield part, table, first, last


def _by_reason(code: Codes16, reasons: Sequence[Reason]) -> Counter[str]:
    """Count the records that are left out; several reasons may have one name."""
    counts = np.bincount(code, minlength=len(reasons) + 1)[1:].tolist()
    found: Counter[str] = Counter()
    for reason, rows in zip(reasons, counts, strict=True):
        found[reason.name] += rows
    return +found


def _counted(column: Any) -> dict[str, int]:
    """Count the texts of a column; nulls are left out."""
    found = column.value_counts()
    pairs = zip(found.field("values").to_pylist(), found.field("counts").to_pylist(), strict=True)
    return {text: count for text, count in pairs if text is not None}


def _ranked(counter: Mapping[str, int]) -> dict[str, int]:
    """Most first; equals by name, so that the order never depends on how it was counted."""
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))


def _add(lengths: dict[str, _Spreads], source: str, found: Sequence[npt.NDArray[np.int32]]) -> None:
    """Add the lengths of records of a source, by the columns of `_LENGTHS`."""
    if not len(found[0]):
        return
    # A record without a response has none, and says nothing of how long one is.
    answered = found[_LENGTHS.index("response_words")] > 0
    new = {
        name: Lengths.of(rows if name.startswith("input") else rows[answered])
        for name, rows in zip(_LENGTHS, found, strict=True)
    }
    lengths[source] = _sum((lengths[source], new)) if source in lengths else new


def _sum(spreads: Collection[_Spreads]) -> _Spreads:
    return {name: reduce(add, [each[name] for each in spreads]) for name in _LENGTHS}


def _with_all(lengths: Mapping[str, _Spreads]) -> dict[str, _Spreads]:
    """Put what all sources have together before what each has."""
    return {"all": _sum(lengths.values()), **lengths} if lengths else {}


def _summary(spreads: _Spreads) -> dict[str, Any]:
    """Sum up lengths: of inputs, and of responses where there are any."""
    return {
        side: {
            "rows": int(spreads[f"{side}_words"].rows.sum()),
            **{name: _spread(spreads[f"{side}_{unit}"]) for unit, name in _UNITS.items()},
        }
        for side in ("input", "response")
        if len(spreads[f"{side}_words"].rows)
    }


def _spread(lengths: Lengths) -> dict[str, Any]:
    ends = np.cumsum(lengths.rows)
    count = int(ends[-1])
    # As `numpy.quantile` finds them with the method "lower".
    places = np.floor((count - 1) * np.array(list(_SHARES.values()))).astype(np.int64)
    values = lengths.values[np.searchsorted(ends, places, side="right")].tolist()
    return {
        "mean": round(lengths.total / count, 1),
        **dict(zip(_SHARES, values, strict=True)),
        "max": int(lengths.values[-1]),
    }


def _overlap(
    job: StatisticsJob,
    starts: Any,
    sources: Mapping[str, Mapping[str, Any]],
    check: Callable[[], None],
) -> list[dict[str, Any]]:
    names = list(sources)
    if len(names) < 2:
        return []
    home = np.array([names.index(part.source) for part in job.parts])
    inputs: Counter[tuple[int, int]] = Counter()
    indexes = Indexes([part.index for part in job.parts], int(starts[-1]), check, job.scratch)
    for keys, numbers in indexes.partitions("input_key"):
        mine = home[np.searchsorted(starts, numbers, side="right") - 1]
        order = np.lexsort((mine, keys[:, 1], keys[:, 0]))
        inputs.update(_met(keys[order], mine[order]))
    pairs = []
    for first, second in combinations(range(len(names)), 2):
        a, b = names[first], names[second]
        records = sources[a]["duplicates"][b] + sources[b]["duplicates"][a]
        if inputs[first, second] or records:
            pairs.append({"sources": [a, b], "inputs": inputs[first, second], "records": records})
    return pairs


def _met(keys: Keys, sources: npt.NDArray[np.int64]) -> Counter[tuple[int, int]]:
    """Count for each two sources the keys that both have; ordered by key, and by source in each."""
    again = (keys[1:] == keys[:-1]).all(axis=1) & (sources[1:] == sources[:-1])
    once = np.concatenate(([True], ~again))[: len(keys)]
    keys, sources = keys[once], sources[once]
    found: Counter[tuple[int, int]] = Counter()
    # Sources that share a key stand one behind the other: first all neighbours, then every other.
    for apart in range(1, len(keys)):
        same = (keys[apart:] == keys[:-apart]).all(axis=1)
        if not same.any():
            break
        pairs, counts = np.unique(
            np.stack((sources[:-apart][same], sources[apart:][same])), axis=1, return_counts=True
        )
        found.update(dict(zip(map(tuple, pairs.T.tolist()), counts.tolist(), strict=True)))
    return found

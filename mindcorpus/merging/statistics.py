"""The corpus in numbers: one JSON for terminal, API and charts.

Computed from the parts' indexes (lengths and keys), so no text is read again; with pandas, a
source at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import orjson
import pyarrow.parquet as pq

from mindcorpus.corpus.lineage import PartOrigin, read_changes
from mindcorpus.corpus.verdicts import Codes16, Reason, SavedVerdicts
from mindcorpus.stages.base import Indexes
from mindcorpus.storage.row_counts import DUPLICATE

if TYPE_CHECKING:
    import pandas as pd

_LENGTHS = ("input_chars", "response_chars", "input_words", "response_words")
_UNITS = {"chars": "characters", "words": "words"}
_METHOD: Literal["lower"] = "lower"
#: How percentiles are taken, for who recomputes them.
PERCENTILES = (
    f"{_METHOD}: of n lengths in order, the one at place floor((n - 1) * share), counted from 0"
)


@dataclass(frozen=True)
class StatisticsJob:
    """All parts in order, and the verdicts on their records."""

    parts: tuple[PartOrigin, ...]
    verdicts: SavedVerdicts


def compute_statistics(job: StatisticsJob, tick: Callable[[int, int], None]) -> dict[str, Any]:
    """Compute the statistics of a merge.

    Gives `records`, `by_source`, `by_type`, `by_tag`, `lengths` (by source and over all, of inputs
    and of responses where there are any: rows, and mean, median, p5, p95 and max of characters and
    words), `percentiles` (their method), `sources` (read, kept, dropped by reason, duplicates by
    the source of the kept twin, changed by what), and `overlap` (pairs of sources: folded inputs
    that both hold, and records of one that were duplicates of the other).
    """
    import pandas as pd  # late: a quarter of a second, and only the worker that computes needs it

    verdicts = job.verdicts.load()
    starts = np.cumsum([0, *(part.kept for part in job.parts)])
    owner = [part.source for part in job.parts]
    sources: dict[str, dict[str, Any]] = {}
    by_reason: dict[str, dict[str, Counter[str]]] = {}
    by_type: Counter[str] = Counter()
    by_tag: Counter[str] = Counter()
    lengths: dict[str, list[pd.DataFrame]] = {}
    for part, start in zip(job.parts, starts, strict=False):
        table = pq.ParquetFile(part.index).read(
            columns=["reason", "changed", "tags", *_LENGTHS], use_threads=False
        )
        index = table.to_pandas()
        records = index[index["reason"].isna()]
        code = verdicts.code[start : start + part.kept]
        twin = verdicts.twin[start : start + part.kept]
        kept = records[code == 0]
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
        counts["read"] += len(index)
        counts["kept"] += len(kept)
        counts["dropped"].update(_counted(index["reason"]))
        counts["dropped"].update(_by_reason(code[twin < 0], verdicts.reasons))
        for changed, rows in _counted(kept["changed"]).items():
            for change in read_changes(changed):
                counts["changed"][change] += rows
        for at, reason in enumerate(verdicts.reasons, 1):
            stood_for = twin[(code == at) & (twin >= 0)]
            homes = np.searchsorted(starts, stood_for, side="right") - 1
            twins = Counter(owner[home] for home in homes)
            counts["duplicates"].update(twins)
            if twins:
                reasons = by_reason.setdefault(part.source, {})
                reasons[reason.name] = reasons.get(reason.name, Counter()) + twins
        by_type[part.type] += len(kept)
        for tags, rows in _counted(kept["tags"]).items():
            for tag in orjson.loads(tags):
                by_tag[tag] += rows
        lengths.setdefault(part.source, []).append(kept[list(_LENGTHS)])
        tick(0, 0)
    for source, reasons in by_reason.items():
        # Where equal records are all there is, `duplicates` says it.
        if set(reasons) != {DUPLICATE}:
            ranked = {reason: _ranked(twins) for reason, twins in reasons.items()}
            sources[source]["duplicates_by_reason"] = ranked
    frames = {source: pd.concat(found) for source, found in lengths.items()}
    filled = [frame for frame in frames.values() if len(frame)]
    return {
        "records": sum(counts["kept"] for counts in sources.values()),
        "by_source": {source: counts["kept"] for source, counts in sources.items()},
        "by_type": _ranked(by_type),
        "by_tag": _ranked(by_tag),
        "lengths": {
            name: _summary(frame)
            for name, frame in {"all": pd.concat(filled or [*frames.values()]), **frames}.items()
            if len(frame)
        },
        "percentiles": PERCENTILES,
        "sources": {
            source: {
                name: _ranked(value) if isinstance(value, Counter) else value
                for name, value in counts.items()
            }
            for source, counts in sources.items()
        },
        "overlap": _overlap(job.parts, starts, sources, lambda: tick(0, 0)),
    }


def _by_reason(code: Codes16, reasons: Sequence[Reason]) -> Counter[str]:
    """Count the records that are left out; several reasons may have one name."""
    counts = np.bincount(code, minlength=len(reasons) + 1)[1:].tolist()
    found: Counter[str] = Counter()
    for reason, rows in zip(reasons, counts, strict=True):
        found[reason.name] += rows
    return +found


def _counted(column: pd.Series[Any]) -> dict[str, int]:
    return {str(value): int(count) for value, count in column.value_counts().items()}


def _ranked(counter: Mapping[str, int]) -> dict[str, int]:
    """Most first; equals by name, so that the order never depends on how it was counted."""
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))


def _summary(frame: pd.DataFrame) -> dict[str, Any]:
    """Sum up lengths; a record without a response has none, and says nothing of how long one is."""
    answered = frame[frame["response_words"] > 0]
    return {
        side: {
            "rows": len(rows),
            **{name: _lengths(rows[f"{side}_{unit}"]) for unit, name in _UNITS.items()},
        }
        for side, rows in (("input", frame), ("response", answered))
        if len(rows)
    }


def _lengths(column: pd.Series[Any]) -> dict[str, Any]:
    return {
        "mean": round(float(column.mean()), 1),
        "median": int(column.quantile(0.5, interpolation=_METHOD)),
        "p5": int(column.quantile(0.05, interpolation=_METHOD)),
        "p95": int(column.quantile(0.95, interpolation=_METHOD)),
        "max": int(column.max()),
    }


def _overlap(
    parts: Sequence[PartOrigin],
    starts: Any,
    sources: Mapping[str, Mapping[str, Any]],
    check: Callable[[], None],
) -> list[dict[str, Any]]:
    import pandas as pd  # late, as above

    names = list(sources)
    home = np.array([names.index(part.source) for part in parts])
    inputs: Counter[tuple[int, int]] = Counter()
    indexes = Indexes([part.index for part in parts], int(starts[-1]), check)
    for keys, numbers in indexes.partitions("input_key"):
        frame = pd.DataFrame(
            {
                "low": keys[:, 0],
                "high": keys[:, 1],
                "source": home[np.searchsorted(starts, numbers, side="right") - 1],
            }
        ).drop_duplicates()
        shared = frame[frame.duplicated(["low", "high"], keep=False)]
        for _, group in shared.groupby(["low", "high"])["source"]:
            inputs.update(combinations(sorted(group), 2))
    pairs = []
    for first, second in combinations(range(len(names)), 2):
        a, b = names[first], names[second]
        records = sources[a]["duplicates"][b] + sources[b]["duplicates"][a]
        if inputs[first, second] or records:
            pairs.append({"sources": [a, b], "inputs": inputs[first, second], "records": records})
    return pairs

"""The statistics of a corpus as charts: rows of data, for whoever draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mindcorpus.storage.row_counts import changes, left_out, rows_dropped, rows_duplicate

#: A filter of records: those that a mark stands for, where they are kept.
Where = Mapping[str, str | int | None]

#: What the parts of a bar of rows are, by their CSS class.
_LEGEND = (("kept", "kept"), ("duplicate", "duplicates"), ("dropped", "dropped"))


@dataclass(frozen=True)
class Bar:
    """One bar: what it stands for, how much it is, and what is written at its end."""

    label: str
    value: float
    note: str
    where: Where | None = None


@dataclass(frozen=True)
class Stack:
    """One bar of parts: each part's CSS class and its count."""

    label: str
    parts: Sequence[tuple[str, int]]
    note: str
    where: Where | None = None


@dataclass(frozen=True)
class Range:
    """One row of a length chart: where most lengths lie, and the middle one."""

    label: str
    low: float
    median: float
    high: float
    where: Where | None = None


@dataclass(frozen=True)
class Chart:
    """A chart: what is drawn, of one kind of mark or of none, and the table behind it."""

    name: str
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]
    """Cells are text, or numbers set to the right."""
    bars: Sequence[Bar] = ()
    stacks: Sequence[Stack] = ()
    ranges: Sequence[Range] = ()
    longest: float = 1.0
    """How far the scale of ranges goes at least."""
    lead: str = ""
    legend: Sequence[tuple[str, str]] = ()
    """CSS classes of parts, and what they are."""
    words: int = 1
    """How many of the table's columns, from the first, hold words."""


@dataclass(frozen=True)
class Account:
    """What became of the rows of one source: read is kept, duplicate and dropped."""

    read: int
    kept: int
    duplicate: int
    dropped: int
    reasons: Sequence[tuple[str, int]]
    """Why rows were left out, and how many were."""


def figures(statistics: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Give the figures that a corpus is known by."""
    read = sum(_account(name, source).read for name, source in statistics["sources"].items())
    return [
        ("records", statistics["records"]),
        ("rows read", read),
        ("sources", len(statistics["by_source"])),
        ("tags", len(statistics["by_tag"])),
    ]


def all_charts(statistics: Mapping[str, Any], *, most: int) -> dict[str, Chart]:
    """Give the charts of a corpus by name, none that would be empty; bars are `most` at the most.

    They are `by-source`, `by-type`, `by-tag`, `length-input`, `length-response`, `rows-read`,
    `left-out`, `changed` and `overlap`, which are tables alone.
    """
    counted = [
        _counts_chart(name, statistics[f"by_{name}"], statistics["records"], most)
        for name in ("source", "type", "tag")
    ]
    accounts = {name: _account(name, source) for name, source in statistics["sources"].items()}
    charts = [
        *counted,
        *_length_charts(statistics["lengths"], statistics.get("percentiles", "")),
        _rows_chart(accounts),
        _reasons_chart(accounts, most),
        _changes_chart(statistics["sources"]),
        _overlap_chart(statistics["overlap"]),
    ]
    return {chart.name: chart for chart in charts if chart.rows}


def amount(value: float) -> str:
    """Give a number with separators of thousands."""
    return f"{value:,.1f}" if value != int(value) else f"{int(value):,}"


def _account(name: str, source: Mapping[str, Any]) -> Account:
    """Tell what the statistics say of a source's rows."""
    reasons = [
        (f"{each.reason} of {each.twin}" if each.twin not in ("", name) else each.reason, each.rows)
        for each in left_out(source)
    ]
    return Account(
        read=source["read"],
        kept=source["kept"],
        duplicate=rows_duplicate(source),
        dropped=rows_dropped(source),
        reasons=reasons,
    )


def _counts_chart(name: str, counts: Mapping[str, int], records: int, most: int) -> Chart:
    """Chart the records by `name`, which is also the filter that finds them."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    many = len(ordered) > most
    return Chart(
        name=f"by-{name}",
        title=f"Records by {name}",
        head=(name.capitalize(), "Records", "Share"),
        rows=[(word, count, f"{count / (records or 1):.1%}") for word, count in ordered],
        bars=[Bar(word, count, amount(count), {name: word}) for word, count in ordered[:most]],
        lead=f"The {most} most frequent of {len(ordered):,}." if many else "",
    )


def _length_charts(lengths: Mapping[str, Any], percentiles: str) -> list[Chart]:
    """Chart how long inputs and responses are, by source, on one scale."""
    longest = max(
        (sides[side]["words"]["p95"] for sides in lengths.values() for side in sides), default=1.0
    )
    method = f" Percentiles are {percentiles}." if percentiles else ""
    what = {"input": "all records", "response": "records that have a response"}
    charts = []
    for side in ("input", "response"):
        ranges, rows = [], []
        for source, sides in lengths.items():
            if side not in sides:
                continue
            every = source == "all"
            label, where = "All sources" if every else source, {} if every else {"source": source}
            words = sides[side]["words"]
            ranges.append(Range(label, words["p5"], words["median"], words["p95"], where))
            for unit in ("characters", "words"):
                found = sides[side][unit]
                values = (found[key] for key in ("mean", "median", "p5", "p95", "max"))
                # A corpus of an earlier release does not say of how many records.
                rows.append((label, unit, sides[side].get("rows", ""), *values))
        charts.append(
            Chart(
                name=f"length-{side}",
                title=f"{side.capitalize()} length in words",
                head=("Source", "Unit", "Records", "Mean", "Median", "5 %", "95 %", "Longest"),
                rows=rows,
                ranges=ranges,
                longest=longest,
                lead=f"Of {what[side]}. Dot and number are the median; nine texts in ten lie on "
                f"the line. The scale is logarithmic.{method}",
                words=2,
            )
        )
    return charts


def _rows_chart(accounts: Mapping[str, Account]) -> Chart:
    """Chart what became of every row that was read."""
    return Chart(
        name="rows-read",
        title="What became of every row",
        head=("Source", "Read", "Kept", "Duplicates", "Dropped"),
        rows=[
            (name, found.read, found.kept, found.duplicate, found.dropped)
            for name, found in accounts.items()
        ],
        stacks=[
            Stack(
                name,
                (("kept", found.kept), ("duplicate", found.duplicate), ("dropped", found.dropped)),
                f"{found.kept:,} of {found.read:,} kept",
                {"source": name},
            )
            for name, found in accounts.items()
        ],
        legend=_LEGEND,
    )


def _reasons_chart(accounts: Mapping[str, Account], most: int) -> Chart:
    """Chart why rows were left out; no mark finds them, for their text is kept nowhere."""
    rows = [
        (name, reason, count) for name, found in accounts.items() for reason, count in found.reasons
    ]
    rows.sort(key=lambda row: (-row[2], row[0], row[1]))
    return Chart(
        name="left-out",
        title="Rows left out, by source and reason",
        head=("Source", "Reason", "Rows"),
        rows=rows,
        bars=[
            Bar(f"{reason} · {name}", count, amount(count)) for name, reason, count in rows[:most]
        ],
        words=2,
    )


def _changes_chart(sources: Mapping[str, Mapping[str, Any]]) -> Chart:
    return Chart(
        name="changed",
        title="Records that were changed, by source and kind",
        head=("Source", "Change", "Records"),
        rows=changes(sources),
        lead="A record counts for each kind of change that was made to it.",
        words=2,
    )


def _overlap_chart(overlap: Sequence[Mapping[str, Any]]) -> Chart:
    return Chart(
        name="overlap",
        title="Inputs that two sources share",
        head=("Sources", "Inputs", "Records"),
        rows=[(" and ".join(pair["sources"]), pair["inputs"], pair["records"]) for pair in overlap],
        lead="With another response they are kept; a split never parts them.",
    )

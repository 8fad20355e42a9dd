"""The charts of the overview: each a picture whose rows lead to their records, and its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import url_for
from markupsafe import Markup

from mindcorpus.report.svg import Bar, Range, Stack, draw_bars, draw_ranges, draw_stacks
from web.pages.filters import amount

_MANY = 12  # bars of one chart; its table holds the rest
#: Where the bars of the chart of lengths begin, in words of input and response together.
EDGES = [0, 50, 100, 200, 300, 500, 1000, 2000, 5000]


@dataclass(frozen=True)
class Chart:
    """A chart, and the table behind it: cells are text, or numbers set to the right."""

    name: str
    title: str
    drawn: Markup
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]
    lead: str = ""
    legend: bool = False


def counts_chart(name: str, title: str, counts: Mapping[str, int], records: int) -> Chart:
    """Chart the records by `name`, which is also the filter that leads to them."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    bars = [
        Bar(word, count, amount(count), _where({name: word})) for word, count in ordered[:_MANY]
    ]
    many = len(ordered) > _MANY
    return Chart(
        name=f"by-{name}",
        title=title,
        drawn=Markup(draw_bars(f"by-{name}", title, bars)),  # noqa: S704 - it escapes all words
        head=(name.capitalize(), "Records", "Share"),
        rows=[(word, count, f"{count / (records or 1):.1%}") for word, count in ordered],
        lead=f"The {_MANY} most frequent of {len(ordered):,}." if many else "",
    )


def lengths_chart(counts: Sequence[int]) -> Chart:
    """Chart the records by their length; `counts` are those of `EDGES`."""
    bars, rows = [], []
    for at, count in enumerate(counts):
        low = EDGES[at]
        high = EDGES[at + 1] - 1 if at + 1 < len(EDGES) else None
        label = f"{low:,} and more words" if high is None else f"{low:,} to {high:,} words"
        where = _where({"min_words": low or None, "max_words": high})
        bars.append(Bar(label, count, amount(count), where))
        rows.append((label, count))
    title = "Records by length"
    return Chart(
        name="by-length",
        title=title,
        drawn=Markup(draw_bars("by-length", title, bars)),  # noqa: S704 - it escapes all words
        head=("Length", "Records"),
        rows=rows,
        lead="Words of input and response together.",
    )


def range_charts(lengths: Mapping[str, Any]) -> list[Chart]:
    """Chart how long inputs and responses are, by source."""
    if not lengths:
        return []
    charts = []
    longest = max(sides[side]["words"]["p95"] for sides in lengths.values() for side in sides)
    for side in ("input", "response"):
        title = f"{side.capitalize()} length in words"
        words = {source: sides[side]["words"] for source, sides in lengths.items()}
        ranges = [
            Range(
                "All sources" if source == "all" else source,
                found["p5"],
                found["median"],
                found["p95"],
                url_for("pages.records", source=None if source == "all" else source),
            )
            for source, found in words.items()
        ]
        drawn = draw_ranges(f"length-{side}", title, ranges, longest)
        charts.append(
            Chart(
                name=f"length-{side}",
                title=title,
                drawn=Markup(drawn),  # noqa: S704 - it escapes all words
                head=("Source", "Mean", "Median", "5 %", "95 %", "Longest"),
                rows=[
                    (
                        "All sources" if source == "all" else source,
                        *(found[key] for key in ("mean", "median", "p5", "p95", "max")),
                    )
                    for source, found in words.items()
                ],
                lead="Dot and number are the median; nine in ten lie on the line.",
            )
        )
    return charts


def _where(filters: dict[str, Any]) -> str:
    return url_for("pages.records", **filters)


def rows_chart(sources: Mapping[str, Any]) -> Chart:
    """Chart what became of every row that was read."""
    stacks, rows = [], []
    for name, found in sources.items():
        dropped, duplicates = sum(found["dropped"].values()), sum(found["duplicates"].values())
        parts = ("kept", found["kept"]), ("duplicate", duplicates), ("dropped", dropped)
        note = f"{found['kept']:,} of {found['read']:,} kept"
        stacks.append(Stack(name, parts, note, url_for("pages.records", source=name)))
        rows.append((name, found["read"], found["kept"], duplicates, dropped))
    title = "What became of every row"
    return Chart(
        name="rows-read",
        title=title,
        drawn=Markup(draw_stacks("rows-read", title, stacks)),  # noqa: S704 - it escapes all words
        head=("Source", "Read", "Kept", "Duplicates", "Dropped"),
        rows=rows,
        legend=True,
    )


def reasons_chart(sources: Mapping[str, Any]) -> Chart | None:
    """Chart why rows were left out, by source and reason; None if none was."""
    left_out = [
        (name, reason, count)
        for name, found in sources.items()
        for reason, count in (
            *found["dropped"].items(),
            *(
                ("duplicate" if twin == name else f"duplicate of {twin}", count)
                for twin, count in found["duplicates"].items()
            ),
        )
    ]
    if not left_out:
        return None
    left_out.sort(key=lambda row: (-row[2], row[0], row[1]))
    # No links: the text of what was left out is kept nowhere.
    bars = [
        Bar(f"{reason} · {name}", count, amount(count)) for name, reason, count in left_out[:_MANY]
    ]
    title = "Rows left out, and why"
    return Chart(
        name="left-out",
        title=title,
        drawn=Markup(draw_bars("left-out", title, bars)),  # noqa: S704 - it escapes all words
        head=("Source", "Reason", "Rows"),
        rows=left_out,
    )

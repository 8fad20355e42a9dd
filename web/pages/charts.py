"""The charts of the overview: those of every corpus, whose marks lead to their records here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import url_for
from markupsafe import Markup

from mindcorpus.report.charts import Bar, Chart, Where, all_charts, amount
from mindcorpus.report.svg import draw
from web.pages.corpus import Corpus

_MOST = 12  # bars of one chart; its table holds the rest
#: Where the bars of the chart of lengths begin, in words of input and response together.
_EDGES = [0, 50, 100, 200, 300, 500, 1000, 2000, 5000]


def charts_of(corpus: Corpus) -> dict[str, Chart]:
    """Give the charts of a corpus by name, with `by-length`, which needs its records."""
    lengths = _lengths_chart(corpus.records.index.counts_by_length(_EDGES))
    return {**all_charts(corpus.statistics, most=_MOST), lengths.name: lengths}


def drawn(chart: Chart) -> Markup:
    """Draw a chart for a page, with links to records."""
    return Markup(draw(chart, _records))  # noqa: S704 - it escapes all words


def _records(where: Where) -> str:
    filters: dict[str, Any] = dict(where)
    return url_for("pages.records", **filters)


def _lengths_chart(counts: Sequence[int]) -> Chart:
    """Chart the records by their length; `counts` are those of `_EDGES`."""
    bars, rows = [], []
    for at, count in enumerate(counts):
        low = _EDGES[at]
        high = _EDGES[at + 1] - 1 if at + 1 < len(_EDGES) else None
        label = f"{low:,} and more words" if high is None else f"{low:,} to {high:,} words"
        where: Where = {"min_words": low or None, "max_words": high}
        bars.append(Bar(label, count, amount(count), where))
        rows.append((label, count))
    return Chart(
        name="by-length",
        title="Records by length",
        head=("Length", "Records"),
        rows=rows,
        bars=bars,
        lead="Words of input and response together.",
    )

"""Charts as inline SVG: bars, stacked shares and length ranges that fit a phone and a wide screen.

A row may lead somewhere: then the chart is a group of links, not one picture. Everything across
is in percent and nothing has a viewBox, so a chart takes the width it is given while its words
keep their size. Colours and fonts come from charts.css.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mindcorpus.report.words import escape

if TYPE_CHECKING:
    from collections.abc import Callable

    from mindcorpus.report.charts import Bar, Chart, Range, Stack, Where

    Link = Callable[[Where], str] | None

_LABEL_CHARS = 46
_ROW = 42  # height of one row: a line of words, and the bar under it
_BAR_TOP = 21
_BAR = 10


def draw(chart: Chart, link: Link = None) -> str:
    """Draw a chart's marks; with `link`, which gives the address of some records, they lead there.

    All words of the chart are escaped.
    """
    if chart.stacks:
        return _draw_stacks(chart, link)
    if chart.ranges:
        return _draw_ranges(chart, link)
    return _draw_bars(chart, link)


def _draw_bars(chart: Chart, link: Link) -> str:
    """Draw horizontal bars, as long as their values against the largest."""
    top = max((bar.value for bar in chart.bars), default=0) or 1
    rows = []
    for number, bar in enumerate(chart.bars):
        width = _percent(bar.value / top)
        mark = _rect("bar", 0.0, width) if bar.value else ""
        rows.append(_row(number, bar, bar.note, _rect("track", 0.0, 100.0) + mark, link))
    description = "; ".join(f"{bar.label}: {bar.note}" for bar in chart.bars)
    return _picture(chart, description, len(chart.bars) * _ROW, "".join(rows))


def _draw_stacks(chart: Chart, link: Link) -> str:
    """Draw bars of equal length, each cut into its parts' shares."""
    rows = []
    for number, stack in enumerate(chart.stacks):
        total = sum(count for _, count in stack.parts)
        at, marks = 0.0, [_rect("track", 0.0, 100.0)]
        for kind, count in stack.parts:
            if count:
                width = _percent(count / total)
                marks.append(_rect(kind, at, width, round_=False))
                at += width
        rows.append(_row(number, stack, stack.note, "".join(marks), link))
    description = "; ".join(f"{stack.label}: {stack.note}" for stack in chart.stacks)
    return _picture(chart, description, len(chart.stacks) * _ROW, "".join(rows))


def _draw_ranges(chart: Chart, link: Link) -> str:
    """Draw each row's span and median, on a logarithmic scale from 1."""
    top = _round_up(chart.longest)
    height = len(chart.ranges) * _ROW
    parts = []
    for power in range(round(math.log10(top)) + 1):
        at = _percent(power / math.log10(top))
        anchor = "start" if power == 0 else "end" if at == 100 else "middle"
        parts.append(
            f'<line class="grid" x1="{at}%" x2="{at}%" y1="0" y2="{height}"/>'
            f'<text class="tick" x="{at}%" y="{height + 16}" text-anchor="{anchor}">'
            f"{10**power:,}</text>"
        )
    middle = _BAR_TOP + _BAR // 2
    for number, row in enumerate(chart.ranges):
        if row.high < 1:
            parts.append(_row(number, row, "none", "", link))
            continue
        low, median, high = (
            _percent(math.log10(max(value, 1)) / math.log10(top))
            for value in (row.low, row.median, row.high)
        )
        mark = (
            f'<line class="span" x1="{low}%" x2="{high}%" y1="{middle}" y2="{middle}"/>'
            f'<circle class="dot" cx="{median}%" cy="{middle}" r="6"/>'
        )
        parts.append(_row(number, row, f"{row.median:,.0f}", mark, link))
    description = "; ".join(
        f"{row.label}: median {row.median:,.0f}, most from {row.low:,.0f} to {row.high:,.0f}"
        for row in chart.ranges
    )
    return _picture(chart, description, height + 22, "".join(parts))


def _picture(chart: Chart, description: str, height: int, inside: str) -> str:
    # What is within a picture does not exist for a screen reader, links neither.
    role = "group" if "<a " in inside else "img"
    return (
        f'<svg role="{role}" width="100%" height="{height}" '
        f'aria-labelledby="{chart.name}-title {chart.name}-desc">'
        f'<title id="{chart.name}-title">{escape(chart.title)}</title>'
        f'<desc id="{chart.name}-desc">{escape(description)}</desc>{inside}</svg>'
    )


def _row(number: int, row: Bar | Stack | Range, note: str, marks: str, link: Link) -> str:
    label, said = row.label, escape(f"{row.label}: {note}")
    shown = label if len(label) <= _LABEL_CHARS else label[: _LABEL_CHARS - 1] + "…"
    inside = (
        # The blank parts the two where they are read out as the name of a link.
        f'<text class="label" x="0" y="14">{escape(shown)}</text> '
        f'<text class="note" x="100%" y="14" text-anchor="end">{escape(note)}</text>{marks}'
    )
    if link and row.where is not None:
        # The transparent area makes all of the row a link, not its words alone.
        area = f'<rect class="area" width="100%" height="{_ROW}"/>'
        inside = f'<a href="{escape(link(row.where))}">{area}{inside}</a>'
    return (
        f'<svg class="row" y="{number * _ROW}" width="100%" height="{_ROW}">'
        f"<title>{said}</title>{inside}</svg>"
    )


def _rect(kind: str, at: float, width: float, *, round_: bool = True) -> str:
    corner = f' rx="{_BAR // 2}"' if round_ else ""
    return (
        f'<rect class="{kind}" x="{at:.4g}%" y="{_BAR_TOP}" '
        f'width="{width:.4g}%" height="{_BAR}"{corner}/>'
    )


def _percent(share: float) -> float:
    return round(100 * share, 2)


def _round_up(value: float) -> int:
    """Give the power of ten at or above a value, at least ten."""
    top = 10
    while top < value:
        top *= 10
    return top

"""The statistics of a corpus as one HTML page: no script, nothing loaded from elsewhere."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

from mindcorpus.report.charts import Chart, all_charts, amount, figures
from mindcorpus.report.svg import draw
from mindcorpus.report.words import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_MOST = 16  # bars of one chart; its table holds the rest
_COMMERCIAL = {
    "yes": "yes",
    "with-conditions": "yes, with conditions",
    "after-payment": "only after payment",
    "no": "no",
    "unknown": "not known",
}


def render_page(
    statistics: Mapping[str, Any],
    *,
    title: str,
    sources: Sequence[Mapping[str, Any]] = (),
    warnings: Sequence[str] = (),
) -> str:
    """Render the statistics of a merge, and what its manifest says of sources, as a whole page.

    The same arguments give the same bytes; every text is escaped.
    """
    charts = all_charts(statistics, most=_MOST)
    drawn = {name: _section(chart.title, _inside(chart)) for name, chart in charts.items()}
    sources_and_types = drawn.get("by-source", "") + drawn.get("by-type", "")
    parts = [
        f"<header><h1>{escape(title)}</h1>{_figures(statistics)}</header>",
        _warnings(warnings),
        _pair([f"<div>{sources_and_types}</div>", drawn.get("by-tag", "")]),
        _pair(drawn.get(f"length-{side}", "") for side in ("input", "response")),
        *(drawn.get(name, "") for name in ("rows-read", "left-out", "changed", "overlap")),
        _licences(sources),
    ]
    style = resources.files(__package__).joinpath("charts.css").read_text("utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _figures(statistics: Mapping[str, Any]) -> str:
    inside = "".join(
        f"<div><dt>{name}</dt><dd>{value:,}</dd></div>" for name, value in figures(statistics)
    )
    return f'<dl class="figures">{inside}</dl>'


def _warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    items = "".join(f"<li>{escape(warning)}</li>" for warning in warnings)
    return f'<div class="notice"><h2>Before you use this corpus</h2><ul>{items}</ul></div>'


def _inside(chart: Chart) -> str:
    lead = f'<p class="lead">{escape(chart.lead)}</p>' if chart.lead else ""
    if not (chart.bars or chart.stacks or chart.ranges):
        return lead + _table(chart.title, chart)
    legend = "".join(
        '<li><svg width="12" height="12" aria-hidden="true">'
        f'<rect class="{kind}" width="12" height="12" rx="3"/></svg>{words}</li>'
        for kind, words in chart.legend
    )
    return (
        lead
        + (f'<ul class="legend">{legend}</ul>' if legend else "")
        + draw(chart)
        + f"<details><summary>Table</summary>{_table('Table', chart)}</details>"
    )


def _licences(sources: Sequence[Mapping[str, Any]]) -> str:
    if not sources:
        return ""
    rows = []
    for source in sources:
        licence = source["licence"]
        url, name = licence.get("url") or "", escape(licence["id"])
        if url.startswith(("https://", "http://")):
            name = f'<a href="{escape(url)}" rel="noreferrer">{name}</a>'
        allowed = _COMMERCIAL.get(licence["commercial"], licence["commercial"])
        rows.append(
            f"<tr><td>{escape(source['name'])}</td><td>{name}</td><td>{escape(allowed)}</td>"
            f'<td class="wide">{escape(licence["terms"])}</td></tr>'
        )
    head = "".join(
        f'<th scope="col">{name}</th>' for name in ("Source", "Licence", "Commercial use", "Terms")
    )
    return _section("Licences", _scroll("Licences", f"<tr>{head}</tr>", "".join(rows)))


def _section(heading: str, inside: str) -> str:
    return f"<section><h2>{escape(heading)}</h2>{inside}</section>"


def _pair(parts: Iterable[str]) -> str:
    inside = "".join(parts)
    return f'<div class="pair">{inside}</div>' if inside else ""


def _table(name: str, chart: Chart) -> str:
    """Make the table of a chart; its numbers are set to the right."""
    kinds = ["" if at < chart.words else ' class="number"' for at in range(len(chart.head))]
    first = "".join(
        f'<th scope="col"{kind}>{escape(cell)}</th>'
        for kind, cell in zip(kinds, chart.head, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(map("<td{}>{}</td>".format, kinds, map(_cell, row))) + "</tr>"
        for row in chart.rows
    )
    return _scroll(name, f"<tr>{first}</tr>", body)


def _scroll(name: str, head: str, body: str) -> str:
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(name)}">'
        f"<table><thead>{head}</thead><tbody>{body}</tbody></table></div>"
    )


def _cell(value: Any) -> str:
    return escape(value) if isinstance(value, str) else amount(value)

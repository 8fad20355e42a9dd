"""The statistics of a corpus as one HTML page: no script, nothing loaded from elsewhere."""

from __future__ import annotations

from html import escape
from importlib import resources
from typing import TYPE_CHECKING, Any

from mindcorpus.report.svg import Bar, Range, Stack, draw_bars, draw_ranges, draw_stacks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_MANY = 16  # bars of one chart; its table holds the rest
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
    records = statistics["records"]
    sources_and_types = [
        _counts("by_source", "Records by source", statistics["by_source"], records),
        _counts("by_type", "Records by type", statistics["by_type"], records),
    ]
    tags = _counts("by_tag", "Records by tag", statistics["by_tag"], records)
    parts = [
        f"<header><h1>{escape(title)}</h1>{_figures(statistics)}</header>",
        _warnings(warnings),
        _pair([f"<div>{''.join(sources_and_types)}</div>", tags]),
        _lengths(statistics["lengths"]),
        _rows_read(statistics["sources"]),
        _overlap(statistics["overlap"]),
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
    read = sum(source["read"] for source in statistics["sources"].values())
    figures = (
        ("records", statistics["records"]),
        ("rows read", read),
        ("sources", len(statistics["by_source"])),
        ("tags", len(statistics["by_tag"])),
    )
    inside = "".join(f"<div><dt>{name}</dt><dd>{value:,}</dd></div>" for name, value in figures)
    return f'<dl class="figures">{inside}</dl>'


def _warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    items = "".join(f"<li>{escape(warning)}</li>" for warning in warnings)
    return f'<div class="notice"><h2>Before you use this corpus</h2><ul>{items}</ul></div>'


def _counts(name: str, heading: str, counts: Mapping[str, int], records: int) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    if not ordered:
        return ""
    bars = [Bar(label, count, f"{count:,}") for label, count in ordered[:_MANY]]
    more = (
        f'<p class="lead">The {_MANY} most frequent of {len(ordered):,}.</p>'
        if len(ordered) > _MANY
        else ""
    )
    rows = [(label, count, _share(count, records)) for label, count in ordered]
    return _section(
        heading,
        more + draw_bars(name, heading, bars),
        _behind((heading.rsplit(" ", 1)[1].capitalize(), "Records", "Share"), rows),
    )


def _lengths(lengths: Mapping[str, Any]) -> str:
    if not lengths:
        return ""
    charts, rows = [], []
    longest = max(sides[side]["words"]["p95"] for sides in lengths.values() for side in sides)
    for side, heading in (("input", "Input"), ("response", "Response")):
        title = f"{heading} length in words"
        ranges = [
            Range(_named(source), words["p5"], words["median"], words["p95"])
            for source, sides in lengths.items()
            for words in (sides[side]["words"],)
        ]
        drawn = draw_ranges(f"length_{side}", title, ranges, longest)
        charts.append(f"<div><h3>{heading}</h3>{drawn}</div>")
    for source, sides in lengths.items():
        for side, units in sides.items():
            for unit, found in units.items():
                values = (found[key] for key in ("mean", "median", "p5", "p95", "max"))
                rows.append((_named(source), side, unit, *values))
    head = ("Source", "Text", "Unit", "Mean", "Median", "5 %", "95 %", "Longest")
    return _section(
        "Lengths in words",
        '<p class="lead">Dot and number are the median; nine texts in ten lie on the line. '
        "The scale is logarithmic.</p>" + _pair(charts),
        _behind(head, rows, words=3),
    )


def _rows_read(sources: Mapping[str, Any]) -> str:
    if not sources:
        return ""
    stacks, left_out = [], []
    for name, found in sources.items():
        dropped, duplicates = sum(found["dropped"].values()), sum(found["duplicates"].values())
        note = f"{found['kept']:,} of {found['read']:,} kept"
        parts = ("kept", found["kept"]), ("duplicate", duplicates), ("dropped", dropped)
        stacks.append(Stack(name, parts, note))
        left_out += [(name, reason, count) for reason, count in found["dropped"].items()]
        left_out += [
            (name, "duplicate" if twin == name else f"duplicate of {twin}", count)
            for twin, count in found["duplicates"].items()
        ]
    legend = "".join(
        '<li><svg width="12" height="12" aria-hidden="true">'
        f'<rect class="{kind}" width="12" height="12" rx="3"/></svg>{words}</li>'
        for kind, words in (("kept", "kept"), ("duplicate", "duplicates"), ("dropped", "dropped"))
    )
    heading = "What became of every row"
    shares = f'<ul class="legend">{legend}</ul>' + draw_stacks("rows_read", heading, stacks)
    table = [
        (
            name,
            found["read"],
            found["kept"],
            sum(found["duplicates"].values()),
            sum(found["dropped"].values()),
        )
        for name, found in sources.items()
    ]
    whole = _section(
        heading, shares, _behind(("Source", "Read", "Kept", "Duplicates", "Dropped"), table)
    )
    if not left_out:
        return whole
    ordered = sorted(left_out, key=lambda item: -item[2])
    bars = [
        Bar(f"{reason} · {name}", count, f"{count:,}") for name, reason, count in ordered[:_MANY]
    ]
    reasons = "Rows left out, by source and reason"
    return whole + _section(
        reasons,
        draw_bars("left_out", reasons, bars),
        _behind(("Source", "Reason", "Rows"), left_out, words=2),
    )


def _overlap(overlap: Sequence[Mapping[str, Any]]) -> str:
    if not overlap:
        return ""
    rows = [(" and ".join(pair["sources"]), pair["inputs"], pair["records"]) for pair in overlap]
    return _section(
        "Inputs that two sources share",
        '<p class="lead">With another response they are kept; a split never parts them.</p>',
        _table("Inputs that two sources share", ("Sources", "Inputs", "Records"), rows),
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


def _section(heading: str, *inside: str) -> str:
    return f"<section><h2>{escape(heading)}</h2>{''.join(inside)}</section>"


def _pair(parts: Iterable[str]) -> str:
    return f'<div class="pair">{"".join(parts)}</div>'


def _behind(head: Sequence[str], rows: Sequence[Sequence[Any]], *, words: int = 1) -> str:
    return f"<details><summary>Table</summary>{_table('Table', head, rows, words=words)}</details>"


def _table(name: str, head: Sequence[str], rows: Sequence[Sequence[Any]], *, words: int = 1) -> str:
    """Make a table whose first columns hold words and whose others hold numbers."""
    kinds = ["" if at < words else ' class="number"' for at in range(len(head))]
    first = "".join(
        f'<th scope="col"{kind}>{escape(cell)}</th>' for kind, cell in zip(kinds, head, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(map("<td{}>{}</td>".format, kinds, map(_cell, row))) + "</tr>"
        for row in rows
    )
    return _scroll(name, f"<tr>{first}</tr>", body)


def _scroll(name: str, head: str, body: str) -> str:
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(name)}">'
        f"<table><thead>{head}</thead><tbody>{body}</tbody></table></div>"
    )


def _cell(value: Any) -> str:
    return escape(value) if isinstance(value, str) else _amount(value)


def _amount(value: float) -> str:
    return f"{value:,.1f}" if value != int(value) else f"{int(value):,}"


def _share(count: int, records: int) -> str:
    return f"{count / records:.1%}" if records else ""


def _named(source: str) -> str:
    return "All sources" if source == "all" else source

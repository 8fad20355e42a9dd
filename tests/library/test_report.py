"""The statistics page: whole, self-contained, readable without sight, and true to its numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mindcorpus.report.charts import Chart, Where, all_charts, figures
from mindcorpus.report.html import render_page
from mindcorpus.report.svg import draw

VOID = {"meta", "link", "br", "img", "hr", "input"}


def lengths(median: int) -> dict[str, Any]:
    found = {"mean": median * 1.1, "median": median, "p5": 0, "p95": median * 3, "max": median * 9}
    sides = ("input", "response")
    return {side: {"rows": 7, "characters": found, "words": found} for side in sides}


def statistics(names: Mapping[str, int], tags: Mapping[str, int]) -> dict[str, Any]:
    return {
        "records": sum(names.values()),
        "by_source": dict(names),
        "by_type": {"counseling": sum(names.values())},
        "by_tag": dict(tags),
        "lengths": {"all": lengths(40), **{name: lengths(kept) for name, kept in names.items()}},
        "sources": {
            name: {
                "read": kept + 3,
                "kept": kept,
                "dropped": {"no-response": 1},
                "duplicates": {name: 2},
                "changed": {"run-on-cut": 5},
            }
            for name, kept in names.items()
        },
        "overlap": [{"sources": list(names)[:2], "inputs": 4, "records": 2}],
    }


def entry(name: str, url: str = "https://example.org/licence") -> dict[str, Any]:
    licence = {"id": "MIT", "terms": "Keep the notice.", "url": url, "commercial": "yes"}
    return {"name": name, "licence": licence}


class Page(HTMLParser):
    """What a browser would find: tags with their attributes, texts, and whether all is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID and not (self.get_starttag_text() or "").endswith("/>"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not (self.get_starttag_text() or "").endswith("/>") or tag in self.open[-1:]:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.texts.append(data)


PAGE = render_page(
    statistics({"One": 1200, "Two": 34}, {f"tag-{number}": number for number in range(1, 30)}),
    title="A corpus",
    sources=[entry("One"), entry("Two")],
    warnings=["Not for commercial use."],
)


def test_the_page_needs_nothing_but_itself() -> None:
    page = Page(PAGE)
    assert page.open == []
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        assert not {"src", "srcset", "style"} & attributes.keys()
        assert not any(name.startswith("on") for name in attributes)
    assert "url(" not in PAGE
    assert "@import" not in PAGE
    assert "default-src 'none'" in PAGE


def test_every_chart_has_a_name_a_description_and_a_table() -> None:
    page = Page(PAGE)
    charts = [attributes for tag, attributes in page.tags if attributes.get("role") == "img"]
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert len(charts) == 7
    for chart in charts:
        assert set((chart["aria-labelledby"] or "").split()) <= ids
    assert len(ids) == PAGE.count(' id="')
    assert PAGE.count("<details>") == 7
    assert '<html lang="en">' in PAGE
    assert "prefers-color-scheme: dark" in PAGE


def test_it_holds_the_numbers_and_what_must_be_known() -> None:
    texts = Page(PAGE).texts
    for said in ("1,234", "1,240", "1,200", "Not for commercial use.", "Keep the notice.", "MIT"):
        assert said in texts
    assert "tag-1" in texts  # beyond the chart's most frequent, in its table
    assert "duplicate · Two" in texts
    assert "One and Two" in texts


def test_bars_are_as_long_as_their_values() -> None:
    bars = re.findall(r'class="bar" x="0%" y="\d+" width="([\d.]+)%"', PAGE)
    assert [float(width) for width in bars[:2]] == [100.0, 2.83]  # 1,200 and 34
    assert all(0 < float(width) <= 100 for width in bars)


def test_only_web_addresses_become_links() -> None:
    page = render_page(
        statistics({"One": 1}, {}),
        title="A corpus",
        sources=[entry("One", "javascript:alert(1)"), entry("Two", 'https://x.org/"><script>')],
    )
    links = [attributes["href"] for tag, attributes in Page(page).tags if tag == "a"]
    assert links == ['https://x.org/"><script>']
    assert "<script" not in page


def test_a_corpus_of_nothing_has_a_page() -> None:
    empty = {
        "records": 0,
        "by_source": {},
        "by_type": {},
        "by_tag": {},
        "lengths": {},
        "sources": {},
        "overlap": [],
    }
    assert Page(render_page(empty, title="Nothing")).open == []
    assert all_charts(empty, most=9) == {}


def test_a_source_without_responses_has_no_line_of_their_lengths() -> None:
    given = statistics({"One": 12, "Two": 3}, {})
    del given["lengths"]["Two"]["response"]
    found = all_charts(given, most=9)
    assert [row.label for row in found["length-response"].ranges] == ["All sources", "One"]
    assert [row.label for row in found["length-input"].ranges] == ["All sources", "One", "Two"]
    del given["lengths"]["all"]["input"]["rows"]  # as an earlier release wrote it
    assert found["length-input"].rows[0][:3] == ("All sources", "characters", 7)
    assert all_charts(given, most=9)["length-input"].rows[0][:3] == (
        "All sources",
        "characters",
        "",
    )


def charts(most: int = 16) -> dict[str, Chart]:
    return all_charts(statistics({"One": 1200, "Two": 34}, {"a": 7, "b": 9, "c": 9}), most=most)


def test_a_chart_holds_what_it_shows_as_data() -> None:
    found = charts()
    assert [*found] == [
        "by-source",
        "by-type",
        "by-tag",
        "length-input",
        "length-response",
        "rows-read",
        "left-out",
        "changed",
        "overlap",
    ]
    assert found["by-source"].rows == [("One", 1200, "97.2%"), ("Two", 34, "2.8%")]
    assert found["rows-read"].rows == [("One", 1203, 1200, 2, 1), ("Two", 37, 34, 2, 1)]
    assert found["left-out"].rows == [
        ("One", "duplicate", 2),
        ("Two", "duplicate", 2),
        ("One", "no-response", 1),
        ("Two", "no-response", 1),
    ]
    assert found["changed"].rows == [("One", "run-on-cut", 5), ("Two", "run-on-cut", 5)]
    assert found["length-input"].rows[0][:5] == ("All sources", "characters", 7, 40 * 1.1, 40)
    assert found["length-input"].longest == found["length-response"].longest == 1200 * 3
    for chart in found.values():
        assert all(len(row) == len(chart.head) for row in chart.rows)


def test_figures_count_what_was_read() -> None:
    made = statistics({"One": 1200, "Two": 34}, {"a": 7})
    assert dict(figures(made)) == {"records": 1234, "rows read": 1240, "sources": 2, "tags": 1}


def test_the_rows_of_another_twin_are_named_after_it() -> None:
    made = statistics({"One": 5, "Two": 6}, {})
    made["sources"]["One"]["duplicates"] = {"Two": 3}
    assert ("One", "duplicate of Two", 3) in all_charts(made, most=9)["left-out"].rows


def test_a_chart_draws_the_most_frequent_and_its_table_holds_all() -> None:
    chart = charts(most=2)["by-tag"]
    assert [bar.label for bar in chart.bars] == ["b", "c"]
    assert [row[0] for row in chart.rows] == ["b", "c", "a"]
    assert chart.lead == "The 2 most frequent of 3."
    assert charts(most=3)["by-tag"].lead == ""


def test_marks_lead_to_their_records_only_where_there_are_links() -> None:
    def link(where: Where) -> str:
        return "/records?" + "&".join(f"{name}={value}" for name, value in where.items())

    found = charts()
    linked = {
        name: re.findall('href="([^"]+)"', draw(chart, link)) for name, chart in found.items()
    }
    assert linked["by-tag"] == ["/records?tag=b", "/records?tag=c", "/records?tag=a"]
    assert linked["length-input"] == ["/records?", "/records?source=One", "/records?source=Two"]
    assert linked["rows-read"] == ["/records?source=One", "/records?source=Two"]
    assert linked["left-out"] == []  # what was left out is kept nowhere
    assert not any("href" in draw(chart) for chart in found.values())


texts = st.text(min_size=1, max_size=60)
counts = st.dictionaries(texts, st.integers(0, 10**12), min_size=2, max_size=5)


@given(names=counts, tags=counts, warning=texts)
def test_whatever_the_names_hold_is_text(
    names: dict[str, int], tags: dict[str, int], warning: str
) -> None:
    made = statistics(names, tags)
    sources = [entry(name) for name in names]
    page = render_page(made, title="<b>", sources=sources, warnings=[warning])
    plain = render_page(
        statistics(dict.fromkeys("xy", 1), {"x": 1, "y": 1}), title="b", sources=[entry("x")]
    )
    found = Page(page)
    assert found.open == []
    assert {tag for tag, _ in found.tags} - {"div", "li", "ul"} <= {
        tag for tag, _ in Page(plain).tags
    }
    assert all(0 <= float(at) <= 100.01 for at in re.findall(r'(?:x|width|cx)="([\d.]+)%"', page))
    assert page == render_page(made, title="<b>", sources=sources, warnings=[warning])

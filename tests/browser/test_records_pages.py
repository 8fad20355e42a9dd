"""Browsing and searching records; one record with where it comes from; taking them away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect
from visiting import Look, figure

if TYPE_CHECKING:
    from browser_fixtures import Visit
    from running import Service

Dashboard = tuple["Service", str]


@pytest.fixture(scope="module")
def corpus(dashboard: Dashboard) -> list[dict[str, Any]]:
    """All records, as the corpus has them."""
    file = dashboard[0].data_dir / "merged_mental_health_dataset.json"
    found: list[dict[str, Any]] = json.loads(file.read_text("utf-8"))
    return found


def words(record: dict[str, Any]) -> int:
    return len(record["input"].split()) + len(record["response"].split())


def choose(page: Page, **filters: str) -> None:
    """Fill in the form of filters, and send it."""
    form = page.get_by_role("search")
    for label, value in filters.items():
        field = form.get_by_label(label.replace("_", " ").capitalize(), exact=True)
        if field.evaluate("one => one.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)
    form.get_by_role("button", name="Filter").click()
    page.wait_for_url("**/records?*")


def shown(page: Page) -> list[int]:
    """Give the numbers of the records on this page."""
    return [figure(heading) for heading in page.locator("article.record h2").all()]


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_filters_narrow_what_is_shown_and_stay_in_the_address(
    visit: Visit, dashboard: Dashboard, corpus: list[dict[str, Any]], *, script: bool
) -> None:
    visitor = visit(dashboard[0], Look(script=script))
    page = visitor.enter(then="/records")
    assert figure(page.locator("#count")) == len(corpus)
    one = corpus[len(corpus) // 2]
    choose(page, source=one["source"])
    of_source = [row for row, each in enumerate(corpus) if each["source"] == one["source"]]
    assert figure(page.locator("#count")) == len(of_source)
    assert shown(page) == of_source[:20]
    choose(page, type=one["type"], tag=one["tags"][0])
    choose(page, At_least="20", At_most="200")
    both = [
        row
        for row in of_source
        if one["tags"][0] in corpus[row]["tags"]
        and corpus[row]["type"] == one["type"]
        and 20 <= words(corpus[row]) <= 200
    ]
    assert figure(page.locator("#count")) == len(both)
    assert shown(page) == both[:20]
    page.reload()
    assert shown(page) == both[:20]
    page.get_by_role("link", name="Clear").click()
    assert figure(page.locator("#count")) == len(corpus)


def test_words_are_found_wherever_they_stand(
    visit: Visit, dashboard: Dashboard, corpus: list[dict[str, Any]]
) -> None:
    page = visit(dashboard[0]).enter(then="/records")
    wanted = [word.strip(".,?!").lower() for word in corpus[7]["response"].split()[:2]]
    choose(page, words=" ".join(wanted).upper())

    def holds(record: dict[str, Any]) -> bool:
        texts = (record[name].lower() for name in ("input", "response", "rejected_response"))
        return any(all(word in text for word in wanted) for text in texts)

    found = [row for row, record in enumerate(corpus) if holds(record)]
    assert 7 in found
    assert shown(page) == found[:20]
    choose(page, words="zyzzyva-that-nobody-wrote")
    expect(page.get_by_role("heading", name="No record is like that")).to_be_visible()
    page.get_by_role("link", name="Show all records").click()
    assert figure(page.locator("#count")) == len(corpus)


def test_wrong_filters_are_told_beside_their_fields_and_kept(
    visit: Visit, dashboard: Dashboard
) -> None:
    page = visit(dashboard[0]).enter(then="/records?min_words=many&source=Nobody&search=sleep")
    expect(page.locator("#wrong-min_words")).to_be_visible()
    expect(page.get_by_label("At least")).to_have_value("many")
    expect(page.get_by_label("Words", exact=True)).to_have_value("sleep")
    page.goto("/records?min_words=9&max_words=3")
    expect(page.locator("#wrong-max_words")).to_be_visible()
    page.goto("/records?source=Nobody")
    expect(page.locator("#wrong-source")).to_be_visible()


def test_pages_follow_one_another_without_gap_or_repeat(
    visit: Visit, dashboard: Dashboard, corpus: list[dict[str, Any]]
) -> None:
    source = max((each["source"] for each in corpus), key=[e["source"] for e in corpus].count)
    page = visit(dashboard[0]).enter(then=f"/records?source={source}")
    seen = shown(page)
    while (further := page.get_by_role("link", name="Next")).count():
        further.click()
        seen += shown(page)
    assert seen == [row for row, each in enumerate(corpus) if each["source"] == source]
    page.get_by_role("link", name="Previous").click()
    page.get_by_role("link", name="First").click()
    assert shown(page) == seen[:20]


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_texts_are_folded_until_they_are_asked_for(
    visit: Visit, dashboard: Dashboard, corpus: list[dict[str, Any]], *, script: bool
) -> None:
    page = visit(dashboard[0], Look(script=script)).enter(then="/records")
    text = page.locator("#record-0 .text").first
    expect(text).to_be_hidden()
    page.get_by_text("Show the text of record 0").click()
    expect(text).to_be_visible()
    expect(page.locator("#record-1 .text").first).to_be_hidden()

    page.goto("/records?source=" + corpus[3]["source"])
    page.get_by_role("button", name="Show all texts in this session").click()
    expect(page.locator(".record .text").first).to_be_visible()
    assert f"source={corpus[3]['source']}" in page.url
    page.goto("/records/1")
    expect(page.locator(".text").first).to_be_visible()
    page.get_by_role("button", name="Fold all texts").click()
    expect(page.locator(".text").first).to_be_hidden()
    assert page.url.endswith("/records/1")


def test_one_record_tells_where_it_comes_from(
    visit: Visit, dashboard: Dashboard, corpus: list[dict[str, Any]]
) -> None:
    service, _ = dashboard
    page = visit(service).enter(then="/records")
    page.get_by_role("link", name="Record 5").click()
    expect(page.get_by_role("heading", name="Record 5")).to_be_visible()
    with service.client() as client:
        lineage = client.get("/records/5").raise_for_status().json()["lineage"]
    shown_ = page.locator("#lineage")
    for value in (lineage["source"], lineage["file"], f"{lineage['row']:,}", lineage["licence"]):
        expect(shown_).to_contain_text(str(value))
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_role("heading", name="Record 6")).to_be_visible()
    page.goto(f"/records/{len(corpus)}")
    expect(page.locator(".trouble")).to_contain_text(f"{len(corpus)}")


def test_a_preference_pair_stands_side_by_side(
    visit: Visit, dashboard: Dashboard, corpus: list[dict[str, Any]]
) -> None:
    row = next(row for row, each in enumerate(corpus) if each["rejected_response"])
    page = visit(dashboard[0]).enter(then=f"/records/{row}")
    page.get_by_text("Show the text", exact=True).click()
    sides = page.locator(".sides > *")
    expect(sides).to_have_count(2)
    expect(sides.nth(0)).to_contain_text("preferred")
    expect(sides.nth(1)).to_contain_text("Rejected")
    first, second = (sides.nth(at).bounding_box() for at in (0, 1))
    assert first
    assert second
    assert first["y"] == second["y"]
    assert first["x"] + first["width"] <= second["x"]


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_long_text_is_cut_and_shown_on_demand(
    visit: Visit, dashboard: Dashboard, corpus: list[dict[str, Any]], *, script: bool
) -> None:
    row, record = next((r, each) for r, each in enumerate(corpus) if len(each["input"]) > 2000)
    page = visit(dashboard[0], Look(script=script)).enter(then=f"/records/{row}")
    page.get_by_text("Show the text", exact=True).click()
    whole = page.locator(".rest .text").first
    expect(whole).to_be_hidden()
    cut = page.locator(".words > .text").first
    assert len(cut.inner_text()) < 1600
    page.get_by_text("Show all", exact=False).filter(has_text="characters").first.click()
    expect(whole).to_be_visible()
    expect(cut).to_be_hidden()
    assert record["input"].endswith(whole.inner_text()[-200:])


def test_what_is_filtered_is_what_is_exported(
    visit: Visit, dashboard: Dashboard, corpus: list[dict[str, Any]], tmp_path: Path
) -> None:
    page = visit(dashboard[0]).enter(then="/records")
    tag = corpus[-1]["tags"][0]
    choose(page, tag=tag, At_least="10")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export these as JSON lines").click()
    assert download.value.suggested_filename == "records.jsonl"
    download.value.save_as(tmp_path / "records.jsonl")
    lines = (tmp_path / "records.jsonl").read_text("utf-8").splitlines()
    exported = [json.loads(line) for line in lines]
    expected = [each for each in corpus if tag in each["tags"] and words(each) >= 10]
    assert len(expected) == figure(page.locator("#count"))
    assert [{name: line[name] for name in corpus[0]} for line in exported] == expected

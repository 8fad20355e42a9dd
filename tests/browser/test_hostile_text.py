"""A stranger's words on every page: they are shown as they are, and nothing of them runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from catalogues import EMOJI, HARM, HOSTILE, IMAGE, LONG_NAME, RIGHT_TO_LEFT
from playing import Player
from playwright.sync_api import expect
from test_live_pages import prepare
from visiting import DESK, PHONE, Look, Visitor

from mindcorpus.errors import DataError

if TYPE_CHECKING:
    from browser_fixtures import Visit
    from running import Service


@pytest.fixture
def worker(strangers: Service) -> Iterator[Player]:
    """What plays the worker there."""
    with Player(strangers) as made:
        yield made


@pytest.fixture
def failed(strangers: Service, worker: Player) -> str:
    """A job that failed with words that mean harm."""
    job = prepare(strangers, system_prompt=" ".join(HOSTILE)[:4000])
    worker.take(job)
    worker.report(job, 7, note=" ".join(HOSTILE))
    worker.fail(job, DataError(" ".join(HOSTILE), hint=IMAGE + HARM, source=LONG_NAME))
    return job


def unharmed(visitor: Visitor) -> None:
    """Nothing ran, nothing was asked, nothing was blocked, and the page is as wide as it should."""
    page = visitor.page
    assert page.evaluate("window.harmed") is None
    harmful = "main script, main [onerror], main [onload], [href^='javascript']"
    assert page.locator(harmful).count() == 0
    assert visitor.sideways() == [], visitor.path
    assert visitor.troubles == []


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_nothing_of_it_runs_and_no_page_is_wider_than_the_window(
    visit: Visit, strangers: Service, failed: str, size: tuple[int, int]
) -> None:
    visitor = visit(strangers, Look(size=size))
    page = visitor.enter(then="/")
    for details in page.locator("details").all():
        details.evaluate("one => { one.open = true; }")
    unharmed(visitor)
    expect(page.locator("#licences")).to_contain_text(HARM)
    assert page.locator("#licences .licence a").count() == 0  # javascript: is no address
    for path in ("/jobs", f"/jobs/{failed}", "/jobs/new/merge", "/jobs/new/prepare"):
        page.goto(path)
        unharmed(visitor)
    page.goto("/records")
    unharmed(visitor)
    page.get_by_role("button", name="Show all texts in this session").click()
    expect(page.locator(".text").first).to_be_visible()
    unharmed(visitor)
    for row in range(len(HOSTILE) + 1):
        page.goto(f"/records/{row}")
        for details in page.locator("details").all():
            details.evaluate("one => { one.open = true; }")
        unharmed(visitor)


def test_the_words_are_shown_as_they_are(visit: Visit, strangers: Service) -> None:
    page = visit(strangers).enter(then="/records/0")
    page.get_by_text("Show the text", exact=True).click()
    for row, text in enumerate(HOSTILE):
        page.goto(f"/records/{row}")
        answer = page.locator(".sides .text").first
        shown = answer.text_content() or ""
        assert text.startswith(shown.removesuffix("…")[:1000])
    assert page.locator(".tags").inner_text().count("<img src=x") == 1


def test_right_to_left_is_set_so_and_does_not_leak(visit: Visit, strangers: Service) -> None:
    page = visit(strangers).enter(then=f"/records/{HOSTILE.index(RIGHT_TO_LEFT)}")
    page.get_by_text("Show the text", exact=True).click()
    answer = page.locator(".sides .text").first
    assert answer.evaluate("one => getComputedStyle(one).unicodeBidi") == "plaintext"
    assert answer.get_attribute("dir") == "auto"
    assert page.locator("html").evaluate("one => getComputedStyle(one).direction") == "ltr"


def test_filters_and_addresses_give_back_what_they_were_given(
    visit: Visit, strangers: Service
) -> None:
    visitor = visit(strangers)
    page = visitor.enter(then="/records")
    for text in (HARM, IMAGE, EMOJI):
        page.goto("/records")
        page.get_by_label("Words", exact=True).fill(text)
        page.get_by_role("button", name="Filter").click()
        expect(page.get_by_label("Words", exact=True)).to_have_value(text)
        assert page.locator("article.record").count() >= 1
        unharmed(visitor)
    page.goto("/records")
    page.locator(".tags a", has_text="<img src=x").first.click()
    expect(page.get_by_label("Tag", exact=True)).to_have_value(IMAGE)
    unharmed(visitor)
    page.goto("/<script>alert(1)</script>")
    unharmed(visitor)
    page.goto("/jobs/<script>alert(1)<%2Fscript>")
    unharmed(visitor)


def test_what_comes_by_the_stream_is_no_better(
    visit: Visit, strangers: Service, worker: Player
) -> None:
    visitor = visit(strangers)
    job = prepare(strangers, seed=5)
    page = visitor.enter(then=f"/jobs/{job}")
    worker.take(job)
    worker.report(job, 1, note=IMAGE + HARM)
    expect(page.locator("#log")).to_contain_text(IMAGE)
    worker.fail(job, DataError(HARM, hint=IMAGE))
    expect(page.locator("#error")).to_contain_text(HARM)
    unharmed(visitor)

"""Jobs of a real worker, watched: to a good end, to a bad one, and stopped on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect
from sample_numbers import KEPT
from test_new_job_pages import send, tick_only
from visiting import Look, Visitor

if TYPE_CHECKING:
    from browser_fixtures import Visit
    from running import Service

SCRIPT = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])


def merge(visitor: Visitor, *sources: str) -> Page:
    """Have these sources merged, as a person would; gives the page of the job."""
    page = visitor.enter(then="/jobs/new/merge")
    tick_only(page, *sources)
    page.locator("#force").check()
    send(page, "Start the merge")
    expect(page.get_by_role("heading", name="Merge", exact=False)).to_be_visible()
    return page


def fact(page: Page, name: str) -> str:
    """What the page tells just now, such as `Rows`."""
    value = page.locator(".facts div", has=page.get_by_text(name, exact=True)).locator("dd")
    return value.inner_text() if value.count() else ""


def test_a_merge_is_watched_to_its_end_without_a_reload(visit: Visit, workshop: Service) -> None:
    page = merge(visit(workshop), "Small", "Slow")
    page.evaluate("window.same = true")
    expect(page.locator("[data-connection]")).to_have_text("Live")
    expect(page.locator(".pill").first).to_have_text("Running")
    figures, stages = set(), set()
    while page.locator("#result").count() == 0:
        figures.add(fact(page, "Bytes"))
        stages.add(page.locator("#summary").inner_text())
        page.wait_for_timeout(50)
    assert len(figures) >= 3
    assert any("source" in words and "of 2" in words for words in stages)
    expect(page.locator("#summary")).to_have_text("Done: 20,030 records.")
    expect(page.locator(".steps .done")).to_have_count(5)
    expect(page.locator("[data-connection]")).to_be_hidden()
    assert page.evaluate("window.same")
    assert page.title().startswith("Succeeded")

    table = page.locator("#sources")
    expect(table.locator("tr", has_text="Slow")).to_contain_text("20,000")
    log = page.locator("#log li").all_inner_texts()
    assert "Succeeded" in log[0]
    assert "Queued" in log[-1]
    assert any("Slow" in line for line in log)
    page.get_by_role("link", name="20,030 records").click()
    expect(page.locator(".figures")).to_contain_text("20,030")


@SCRIPT
def test_a_merge_that_fails_says_why_what_to_do_and_can_be_run_again(
    visit: Visit, workshop: Service, *, script: bool
) -> None:
    visitor = visit(workshop, Look(script=script))
    page = merge(visitor, "Small", "Gone")
    failed = visitor.path
    error = page.locator("#error")
    expect(error).to_be_visible()
    expect(page.locator(".pill").first).to_have_text("Failed")
    expect(error).to_contain_text("Gone")
    expect(error).to_contain_text("What to do:")
    expect(error.locator("code")).to_have_text("hub-unavailable")
    expect(page.locator("#sources tr", has_text="Gone")).to_contain_text("failed")
    expect(page.locator("#log")).to_contain_text("Failed: ")
    page.get_by_role("button", name="Run again").click()
    expect(page.get_by_text("Runs again")).to_be_visible()
    assert visitor.path != failed
    expect(page.locator("#error")).to_be_visible()
    page.locator("#about a").click()
    assert visitor.path == failed
    page.goto("/")
    expect(page.locator(".figures")).to_contain_text("30")  # what was there is there still


@SCRIPT
def test_a_running_merge_is_cancelled_and_that_is_seen(
    visit: Visit, workshop: Service, *, script: bool
) -> None:
    visitor = visit(workshop, Look(script=script))
    page = merge(visitor, "Endless")
    job = visitor.path
    expect(page.locator(".pill").first).to_have_text("Running")
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("heading", name="Cancel this job?")).to_be_visible()
    page.get_by_role("link", name="Let it run").click()
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("button", name="Cancel the job").click()
    expect(page.locator("#summary")).to_contain_text("Cancelled.")
    expect(page.locator(".pill").first).to_have_text("Cancelled")
    expect(page.locator("#log li").first).to_contain_text("Cancelled")
    assert visitor.path == job
    assert page.get_by_role("link", name="Cancel").count() == 0
    expect(page.get_by_role("button", name="Run again")).to_be_visible()
    with workshop.client() as client:
        assert client.get(f"/jobs/{job.rsplit('/')[-1]}").json()["state"] == "cancelled"
    page.goto(f"{job}/cancel")
    expect(page.get_by_role("heading", name="There is nothing to cancel")).to_be_visible()


@SCRIPT
def test_jobs_are_listed_newest_first_and_filtered_in_the_address(
    visit: Visit, dashboard: tuple[Service, str], *, script: bool
) -> None:
    visitor = visit(dashboard[0], Look(script=script))
    page = visitor.enter(then="/jobs")
    titles = page.locator("#jobs tbody td:first-child a")
    expect(titles).to_have_text(["Prepare all formats", "Merge of the sample"])
    page.get_by_label("Kind").select_option("merge")
    page.get_by_role("button", name="Filter").click()
    expect(titles).to_have_text(["Merge of the sample"])
    assert "kind=merge" in visitor.path
    page.get_by_label("State").select_option("failed")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("heading", name="No job is like that")).to_be_visible()
    page.get_by_role("link", name="Clear").click()
    titles.last.click()
    expect(page.locator("#summary")).to_have_text(f"Done: {KEPT:,} records.")

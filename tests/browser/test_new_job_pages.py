"""Making jobs: forms that keep what was filled in and say what is wrong where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Locator, Page, expect
from running import finished
from visiting import Look

if TYPE_CHECKING:
    from browser_fixtures import Visit
    from running import Service

SCRIPT = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])


def tick_only(page: Page, *names: str) -> None:
    """Tick these sources and no others."""
    for box in page.locator("#field-sources input[name=sources]").all():
        box.set_checked(box.input_value() in names)


def send(page: Page, name: str) -> None:
    """Send the form, and wait for the page that answers."""
    with page.expect_response(lambda answer: answer.request.method == "POST"):
        page.get_by_role("button", name=name).click()
    page.wait_for_load_state()


def description_of(field: Locator) -> str:
    """What is said to be wrong with a field, by the element that it names as its description."""
    expect(field).to_have_attribute("aria-invalid", "true")
    page = field.page
    name = (field.get_attribute("aria-describedby") or "").split()[0]
    message = page.locator(f"[id='{name}']")
    expect(message).to_be_visible()
    page.wait_for_load_state("load")  # without its style sheet nothing stands in its place
    near, far = field.bounding_box(), message.bounding_box()
    assert near
    assert far
    assert abs(far["y"] - near["y"]) < 150 or field.evaluate("one => one.tagName") == "FIELDSET"
    return message.inner_text()


@SCRIPT
def test_a_merge_that_cannot_be_keeps_what_was_filled_in(
    visit: Visit, workshop: Service, *, script: bool
) -> None:
    page = visit(workshop, Look(script=script)).enter(then="/jobs")
    page.get_by_role("link", name="New merge").click()
    tick_only(page)
    page.get_by_label("Go on without it").check()
    page.get_by_text("More choices").click()
    page.get_by_label("Revisions", exact=True).fill("no equals sign")
    page.get_by_label("Options of sources").fill("Psych-101.max_chars=8000")
    send(page, "Start the merge")

    expect(page.get_by_role("alert")).to_contain_text("Nothing was sent yet.")
    assert "at least one" in description_of(page.locator("#field-sources"))
    assert "NAME=VALUE" in description_of(page.get_by_label("Revisions", exact=True))
    assert "There is a corpus" in description_of(page.locator("#force"))
    expect(page.get_by_label("Go on without it")).to_be_checked()
    expect(page.get_by_label("Revisions", exact=True)).to_have_value("no equals sign")
    expect(page.get_by_label("Options of sources")).to_have_value("Psych-101.max_chars=8000")
    assert page.locator("#field-sources input[name=sources]:checked").count() == 0
    expect(page.locator("#field-force")).to_contain_text("30 records")

    tick_only(page, "Small")
    page.get_by_label("Revisions", exact=True).fill("")
    page.get_by_label("Options of sources").fill("Small.colour=blue")
    page.locator("#force").check()
    send(page, "Start the merge")
    assert "Small.colour" in description_of(page.get_by_label("Options of sources"))
    expect(page.locator("#force")).to_be_checked()
    expect(page.locator("input[value=Small]")).to_be_checked()
    page.get_by_label("Options of sources").fill("")
    send(page, "Start the merge")
    expect(page.get_by_role("heading", name="Merge")).to_be_visible()
    expect(page.locator("#summary")).to_have_text("Done: 30 records.")


@SCRIPT
def test_a_prepare_that_cannot_be_keeps_what_was_filled_in(
    visit: Visit, workshop: Service, *, script: bool
) -> None:
    page = visit(workshop, Look(script=script)).enter(then="/jobs")
    page.get_by_role("link", name="New prepare").click()
    for box in page.locator("input[name=format]").all():
        box.set_checked(box.input_value() == "openai")
    page.get_by_label("at most of Small").fill("some")
    for fold in ("Selection by", "Mixture", "Split"):
        page.locator("summary", has_text=fold).click()
    page.get_by_label("Tags").fill("no-such-tag")
    page.get_by_label("Times of Small").fill("-1")
    page.get_by_label("Validation share").fill("2")
    page.get_by_label("Seed").fill("-1")
    page.get_by_label("System message of").fill("You listen.")
    page.locator("input[name=types]").first.uncheck()
    send(page, "Start the prepare")

    expect(page.get_by_role("alert")).to_contain_text("Nothing was sent yet.")
    assert "whole number" in description_of(page.get_by_label("at most of Small"))
    assert "no tag no-such-tag" in description_of(page.get_by_label("Tags"))
    assert "greater than or equal to 0.001" in description_of(page.get_by_label("Times of Small"))
    assert "less than 1" in description_of(page.get_by_label("Validation share"))
    assert "whole number" in description_of(page.get_by_label("Seed"))
    assert "at least one type" in description_of(page.locator("fieldset", has_text="Types").last)
    expect(page.locator("input[value=openai]")).to_be_checked()
    expect(page.get_by_label("at most of Small")).to_have_value("some")
    expect(page.get_by_label("System message of")).to_have_value("You listen.")

    page.get_by_label("at most of Small").fill("12")
    page.get_by_label("Tags").fill("")
    page.get_by_label("Times of Small").fill("")
    page.get_by_label("Least words").fill("9")
    page.get_by_label("Most words").fill("3")
    page.get_by_label("Validation share").fill("0.25")
    page.get_by_label("Seed").fill("7")
    page.locator("input[name=types]").first.check()
    if page.locator("#force").count():
        page.locator("#force").check()
    send(page, "Start the prepare")
    assert "is more than" in description_of(page.get_by_label("Least words"))
    page.get_by_label("Least words").fill("")
    page.get_by_label("Most words").fill("")
    send(page, "Start the prepare")
    expect(page.locator("#summary")).to_have_text("Done: openai with 12 rows.")
    about = page.locator("#about")
    for words in ("openai", "Small: 12", "7", "0.25", "You listen."):
        expect(about).to_contain_text(words)
    expect(page.locator("#result").get_by_role("link").first).to_have_attribute(
        "href", "/api/ai/data/artifacts/mental_health_openai.jsonl"
    )


@SCRIPT
def test_what_would_change_is_shown_before_it_is_replaced(
    visit: Visit, workshop: Service, *, script: bool
) -> None:
    with workshop.client() as client:
        asked = {"format": "chat", "caps": {"Small": 9}, "force": True}
        finished(client, client.post("/prepare", json=asked).raise_for_status().json())
    page = visit(workshop, Look(script=script)).enter(then="/jobs/new/prepare?format=chat")
    assert page.locator("input[name=format]:checked").count() == 1
    page.get_by_label("at most of Small").fill("7")
    send(page, "Start the prepare")
    said = description_of(page.locator("#force"))
    assert "Chat JSON lines, split: would change, caps: Small=9 -> Small=7." in said
    page.locator("#force").check()
    send(page, "Start the prepare")
    expect(page.locator("#summary")).to_have_text("Done: chat with 7 rows.")
    page.goto("/jobs/new/prepare")
    for box in page.locator("input[name=format]").all():
        box.uncheck()
    send(page, "Start the prepare")
    assert "at least one format" in description_of(page.locator("#field-formats"))


def test_a_second_click_finds_the_job_of_the_first(visit: Visit, stage: Service) -> None:
    one, other = visit(stage), visit(stage)
    addresses = []
    for visitor in (one, other):
        page = visitor.enter(then="/jobs/new/merge")
        page.get_by_label("The synthetic sample").check()
        send(page, "Start the merge")
        expect(page.get_by_role("heading", name="Merge of the sample")).to_be_visible()
        addresses.append(visitor.path)
    assert addresses[0] == addresses[1]

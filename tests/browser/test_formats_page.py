"""The training formats: what each would hold, how it is loaded, and outdated ones made again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from running import finished
from visiting import PHONE, Look

if TYPE_CHECKING:
    from browser_fixtures import Visit
    from running import Service

Dashboard = tuple["Service", str]


def test_each_format_tells_what_it_would_hold_and_how_it_stands(
    visit: Visit, dashboard: Dashboard
) -> None:
    service, reader = dashboard
    with service.client() as client:
        offered = client.get("/formats").raise_for_status().json()["formats"]
    page = visit(service).enter(reader)
    page.goto("/")
    page.get_by_role("navigation").get_by_role("link", name="Formats").click()
    assert page.locator("article").count() == len(offered)
    for offer in offered:
        card = page.locator(f"#format-{offer['name']}")
        expect(card).to_contain_text(offer["summary"])
        expect(card).to_contain_text("Would hold today: ")
        for section in offer["sections"]:
            expect(card).to_contain_text(f"{section['rows']:,} {section['takes']}")
        expect(card.locator(".pill")).to_have_text("up to date" if offer["exists"] else "not made")
        assert (card.get_by_role("link").count() > 0) is offer["exists"]
        # The token of this window may only look.
        expect(card.get_by_text("Prepare it")).to_have_count(0)


@pytest.mark.parametrize("look", [Look(), Look(size=PHONE), Look(script=False)])
def test_a_snippet_is_text_that_a_script_copies(
    visit: Visit, dashboard: Dashboard, look: Look
) -> None:
    service, _ = dashboard
    with service.client() as client:
        offered = client.get("/formats").raise_for_status().json()["formats"]
    (snippet,) = [each["snippet"] for each in offered if each["name"] == "chat"]
    visitor = visit(service, look)
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = visitor.enter(then="/formats")
    card = page.locator("#format-chat")
    card.get_by_text("How to load it").click()
    assert card.locator("pre").text_content() == snippet
    button = card.get_by_role("button", name="Copy")
    if not look.script:
        expect(button).to_have_count(0)
        return
    button.click()
    expect(card.get_by_role("status")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == snippet


def test_outdated_formats_are_made_again_by_one_button(visit: Visit, workshop: Service) -> None:
    with workshop.client() as client:
        asked = {"format": "sharegpt", "caps": {"Small": 5}, "force": True}
        finished(client, client.post("/prepare", json=asked).raise_for_status().json())
        merge = {"sources": ["Small"], "force": True, "stages": []}
        finished(client, client.post("/merge", json=merge).raise_for_status().json())
    page = visit(workshop).enter(then="/")
    card = page.locator("#format-sharegpt")
    expect(card).to_contain_text("It was made from another corpus than the one there is.")
    page.get_by_role("button", name="Prepare again").click()
    expect(page.locator("#summary")).to_contain_text("sharegpt with 5 rows")
    page.goto("/")
    expect(page.locator("#outdated")).to_have_count(0)
    expect(card).to_contain_text("5 rows")

"""What holds on every page: it fits, it can be read and used by all, and nothing goes wrong."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import pytest
from pages import addresses, unfold
from playwright.sync_api import Page, expect
from visiting import DESK, PHONE, Look, Visitor

if TYPE_CHECKING:
    from browser_fixtures import Visit
    from running import Service

Dashboard = tuple["Service", str]


def violations(page: Page) -> list[str]:
    """Give what axe finds serious or critical."""
    page.evaluate(
        resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
    )
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
    return [
        f"{page.url}: {each['id']} ({each['impact']}): {each['help']}: {node['html'][:300]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"][:5]
    ]


def looked_at(visitor: Visitor, path: str) -> list[str]:
    """Go to a page and unfold all; gives what axe finds, and by how much it is too wide."""
    page = visitor.goto(path)
    too_wide = visitor.sideways()
    unfold(page)
    return [*violations(page), *too_wide, *visitor.sideways()]


@pytest.mark.parametrize(
    "look", [Look(size=DESK), Look(size=PHONE, dark=True)], ids=["desk, light", "phone, dark"]
)
def test_axe_finds_nothing_serious_and_no_page_scrolls_sideways(
    visit: Visit, dashboard: Dashboard, look: Look
) -> None:
    service, _ = dashboard
    visitor = visit(service, look)
    wrong = looked_at(visitor, "/sign-in")
    visitor.enter()
    for path in addresses(service):
        wrong += looked_at(visitor, path)
    assert wrong == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious_in_what_went_wrong_or_goes_on(
    visit: Visit, stage: Service, stage_corpus: object, *, dark: bool
) -> None:
    from playing import Player
    from test_live_pages import prepare

    from mindcorpus.errors import DataError

    visitor = visit(stage, Look(dark=dark, size=PHONE))
    visitor.enter()
    with Player(stage) as worker:
        failed, running, queued = (prepare(stage, seed=seed) for seed in (1, 2, 3))
        worker.take(failed)
        worker.fail(failed, DataError("row 7 is no JSON", hint="Mend it."))
        worker.take(running)
        worker.report(running, 1_204, note="waits for the disk")
        wrong = []
        for path in ("/", "/jobs", f"/jobs/{failed}", f"/jobs/{running}", f"/jobs/{queued}"):
            wrong += looked_at(visitor, path)
        expect(visitor.page.locator("[data-connection]")).to_be_in_viewport(ratio=1)
        wrong += looked_at(visitor, f"/jobs/{running}/cancel")
    for kind in ("merge", "prepare"):
        page = visitor.goto(f"/jobs/new/{kind}")
        for box in page.locator("input[name=sources], input[name=take]").all():
            box.uncheck()
        page.get_by_role("button", name="Start the").click()
        expect(page.get_by_role("alert").last).to_contain_text("Nothing was sent yet.")
        wrong += [*violations(page), *visitor.sideways()]
    assert wrong == []


def test_pages_have_one_main_heading_a_language_and_a_title_of_their_own(
    visit: Visit, dashboard: Dashboard
) -> None:
    service, _ = dashboard
    visitor = visit(service)
    page = visitor.enter()
    titles = set()
    paths = addresses(service)
    for path in paths:
        answer = page.goto(path)
        assert answer
        assert page.locator("h1").count() == 1, path
        assert page.locator("html").get_attribute("lang") == "en"
        titles.add(page.title())
        assert page.locator("style, [style], script:not([src])").count() == 0
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
    assert len(titles) >= len(paths) - 4


@pytest.mark.parametrize("size", [(320, 640), (768, 1024)], ids=["small phone", "tablet"])
def test_other_windows_fit_too(visit: Visit, dashboard: Dashboard, size: tuple[int, int]) -> None:
    service, _ = dashboard
    visitor = visit(service, Look(size=size))
    page = visitor.enter()
    for path in addresses(service):
        page.goto(path)
        unfold(page)
        assert visitor.sideways() == [], path


def test_times_are_the_readers_and_numbers_have_separators(
    visit: Visit, stage: Service, stage_corpus: object
) -> None:
    from test_live_pages import prepare

    job = prepare(stage)
    page = visit(stage).enter(then=f"/jobs/{job}")
    with stage.client() as client:
        created = str(client.get(f"/jobs/{job}").json()["created"])
    time = page.locator("#about time").first
    assert (time.get_attribute("title") or "")[:19] == created[:19]
    hour, minute = int(created[11:13]), int(created[14:16])
    ahead = (hour * 60 + minute + 330) % 1440  # the visitor lives in India
    expect(time).to_contain_text(f"{ahead // 60:02}:{ahead % 60:02}")
    without = visit(stage, Look(script=False)).enter(then=f"/jobs/{job}")
    expect(without.locator("#about time").first).to_contain_text(f"{created[11:16]} UTC")

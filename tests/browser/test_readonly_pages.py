"""A token that may only read: all is seen, nothing can be changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pages import addresses
from playwright.sync_api import expect
from sample_numbers import KEPT
from visiting import Look

from web.access.tokens import TokenFile

if TYPE_CHECKING:
    from browser_fixtures import Visit
    from running import Service

Dashboard = tuple["Service", str]
OWN = {"Sec-Fetch-Site": "same-origin"}


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_no_button_is_shown_that_may_not_be_used(
    visit: Visit, dashboard: Dashboard, *, script: bool
) -> None:
    service, token = dashboard
    page = visit(service, Look(script=script)).sign_in(token)
    expect(page.locator(".who")).to_contain_text("read-only")
    allowed = {"Sign out", "Filter", "Show all texts in this session", "Fold all texts"}
    changing = ("/jobs/new/", "/cancel", "/retry")
    paths = [path for path in addresses(service) if not any(each in path for each in changing)]
    for path in paths:
        page.goto(path)
        assert set(page.get_by_role("button").all_inner_texts()) <= allowed, path
        for link in page.locator("a, form").all():
            where = link.get_attribute("href") or link.get_attribute("action") or ""
            assert not any(each in where for each in changing), (path, where)


def test_a_forged_form_is_refused_with_a_plain_page(visit: Visit, dashboard: Dashboard) -> None:
    service, token = dashboard
    visitor = visit(service)
    visitor.enter(token)
    with service.client() as client:
        job = client.get("/jobs").json()["jobs"][0]["id"]
    form: dict[str, str | float | bool] = {"material": "sample", "missing": "stop", "force": "on"}
    paths = ("/jobs/new/merge", "/jobs/new/prepare", f"/jobs/{job}/cancel", f"/jobs/{job}/retry")
    for path in paths:
        answer = visitor.context.request.post(path, form=form, headers=OWN)
        assert answer.status == 403, path
        assert "Your token may only look" in answer.text()
    page = visitor.goto("/jobs/new/merge")
    expect(page.locator(".trouble")).to_contain_text("Your token may only look")
    with service.client() as client:
        assert len(client.get("/jobs").json()["jobs"]) == 2


def test_it_may_look_at_the_job_that_others_run_and_fold_texts(
    visit: Visit, stage: Service, stage_corpus: object
) -> None:
    from test_live_pages import prepare

    tokens = TokenFile(stage.tokens_file)
    token = tokens.new("looker", ("read",))
    try:
        job = prepare(stage)
        page = visit(stage).enter(token, then=f"/jobs/{job}")
        expect(page.locator("[data-connection]")).to_have_text("Live")
        assert page.get_by_role("link", name="Cancel").count() == 0
        page.goto("/records")
        page.get_by_role("button", name="Show all texts in this session").click()
        expect(page.locator(".record .text").first).to_be_visible()
        with page.expect_download() as download:
            page.get_by_role("link", name="Export all").click()
        assert len(download.value.path().read_text("utf-8").splitlines()) == KEPT
    finally:
        tokens.revoke("looker")

"""Signing in with a token, and out; what the session is, and when it ends."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect
from visiting import Look

from web.access.tokens import TokenFile

if TYPE_CHECKING:
    from browser_fixtures import Visit
    from running import Service

SCRIPT = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])


@SCRIPT
def test_a_wrong_token_is_told_beside_the_field_and_opens_nothing(
    visit: Visit, stage: Service, *, script: bool
) -> None:
    visitor = visit(stage, Look(script=script))
    page = visitor.goto("/sign-in")
    field = page.get_by_label("Token")
    field.fill("mc_not-a-token-of-this-service")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#wrong-token")).to_have_text("This token is not valid.")
    expect(field).to_have_accessible_description(re.compile("^This token is not valid."))
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_value("")
    assert visitor.context.cookies() == []
    assert visitor.goto("/").url.endswith("/sign-in")


@SCRIPT
def test_a_token_opens_the_page_that_was_asked_for_and_signing_out_closes_it(
    visit: Visit, stage: Service, *, script: bool
) -> None:
    visitor = visit(stage, Look(script=script))
    page = visitor.goto("/jobs?kind=merge")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.get_by_label("Token").get_attribute("type") == "password"
    page.get_by_label("Token").fill(stage.token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    assert visitor.path == "/jobs?kind=merge"

    (cookie,) = visitor.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert stage.token not in cookie["value"]
    assert stage.token not in page.content()

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert visitor.context.cookies() == []
    page.go_back()
    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_who_is_signed_in_is_not_asked_again(visit: Visit, stage: Service) -> None:
    visitor = visit(stage)
    visitor.enter()
    visitor.goto("/sign-in?next=/jobs")
    assert visitor.path == "/jobs"


def test_the_session_ends_the_moment_its_token_is_revoked_also_on_a_page_that_lies_open(
    visit: Visit, stage: Service
) -> None:
    tokens = TokenFile(stage.tokens_file)
    name = f"guest-{time.time_ns()}"
    guest = visit(stage)
    page = guest.sign_in(tokens.new(name, ("read",)), then="/jobs")
    expect(page.locator(".me")).to_contain_text(name)
    tokens.revoke(name)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    guest.goto("/records")
    assert guest.path == "/sign-in?next=/records"


def test_a_form_of_another_site_changes_nothing(visit: Visit, stage: Service) -> None:
    visitor = visit(stage)
    visitor.enter()
    evil = stage.url.replace("127.0.0.1", "localhost")  # another origin, that the browser reaches
    page = visitor.goto(f"{evil}/sign-in")
    page.route(
        f"{evil}/evil",
        lambda route: route.fulfill(
            content_type="text/html",
            body=f'<form method=post action="{stage.url}/jobs/new/merge">'
            "<input name=material value=sample><input name=sources value=TRACE><button>Win</button>"
            "</form>",
        ),
    )
    page.goto(f"{evil}/evil")
    with page.expect_navigation():
        page.get_by_role("button", name="Win").click()
    with stage.client() as client:
        assert client.get("/jobs").json()["jobs"] == []


@SCRIPT
def test_a_link_of_another_site_leads_to_the_page_without_signing_in_again(
    visit: Visit, stage: Service, *, script: bool
) -> None:
    visitor = visit(stage, Look(script=script))
    page = visitor.enter()
    elsewhere = stage.url.replace("127.0.0.1", "localhost")
    page.route(
        f"{elsewhere}/wiki",
        lambda route: route.fulfill(
            content_type="text/html", body=f'<a href="{stage.url}/jobs?kind=merge">Our jobs</a>'
        ),
    )
    page.goto(f"{elsewhere}/wiki")
    page.get_by_role("link", name="Our jobs").click()
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    assert visitor.path == "/jobs?kind=merge"
    visitor.calm()  # the other site has no icon


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {},
    ],
    ids=str,
)
def test_the_cookie_alone_changes_nothing(
    visit: Visit, stage: Service, headers: dict[str, str]
) -> None:
    visitor = visit(stage)
    visitor.enter()
    form: dict[str, str | float | bool] = {
        "material": "sample",
        "sources": "TRACE",
        "missing": "stop",
    }
    forged = visitor.context.request.post("/jobs/new/merge", form=form, headers=headers)
    assert forged.status == 403
    own = visitor.context.request.post(
        "/jobs/new/merge", form=form, headers={"Sec-Fetch-Site": "same-origin"}, max_redirects=0
    )
    assert own.status == 303


def test_by_keyboard_alone_one_gets_in_and_around_and_sees_where_one_is(
    visit: Visit, stage: Service, stage_corpus: object
) -> None:
    visitor = visit(stage)
    page = visitor.goto("/")
    keyboard = page.keyboard
    expect(page.get_by_label("Token")).to_be_focused()
    keyboard.type(stage.token)
    keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()

    keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()

    page.goto("/records")
    for name in ("Skip to the content", "mindcorpus", "Overview", "Formats", "Jobs"):
        keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == name
        assert focus_is_seen(visitor.page), name
    keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()

    page.goto("/")
    seen = set()
    for _ in range(80):
        keyboard.press("Tab")
        what = page.evaluate(
            "document.activeElement.closest('svg,details,form,nav,a,div')?.nodeName"
        )
        seen.add(what.lower())
        assert focus_is_seen(visitor.page), page.evaluate("document.activeElement.outerHTML")
    assert {"svg", "details", "form"} <= seen or {"a", "details", "form"} <= seen


def focus_is_seen(page: Page) -> bool:
    """Whether what has the focus is marked, by an outline or otherwise, and is in view."""
    return bool(
        page.evaluate(
            """() => {
              const one = document.activeElement;
              const style = getComputedStyle(one);
              const area = one.querySelector(".area");
              const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1.5;
              const stroked = area && parseFloat(getComputedStyle(area).strokeWidth) >= 1.5
                && getComputedStyle(area).stroke !== "none";
              const box = one.getBoundingClientRect();
              return Boolean(ring || stroked) && box.bottom > 0 && box.top < innerHeight;
            }"""
        )
    )

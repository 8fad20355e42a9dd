"""Adding a source: looked at first, with its records, then in the catalogue and in the corpus."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from pages import unfold
from playwright.sync_api import expect
from redis_server import RedisServer
from running import Service
from test_every_page import violations
from visiting import PHONE, Look

from web.access.tokens import TokenFile

if TYPE_CHECKING:
    from browser_fixtures import Visit
    from playwright.sync_api import Browser

SCRIPT = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
ROWS = [
    {"question": "Pourquoi <b>moi</b> ? 😔", "answer": "„Ruhe“ hilft."},
    {"question": "眠れません", "answer": "Écoutez-vous."},
    {"question": "", "answer": "To nobody."},
]


@pytest.fixture(scope="module")
def open_service(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, str]]:
    """A service with a worker that lets sources be added from a folder, and a token that may."""
    folder = tmp_path_factory.mktemp("open")
    shared = folder / "shared"
    shared.mkdir()
    for name in ("with", "without"):
        (shared / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (shared / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n")
    redis = RedisServer(folder / "redis")
    redis.start()
    service = Service(folder, redis.url, source_folders=str(shared))
    try:
        service.start_web()
        service.start_worker()
        service.wait_until_ready()
        yield service, TokenFile(service.tokens_file).new("curator", ("write", "sources"))
    finally:
        service.stop()
        redis.stop()


@SCRIPT
def test_a_source_is_looked_at_added_and_merged(
    visit: Visit, open_service: tuple[Service, str], *, script: bool
) -> None:
    service, token = open_service
    name = "with" if script else "without"
    visitor = visit(service, Look(script=script))
    page = visitor.enter(token, then="/jobs")
    page.get_by_role("link", name="Add a source").click()
    page.get_by_role("button", name="Inspect").click()
    expect(page.locator("#wrong-where")).to_contain_text("Name a file")
    page.get_by_label("Path or repository").fill("elsewhere/x.jsonl")
    page.get_by_role("button", name="Inspect").click()
    expect(page.locator("#wrong-where")).to_contain_text("in no folder")
    page.get_by_label("Path or repository").fill(f"shared/{name}.jsonl")
    page.get_by_label("Type of its records").fill("counseling")
    page.get_by_role("button", name="Inspect").click()

    expect(page.locator("#columns")).to_contain_text("question")
    expect(page.locator("#kept")).to_contain_text("2 of 3 rows are kept")
    expect(page.locator("#dropped")).to_contain_text("blank-input")
    expect(page.locator("#written")).to_have_text("Encoding: utf-8.")
    expect(page.locator("#found")).to_contain_text("CC-BY-4.0")
    # Folded, as texts are; and what looks like a tag is text.
    text = page.locator("#row-0 .text").first
    expect(text).to_be_hidden()
    page.get_by_text("Show the text of row 0").click()
    expect(text).to_have_text(ROWS[0]["question"])
    assert visitor.sideways() == []

    page.get_by_role("button", name="Add this source").click()
    expect(page.locator("#added")).to_contain_text(f"{name} is in the catalogue")
    page.locator("#added").get_by_role("link", name="New merge").click()
    for box in page.locator("#field-sources input[name=sources]").all():
        box.set_checked(box.input_value() == name)
    if page.locator("#force").count():
        page.locator("#force").check()
    page.get_by_role("button", name="Start the merge").click()
    expect(page.locator(".pill").first).to_have_text("succeeded", ignore_case=True)
    visitor.goto(f"/records?source={name}")
    expect(page.locator("#count")).to_contain_text("2 records")

    visitor.goto("/sources/new")
    page.get_by_role("button", name=f"Remove {name}", exact=True).click()
    expect(page.get_by_role("button", name=f"Remove {name}", exact=True)).to_have_count(0)


@pytest.mark.parametrize("look", [Look(), Look(size=PHONE, dark=True)], ids=["desk", "phone"])
def test_all_can_read_and_use_it(
    visit: Visit, open_service: tuple[Service, str], look: Look
) -> None:
    service, token = open_service
    visitor = visit(service, look)
    page = visitor.enter(token, then="/sources/new")
    wrong = [*violations(page), *visitor.sideways()]
    page.get_by_label("Path or repository").fill("shared/with.jsonl")
    page.get_by_role("button", name="Inspect").click()
    expect(page.locator("#entry")).to_contain_text("[[source]]")
    unfold(page)
    assert [*wrong, *violations(page), *visitor.sideways()] == []


def test_a_source_is_not_replaced_unasked(visit: Visit, open_service: tuple[Service, str]) -> None:
    service, token = open_service
    page = visit(service).enter(token, then="/sources/new")
    for attempt in range(3):
        page.get_by_label("Path or repository").fill("shared/with.jsonl")
        page.get_by_label("Name", exact=True).fill("Twice")
        page.get_by_role("button", name="Inspect").click()
        page.get_by_role("button", name="Add this source").click()
        if attempt:
            expect(page.locator("#wrong-force")).to_contain_text("There is a source of this name")
            page.locator("#force").check()
            page.get_by_role("button", name="Add this source").click()
        expect(page.locator("#added")).to_contain_text("Twice is in the catalogue")


def test_who_may_not_finds_no_way(visit: Visit, open_service: tuple[Service, str]) -> None:
    service, _ = open_service
    visitor = visit(service)
    page = visitor.enter(then="/jobs")
    expect(page.get_by_role("link", name="Add a source")).to_have_count(0)
    page.goto("/sources/new")
    expect(page.get_by_role("main")).to_contain_text(
        "your token may add no sources", ignore_case=True
    )
    visitor.calm()

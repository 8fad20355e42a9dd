"""A job's page that lies open: it moves by itself, and heals when the server was away."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect
from visiting import Look

from mindcorpus.errors import DataError

if TYPE_CHECKING:
    from browser_fixtures import Visit
    from playing import Player
    from redis_server import RedisServer
    from running import Service

pytestmark = pytest.mark.usefixtures("stage_corpus")


def prepare(service: Service, **body: Any) -> str:
    """Ask for a prepare, and give the id of its job."""
    with service.client() as client:
        answer = client.post("/prepare", json={"force": True, **body})
        return str(answer.raise_for_status().json()["id"])


def expect_rows(page: Page, shown: str) -> None:
    expect(page.locator(".facts div", has_text="Rows").locator("dd")).to_have_text(shown)


def test_numbers_and_log_move_without_a_reload_and_what_is_open_stays_open(
    visit: Visit, stage: Service, worker: Player
) -> None:
    job = prepare(stage)
    page = visit(stage).enter(then=f"/jobs/{job}")
    page.evaluate("window.same = true")
    expect(page.locator("#summary")).to_have_text("Waits for a worker; it is next.")
    worker.take(job)
    expect(page.locator(".pill").first).to_have_text("Running")
    page.get_by_role("link", name="Cancel").focus()
    for rows, shown in ((12, "12"), (1_204, "1,204"), (60_000, "60,000")):
        worker.report(job, rows)
        expect_rows(page, shown)
    expect(page.locator(".steps .current")).to_contain_text("Write")
    worker.report(job, 60_001, note="the disk is slow")
    expect(page.locator(".note-line")).to_contain_text("the disk is slow")
    expect(page.locator("#log")).to_contain_text("the disk is slow")
    expect(page.get_by_role("link", name="Cancel")).to_be_focused()
    before = page.locator("h1").bounding_box()
    worker.succeed(job)
    expect(page.locator(".pill").first).to_have_text("Succeeded")
    expect(page.locator("#log li").first).to_contain_text("Succeeded")
    after = page.locator("h1").bounding_box()
    assert before
    assert after
    assert abs(before["y"] - after["y"]) < 12
    assert page.evaluate("window.same")


def test_a_job_that_fails_while_one_looks_says_why(
    visit: Visit, stage: Service, worker: Player
) -> None:
    job = prepare(stage)
    page = visit(stage).enter(then=f"/jobs/{job}")
    worker.take(job)
    worker.fail(job, DataError("row 7 is no JSON", hint="Mend it.", source="TRACE"))
    expect(page.locator("#error h2")).to_have_text("Row 7 is no JSON")
    expect(page.locator("#error")).to_contain_text("Mend it.")
    expect(page.get_by_role("button", name="Run again")).to_be_visible()


def test_a_server_that_was_killed_and_comes_back_leaves_no_gap(
    visit: Visit, stage: Service, worker: Player
) -> None:
    job = prepare(stage)
    visitor = visit(stage)
    page = visitor.enter(then=f"/jobs/{job}")
    page.evaluate("window.same = true")
    worker.take(job)
    worker.report(job, 10, note="the first note")
    expect(page.locator("#log")).to_contain_text("the first note")
    expect(page.locator("[data-connection]")).to_have_text("Live")

    stage.processes[-1].kill()
    expect(page.locator("[data-connection]")).to_contain_text("Connection lost")
    expect(page.locator("#log")).to_contain_text("the first note")  # what was seen stays
    for number in range(3):
        time.sleep(0.5)  # what is told more often is told together
        worker.report(job, 100 + number, note=f"note {number} that nobody served")
    stage.start_web()
    expect(page.locator("[data-connection]")).to_have_text("Live")
    for number in range(3):
        expect(page.locator("#log")).to_contain_text(f"note {number} that nobody served")
    worker.report(job, 5_000)
    expect_rows(page, "5,000")

    stage.processes[-1].kill()
    expect(page.locator("[data-connection]")).to_contain_text("Connection lost")
    worker.succeed(job)
    stage.start_web()
    expect(page.locator(".pill").first).to_have_text("Succeeded")
    expect(page.locator("[data-connection]")).to_be_hidden()
    assert page.evaluate("window.same")
    # The browser itself complains of connections it was refused.
    assert all("net::ERR_" in trouble for trouble in visitor.troubles)
    visitor.calm()


def test_without_a_stream_it_asks_now_and_then(
    visit: Visit, stage: Service, worker: Player
) -> None:
    job = prepare(stage)
    visitor = visit(stage)
    visitor.page.route("**/events", lambda route: route.abort())
    page = visitor.enter(then=f"/jobs/{job}")
    expect(page.locator("[data-connection]")).to_have_text("Updated every 2 seconds")
    worker.take(job)
    worker.report(job, 77)
    expect_rows(page, "77")
    worker.succeed(job)
    expect(page.locator(".pill").first).to_have_text("Succeeded")
    visitor.calm()


def test_a_redis_that_was_away_is_told_and_heals(
    visit: Visit, stage: Service, stage_redis: RedisServer, worker: Player
) -> None:
    job = prepare(stage)
    visitor = visit(stage)
    page = visitor.enter(then=f"/jobs/{job}")
    worker.take(job)
    worker.report(job, 10)
    expect_rows(page, "10")
    stage_redis.stop()
    expect(page.locator("[data-connection]")).to_contain_text("Connection lost")
    stage_redis.start()
    worker.report(job, 2_000)
    expect_rows(page, "2,000")
    expect(page.locator("[data-connection]")).not_to_contain_text("lost")
    visitor.calm()


@pytest.mark.parametrize("where", ["/", "/jobs"])
def test_the_overview_and_the_list_are_live_too(
    visit: Visit, stage: Service, worker: Player, where: str
) -> None:
    page = visit(stage).enter(then=where)
    page.evaluate("window.same = true")
    job = prepare(stage)
    line = page.locator("#active, #jobs").filter(has_text="Prepare all formats")
    expect(line).to_be_visible()
    worker.take(job)
    worker.report(job, 10)
    expect(line).to_contain_text("Writing: openai.")
    worker.succeed(job)
    if where == "/":
        expect(line).to_have_count(0)
    else:
        expect(line).to_contain_text("Succeeded")
    assert page.evaluate("window.same")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_queued_job_says_its_place_and_a_running_one_that_it_was_asked_to_stop(
    visit: Visit, stage: Service, worker: Player, *, script: bool
) -> None:
    first, second = prepare(stage, seed=1), prepare(stage, seed=2)
    visitor = visit(stage, Look(script=script))
    page = visitor.enter(then=f"/jobs/{second}")
    expect(page.locator("#summary")).to_have_text("Waits for a worker; 1 job stands before it.")
    page.goto(f"/jobs/{second}/cancel")
    page.get_by_role("button", name="Cancel the job").click()
    expect(page.locator("#summary")).to_contain_text("Cancelled.")

    page.goto(f"/jobs/{first}")
    worker.take(first)
    worker.report(first, 10)
    expect(page.locator(".pill").first).to_have_text("Running")
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("button", name="Cancel the job").click()
    expect(page.locator(".pill").first).to_have_text("Stopping")
    expect(page.get_by_text("Asked to stop.")).to_be_visible()
    worker.stop(first)
    expect(page.locator(".pill").first).to_have_text("Cancelled")

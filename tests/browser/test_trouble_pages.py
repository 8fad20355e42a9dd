"""When things are down: a plain page that says which, and what to do; never a 500."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from sample_numbers import KEPT
from test_live_pages import prepare
from test_new_job_pages import send
from visiting import PHONE, Look

if TYPE_CHECKING:
    from browser_fixtures import Serve, Visit
    from redis_server import RedisServer
    from running import Service

SCRIPT = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
CORPUS = "merged_mental_health_dataset.json"


@SCRIPT
def test_without_redis_pages_say_so_and_the_corpus_can_be_looked_at(
    visit: Visit, stage: Service, stage_corpus: Path, stage_redis: RedisServer, *, script: bool
) -> None:
    job = prepare(stage)
    stage_redis.stop()
    visitor = visit(stage, Look(script=script))
    page = visitor.enter()
    for path in ("/jobs", f"/jobs/{job}", f"/jobs/{job}/cancel"):
        answer = page.goto(path)
        assert answer
        assert answer.status == 503
        expect(page.get_by_role("heading", name="Redis is down")).to_be_visible()
        expect(page.locator(".trouble")).to_contain_text("Start redis-server")
    page.goto("/jobs/new/merge")
    page.get_by_label("The synthetic sample").check()
    page.locator("#force").check()
    send(page, "Start the merge")
    expect(page.locator("#errors")).to_contain_text("Redis is down")
    expect(page.get_by_label("The synthetic sample")).to_be_checked()  # nothing is lost
    expect(page.locator("#force")).to_be_checked()
    for path in ("/", "/records", "/records/0", "/jobs/new/prepare"):
        answer = page.goto(path)
        assert answer
        assert answer.status == 200, path
    page.goto("/")
    expect(page.get_by_role("alert")).to_contain_text("Redis is down")
    expect(page.locator(".figures")).to_contain_text(f"{KEPT:,}")
    stage_redis.start()
    if script:
        expect(page.get_by_role("alert").filter(has_text="Redis is down")).to_have_count(0)
    visitor.calm()


def test_without_a_worker_pages_say_how_to_start_one(visit: Visit, stage: Service) -> None:
    page = visit(stage).enter(then="/jobs")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("No worker is running")
    expect(alert).to_contain_text("celery -A workers.worker worker")


@SCRIPT
def test_without_a_corpus_pages_teach_how_to_make_one(
    visit: Visit, stage: Service, *, script: bool
) -> None:
    page = visit(stage, Look(script=script)).enter(then="/")
    expect(page.get_by_role("heading", name="There is no corpus yet")).to_be_visible()
    expect(page.locator("#no-corpus")).to_contain_text("synthetic sample")
    for path in ("/records", "/records/0", "/records/export", "/jobs/new/prepare"):
        page.goto(path)
        expect(page.locator(".trouble")).to_contain_text("Make one first")
        expect(page.get_by_role("link", name="New merge")).to_be_visible()
    page.goto("/jobs")
    expect(page.get_by_role("heading", name="No jobs yet")).to_be_visible()
    page.goto("/")
    page.get_by_role("link", name="Make the first merge").click()
    page.get_by_label("The synthetic sample").check()
    send(page, "Start the merge")
    expect(page.get_by_role("heading", name="Merge of the sample")).to_be_visible()


def test_a_full_disk_is_told_before_and_after_a_job_is_asked_for(
    visit: Visit, stage: Service, stage_redis: RedisServer, serve: Serve
) -> None:
    full = serve(stage.redis_url, disk_floor_mb="1000000000")
    page = visit(full).enter(then="/")
    expect(page.get_by_role("alert").filter(has_text="disk")).to_contain_text(
        "The disk is nearly full"
    )
    page.goto("/jobs/new/merge")
    page.get_by_label("The synthetic sample").check()
    with page.expect_response(lambda answer: answer.request.method == "POST") as answer:
        page.get_by_role("button", name="Start the merge").click()
    assert answer.value.status in (503, 507)
    expect(page.locator("#errors")).to_contain_text("The disk is nearly full")
    expect(page.locator("#errors")).to_contain_text("Free some space")
    expect(page.get_by_label("The synthetic sample")).to_be_checked()


@pytest.mark.parametrize("what", ["manifest.json", "*.parquet"], ids=["manifest", "records"])
def test_a_damaged_corpus_is_told_and_can_be_replaced(
    visit: Visit, stage: Service, serve: Serve, made_sample: Path, tmp_path: Path, what: str
) -> None:
    shutil.copytree(made_sample, tmp_path / "data", symlinks=True)
    for file in (tmp_path / "data" / CORPUS).resolve().parent.rglob(what):
        if file.is_file():
            file.write_bytes(b"{}")
    visitor = visit(serve(stage.redis_url), Look(size=PHONE))
    page = visitor.enter(then="/")
    expect(page.locator("#damaged")).to_contain_text("The corpus is damaged")
    assert visitor.sideways() == []
    page.goto("/records")
    expect(page.get_by_role("heading", name="What is stored is damaged")).to_be_visible()
    assert visitor.sideways() == []
    page.goto("/jobs/new/merge")
    expect(page.locator("#field-force")).to_be_visible()


def test_what_is_not_there_is_a_plain_page(visit: Visit, stage: Service) -> None:
    page = visit(stage).enter()
    for path in ("/nowhere", f"/jobs/{'0' * 32}", "/jobs/%00", "/records/99999999999999999999"):
        answer = page.goto(path)
        assert answer
        assert 400 <= answer.status < 500, path
        expect(page.get_by_role("link", name="Overview").last).to_be_visible()

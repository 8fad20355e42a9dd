"""`make screenshots`: the dashboard's pages as pictures, light and dark, for docs/screenshots/.

It starts a service of its own, which merges the sample, and then a larger made-up corpus from a hub
on this machine. In the midst of that its worker is paused, so that all pictures of a running merge
show the same moment. No network is asked.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parents[2]
# As pytest has it.
sys.path[:0] = [str(ROOT), *(str(ROOT / "tests" / name) for name in ("", "service", "browser"))]

import psutil  # noqa: E402 - found by the path set above
from browser_fixtures import ARGUMENTS, CHROMIUM  # noqa: E402
from hub_server import HubServer  # noqa: E402
from playwright.sync_api import Page, expect, sync_playwright  # noqa: E402
from redis_server import RedisServer  # noqa: E402
from running import Service, finished  # noqa: E402
from visiting import DESK, PHONE, Look, Visitor  # noqa: E402

from bench.generate import generate  # noqa: E402
from web.access.tokens import TokenFile  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FOLDER = ROOT / "docs" / "screenshots"
_SIZE = 60_000_000
#: How much of it is read when the worker is paused.
_READ = 0.4
#: A source without emoji, for which few machines have the fonts.
_PLAIN = "mental_health_counseling_conversations"


@dataclass(frozen=True)
class Picture:
    """One page: its name, where it is, and what to do there first."""

    name: str
    path: str
    height: int = DESK[1]
    phone: bool = False
    first: Callable[[Page], None] = lambda _: None
    signed_in: bool = True


@contextmanager
def _service(folder: Path) -> Iterator[Service]:
    redis = RedisServer(folder / "redis")
    redis.start()
    service = Service(folder, redis.url, lease_seconds="60", workers="2")
    try:
        service.start_web()
        service.start_worker(slots=2)
        service.wait_until_ready()
        yield service
    finally:
        service.stop()
        redis.stop()


def _make(service: Service, kind: str, **body: Any) -> str:
    with service.client() as client:
        job = finished(client, client.post(f"/{kind}", json=body).raise_for_status().json())
        assert job["state"] == "succeeded", service.log()
    return str(job["id"])


@contextmanager
def _hub(folder: Path) -> Iterator[None]:
    """Serve a made-up corpus as the hub does, to what is started meanwhile."""
    generate(folder / "made", _SIZE)
    server = HubServer(folder / "made")
    threading.Thread(target=server._server.serve_forever, args=(0.02,), daemon=True).start()
    os.environ["HF_ENDPOINT"] = server.url
    try:
        yield
    finally:
        os.environ.pop("HF_ENDPOINT")
        server.stop()


@contextmanager
def _in_the_midst(service: Service) -> Iterator[str]:
    """Give the id of a merge of all sources, paused when some of it is read."""
    # The source that has no home on the web.
    shutil.copytree(service.folder / "made" / "raw", service.data_dir / "raw")
    with service.client() as client:
        job = client.post("/merge", json={"force": True}).raise_for_status().json()
        while not _far_enough(job):
            assert job["state"] not in ("failed", "succeeded"), job
            time.sleep(0.05)
            job = client.get(f"/jobs/{job['id']}").raise_for_status().json()
        worker = psutil.Process(service.processes[-1].pid)
        family = [worker, *worker.children(recursive=True)]
        for process in family:
            process.suspend()
        try:
            yield str(job["id"])
        finally:
            for process in family:
                process.resume()
        client.delete(f"/jobs/{job['id']}").raise_for_status()
        finished(client, job)


def _far_enough(job: dict[str, Any]) -> bool:
    progress = job["progress"]
    return bool(progress["eta"] and progress["done"] > _READ * progress["total"])


def _unfolded(page: Page) -> None:
    show = page.get_by_role("button", name="Show all texts in this session")
    if show.count():
        show.click()
        expect(page.get_by_role("button", name="Fold all texts")).to_be_visible()


def _nothing_chosen(page: Page) -> None:
    for box in page.locator("#field-sources input[name=sources]").all():
        box.uncheck()
    page.get_by_role("button", name="Start the merge").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.evaluate("scrollTo(0, 0)")


def _take(
    browser: Browser, service: Service, token: str, pictures: Sequence[Picture]
) -> list[Path]:
    taken = []
    for dark in (False, True):
        for picture in pictures:
            sizes = {"": (DESK[0], picture.height)}
            if picture.phone:
                sizes["-phone"] = PHONE
            for suffix, size in sizes.items():
                look = Look(size=size, dark=dark, scale=1.5 if suffix else 1)
                visitor = Visitor(browser, service, look)
                if picture.signed_in:
                    visitor.enter(token)
                page = visitor.goto(picture.path)
                picture.first(page)
                page.evaluate("document.activeElement.blur()")
                page.wait_for_timeout(400)  # until bars have moved to where they belong
                target = FOLDER / f"{picture.name}-{'dark' if dark else 'light'}{suffix}.png"
                page.screenshot(path=target)
                taken.append(target)
                assert not visitor.troubles, visitor.troubles
                visitor.close()
    return taken


def _pair(service: Service) -> int:
    """Give the row of a preference pair without emoji."""
    with service.client() as client:
        found = client.get("/records", params={"source": "Human-Like-DPO-Dataset", "limit": 50})
    records = found.raise_for_status().json()["records"]
    texts = ("input", "response", "rejected_response")
    plain = [each for each in records if all(max(each[name]) < "\u2100" for name in texts)]
    return int(plain[0]["row"])


def main() -> None:
    """Take all pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mindcorpus-screenshots-") as work:
        folder = Path(work)
        os.environ.update(HF_HOME=str(folder / "hf"), NO_PROXY="127.0.0.1", no_proxy="127.0.0.1")
        with _hub(folder), _service(folder) as service, sync_playwright() as playwright:
            token = TokenFile(service.tokens_file).new("ada")
            merge = _make(service, "merge", sample=True)
            _make(service, "prepare")
            pictures = [
                Picture("sign-in", "/sign-in", height=560, signed_in=False),
                Picture("overview", "/", height=1400, phone=True),
                Picture("records", f"/records?source={_PLAIN}", first=_unfolded),
                Picture("record", f"/records/{_pair(service)}", phone=True, first=_unfolded),
                Picture("new-merge", "/jobs/new/merge", height=1000),
                Picture("new-merge-wrong", "/jobs/new/merge", first=_nothing_chosen),
                Picture("new-prepare", "/jobs/new/prepare", height=1100),
                Picture("job-succeeded", f"/jobs/{merge}", height=1000),
            ]
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            taken = _take(browser, service, token, pictures)
            with _in_the_midst(service) as job:
                pictures = [
                    Picture("job", f"/jobs/{job}", height=1000, phone=True),
                    Picture("jobs", "/jobs", height=560),
                ]
                taken += _take(browser, service, token, pictures)
            browser.close()
    for stale in {*FOLDER.iterdir()} - {*taken}:
        stale.unlink()
    total = sum(file.stat().st_size for file in taken)
    sys.stdout.write(f"{len(taken)} pictures, {total / 1e6:.1f} MB, in {FOLDER}\n")


if __name__ == "__main__":
    main()

"""What the tests of the dashboard lean on: a real browser, and services for it to visit."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playing import Player
    from playwright.sync_api import Browser
    from redis_server import RedisServer
    from running import Service
    from visiting import Look, Visitor

    Visit = Callable[..., Visitor]
    Serve = Callable[..., Service]

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    from redis_server import find_binary

    for there, package in ((Path(CHROMIUM).exists(), "chromium"), (find_binary(), "redis-server")):
        if not there:
            message = f"there is no {package}; install it with apt-get install {package}"
            if os.environ.get("CI"):
                pytest.fail(message)
            pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start web servers of the test's own, over a folder of its own."""
    from running import Service

    begun: list[Service] = []

    def start(redis_url: str, **settings: str) -> Service:
        begun.append(Service(tmp_path, redis_url, **settings))
        begun[-1].start_web()
        return begun[-1]

    yield start
    for service in begun:
        service.stop()


@pytest.fixture
def visit(chromium: Browser, serve: Serve) -> Iterator[Visit]:
    """Open windows; when the test ends nothing may have gone wrong in any of them.

    It rests on `serve` so that windows close before what they look at: one that still loads
    a page's icon would complain of the server that is gone.
    """
    from visiting import Look, Visitor

    opened: list[Visitor] = []

    def open_(service: Service, look: Look | None = None) -> Visitor:
        opened.append(Visitor(chromium, service, look or Look()))
        return opened[-1]

    yield open_
    for visitor in opened:
        visitor.close()
    assert [trouble for visitor in opened for trouble in visitor.troubles] == []


@contextmanager
def _service(folder: Path, **settings: str) -> Iterator[tuple[Service, RedisServer]]:
    from redis_server import RedisServer
    from running import Service

    redis = RedisServer(folder / "redis")
    redis.start()
    service = Service(folder, redis.url, **settings)
    try:
        yield service, redis
    finally:
        service.stop()
        redis.stop()


def _make(service: Service, kind: str, **body: Any) -> None:
    from running import finished

    with service.client() as client:
        job = finished(client, client.post(f"/{kind}", json=body).raise_for_status().json())
        assert job["state"] == "succeeded", f"{job}\n{service.log()}"


@pytest.fixture(scope="session")
def dashboard(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, str]]:
    """A service that has made all of the sample, and a token that may only read.

    It is for looking at; what changes a corpus happens in the `workshop`.
    """
    from web.access.tokens import TokenFile

    with _service(tmp_path_factory.mktemp("dashboard")) as (service, _):
        service.start_web()
        service.start_worker()
        service.wait_until_ready()
        _make(service, "merge", sample=True)
        _make(service, "prepare")
        tokens = TokenFile(service.tokens_file)
        yield service, tokens.new("reader", ("read",))


@pytest.fixture(scope="session")
def _workshop(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    from catalogues import at_url, small
    from slow_file import SlowFile

    folder = tmp_path_factory.mktemp("workshop")
    with SlowFile() as slow, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and nobody listens
        gone = f"http://127.0.0.1:{closed.getsockname()[1]}/gone.jsonl"
        catalogs = [
            small(folder / "own"),
            at_url(folder / "own", "Slow", f"{slow.url}/slow.jsonl"),
            at_url(folder / "own", "Endless", f"{slow.url}/endless.jsonl"),
            at_url(folder / "own", "Gone", gone),
        ]
        named = json.dumps([str(catalog) for catalog in catalogs])
        settings = {"catalogs": named, "fetch_tries": "1", "max_tries": "1"}
        with _service(folder, **settings) as (service, _):
            service.start_web()
            service.start_worker(slots=2)
            service.wait_until_ready()
            yield service


@pytest.fixture
def workshop(_workshop: Service) -> Service:
    """A service with a worker, a small corpus, and sources that are slow, endless and gone."""
    with _workshop.client() as client:
        statistics = client.get("/statistics")
        if statistics.status_code != 200 or statistics.json()["records"] != 30:
            _make(_workshop, "merge", sources=["Small"], force=True)
    return _workshop


@pytest.fixture(scope="session")
def _stage(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, RedisServer]]:
    with _service(tmp_path_factory.mktemp("stage"), lease_seconds="60") as (service, redis):
        service.start_web()
        yield service, redis


@pytest.fixture
def stage(_stage: tuple[Service, RedisServer]) -> Service:
    """A service without workers, corpus and jobs: what becomes of a job is the test's to say."""
    service, redis = _stage
    redis.start()
    redis.flush()
    for made in service.data_dir.glob("*"):
        shutil.rmtree(made) if made.is_dir() and not made.is_symlink() else made.unlink()
    if service.processes[-1].process.poll() is not None:
        service.start_web()
    return service


@pytest.fixture
def stage_redis(_stage: tuple[Service, RedisServer]) -> Iterator[RedisServer]:
    """The Redis of the stage, to be hurt; the next test finds it as if nothing had been."""
    redis = _stage[1]
    yield redis
    redis.start()
    # Pages believe for five seconds at most what they saw last: that it was down.
    time.sleep(5)


@pytest.fixture
def worker(stage: Service) -> Iterator[Player]:
    """What plays the worker on the stage."""
    from playing import Player

    with Player(stage) as made:
        yield made


@pytest.fixture
def stage_corpus(stage: Service, made_sample: Path) -> Path:
    """The data folder of the stage, with the sample's corpus and formats."""
    shutil.copytree(made_sample, stage.data_dir, symlinks=True, dirs_exist_ok=True)
    return stage.data_dir


@pytest.fixture(scope="session")
def strangers(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose corpus, and catalogue, a stranger wrote who means harm."""
    from catalogues import LONG_NAME, hostile

    from mindcorpus.api import merge_all_datasets, prepare_all_formats

    folder = tmp_path_factory.mktemp("strangers")
    catalog = hostile(folder / "own")
    merge_all_datasets(folder / "data", sources=[LONG_NAME], catalogs=[catalog])
    prepare_all_formats(folder / "data")
    settings = {"catalogs": json.dumps([str(catalog)]), "lease_seconds": "60"}
    with _service(folder, **settings) as (service, _):
        service.start_web()
        yield service


@pytest.fixture(scope="session")
def talking(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose corpus is of conversations: one of each kind, and two that pretend."""
    from talks import TALKS, merge_talks

    folder = tmp_path_factory.mktemp("talking")
    merge_talks(folder / "data", TALKS)
    with _service(folder, lease_seconds="60") as (service, _):
        service.start_web()
        yield service

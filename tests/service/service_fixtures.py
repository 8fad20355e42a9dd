"""What tests of the service lean on: a real Redis, and an app over a folder of the test's own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playing import Player
from redis_server import RedisServer, find_binary
from running import Service, finished
from stores import Stores, make_stores

from mindcorpus.api import merge_all_datasets, prepare_all_formats
from web import create_app
from web.access.tokens import TokenFile
from web.settings import WebSettings

if TYPE_CHECKING:
    import httpx2
    from apiflask import APIFlask


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server that lasts as long as the tests; ask for `redis_url` to have it empty and awake."""
    if find_binary() is None:
        message = "there is no redis-server; install it with apt-get install redis-server"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of a running, empty Redis, whatever the test before did to it."""
    redis_server.start()
    redis_server.flush()
    return redis_server.url


@pytest.fixture
def web_settings(redis_url: str, tmp_path: Path) -> WebSettings:
    """Settings of a web server with that Redis and a data folder of the test's own."""
    return WebSettings.model_validate({"redis_url": redis_url, "data_dir": tmp_path / "data"})


@pytest.fixture
def app(web_settings: WebSettings) -> Iterator[APIFlask]:
    """The app; its routes can be added to until the first request."""
    made = create_app(web_settings)
    yield made
    made.extensions["mindcorpus"].redis.close()


@pytest.fixture(scope="session")
def service(
    redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A whole service with a worker, and a Redis of its own; it has made all of the sample."""
    folder = tmp_path_factory.mktemp("service")
    redis = RedisServer(folder / "redis")
    redis.start()
    running = Service(folder, redis.url)
    try:
        running.start_web()
        running.start_worker()
        running.wait_until_ready()
        with running.client() as client:
            for kind, body in (("merge", {"sample": True}), ("prepare", {})):
                job = finished(client, client.post(f"/{kind}", json=body).raise_for_status().json())
                assert job["state"] == "succeeded", f"{job}\n{running.log()}"
        yield running
    finally:
        running.stop()
        redis.stop()


@pytest.fixture
def client(service: Service) -> Iterator[httpx2.Client]:
    """A client of that service, with a token that may read and write."""
    with service.client() as made:
        yield made


@pytest.fixture(scope="session")
def quiet_service(
    redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, RedisServer]]:
    """A service without workers; ask for `quiet` to have it empty."""
    folder = tmp_path_factory.mktemp("quiet")
    redis = RedisServer(folder / "redis")
    redis.start()
    running = Service(folder, redis.url, lease_seconds="60")
    try:
        running.start_web()
        yield running, redis
    finally:
        running.stop()
        redis.stop()


@pytest.fixture
def quiet(quiet_service: tuple[Service, RedisServer]) -> Service:
    """A service without workers, corpus and jobs: what becomes of a job is the test's to say."""
    running, redis = quiet_service
    redis.start()
    redis.flush()
    shutil.rmtree(running.data_dir, ignore_errors=True)
    running.tokens_file.unlink(missing_ok=True)
    return running


@pytest.fixture
def asking(quiet: Service) -> Iterator[httpx2.Client]:
    """A client of that service."""
    with quiet.client() as made:
        yield made


@pytest.fixture
def other(quiet: Service) -> Iterator[httpx2.Client]:
    """A client of that service with another token."""
    token = TokenFile(quiet.tokens_file).new("other")
    with quiet.client(token) as made:
        yield made


@pytest.fixture
def playing(quiet: Service) -> Iterator[Player]:
    """What plays the worker for that service."""
    with Player(quiet) as made:
        yield made


@pytest.fixture(scope="session")
def made_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the sample, merged and prepared by the library."""
    folder = tmp_path_factory.mktemp("made") / "data"
    merge_all_datasets(folder, sample=True)
    prepare_all_formats(folder)
    return folder


@pytest.fixture
def corpus(quiet: Service, made_sample: Path) -> Path:
    """The data folder of the service without workers, with the sample's corpus and formats."""
    shutil.copytree(made_sample, quiet.data_dir, symlinks=True, dirs_exist_ok=True)
    return quiet.data_dir


@pytest.fixture
def stores(redis_url: str) -> Iterator[Stores]:
    """The jobs of a service that has none yet, as clients and as workers have them."""
    made = make_stores(redis_url)
    yield made
    made.redis.close()

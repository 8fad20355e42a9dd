"""C15 Shed clearly: what there is no room for is refused at once; one token's excess is its own."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from own_sources import own_source
from redis_server import RedisServer
from running import BASE, Service
from slow_clients import SlowClients, until

from mindcorpus.api import merge_all_datasets
from web.access.tokens import TokenFile

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2

CLIENTS = 60
SECONDS = 6.0
FILE = "/artifacts/merged_mental_health_dataset.json"


@pytest.fixture(scope="module")
def narrow(needs_redis: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A web server with little room, over a corpus that takes a moment to search."""
    folder = tmp_path_factory.mktemp("narrow")
    catalog = own_source(folder / "raw", "some", 12_000, "because " * 200)
    merge_all_datasets(folder / "data", sources=["some"], catalogs=[catalog])
    redis = RedisServer(folder / "redis")
    redis.start()
    room = {"read_limit": "4", "search_limit": "2", "download_limit": "6"}
    quotas = {"token_downloads": "3", "token_streams": "2", "stream_limit": "8"}
    service = Service(folder, redis.url, disk_floor_mb="1", queue_limit="10000", **room, **quotas)
    try:
        service.start_web()
        yield service
    finally:
        service.stop()
        redis.stop()


def test_readers_without_end_are_refused_and_jobs_are_not(narrow: Service) -> None:
    over = threading.Event()
    answered: list[tuple[int, float, Any, str | None]] = []

    def read(path: str) -> None:
        with narrow.client() as client:
            while not over.is_set():
                began = time.monotonic()
                answer = client.get(path)
                took = time.monotonic() - began
                code = answer.json().get("code") if answer.status_code != 200 else None
                answered.append((answer.status_code, took, code, answer.headers.get("Retry-After")))
                if answer.status_code != 200:
                    time.sleep(0.1)  # else the test is all that the machine does

    asking = ["/records?search=asks%207", "/artifacts", "/sources"] * (CLIENTS // 3)
    readers = [threading.Thread(target=read, args=(path,)) for path in asking]
    for reader in readers:
        reader.start()
    jobs: list[int] = []
    end = time.monotonic() + SECONDS
    try:
        with narrow.client() as client:
            while time.monotonic() < end:
                posted = client.post("/merge", json={"sample": True, "force": True})
                polled = client.get(f"/jobs/{posted.json()['id']}")
                jobs += [posted.status_code, polled.status_code]
                time.sleep(0.05)
    finally:
        over.set()
        for reader in readers:
            reader.join()
    # Who asks for jobs is never refused; of the others some are, with a word and at once.
    assert set(jobs) == {202, 200}, Counter(jobs)
    statuses = Counter(status for status, *_ in answered)
    refused = {(status, code, wait) for status, _, code, wait in answered if status != 200}
    # One token's searches have no more than half of the room.
    assert refused == {(503, "busy", "1"), (429, "token-busy", "5")}, statuses


def test_who_never_stops_searching_keeps_nobody_else_from_it(narrow: Service) -> None:
    other = TokenFile(narrow.tokens_file).new("searcher")
    over = threading.Event()
    mine: list[int] = []

    def search() -> None:
        with narrow.client() as client:
            while not over.is_set():
                mine.append(client.get("/records?search=asks%207").status_code)

    searchers = [threading.Thread(target=search) for _ in range(6)]
    for searcher in searchers:
        searcher.start()
    try:
        until(lambda: 429 in mine, "the first token to be refused")
        with narrow.client(other) as client:
            theirs = [client.get("/records?limit=1").status_code for _ in range(10)]
    finally:
        over.set()
        for searcher in searchers:
            searcher.join()
    assert theirs == [200] * 10


def test_one_token_s_excess_is_its_own(narrow: Service) -> None:
    other = TokenFile(narrow.tokens_file).new("other")
    with narrow.client() as mine, narrow.client(other) as theirs:
        job = mine.post("/merge", json={"sample": True, "force": True}).json()["id"]
        paths: list[tuple[str, int]] = [(FILE, 3), (f"/jobs/{job}/events", 2)]
        for path, allowed in paths:
            with SlowClients(narrow.port, narrow.token) as clients:
                clients.read(allowed, BASE + path)
                until(lambda: clients.served() == allowed, "mine to be open")  # noqa: B023
                refused = mine.get(path)
                assert refused.status_code == 429, path
                assert refused.json()["code"] == "token-busy"
                assert refused.headers["Retry-After"] == "5"
                with theirs.stream("GET", path) as answer:
                    assert answer.status_code == 200, path
            # Who leaves gives the place back.
            until(_served(mine, path), "my place to be free")


def test_who_takes_exports_and_does_not_read_them_keeps_nobody_else_from_searching(
    narrow: Service,
) -> None:
    other = TokenFile(narrow.tokens_file).new("reader")

    def session(token: str) -> str:
        own = {"Sec-Fetch-Site": "same-origin"}
        with narrow.client() as client:
            signed = client.post(f"{narrow.url}/sign-in", data={"token": token}, headers=own)
        return f"Cookie: {signed.headers['Set-Cookie'].partition(';')[0]}"

    mine, theirs = session(narrow.token), session(other)
    export = "/records/export"
    with SlowClients(narrow.port, narrow.token) as clients, narrow.client(other) as client:
        clients.read(4, export, f"{mine}\r\n")
        until(lambda: clients.served() == 4, "my exports to have begun")
        for cookie, status in ((mine, 429), (theirs, 200)):
            headers = {"Cookie": cookie.partition(": ")[2], "Accept": "application/jsonl"}
            with client.stream("GET", narrow.url + export, headers=headers) as answer:
                assert answer.status_code == status
        assert client.get("/records?search=asks%207").status_code == 200


def test_pages_of_records_leave_no_memory_behind(narrow: Service) -> None:
    web = psutil.Process(narrow.processes[0].pid)

    def held() -> int:
        return sum(each.memory_info().rss for each in web.children()) >> 20

    with narrow.client() as client:
        client.get("/records?limit=100")
        before = held()
        # Each by another thread of the pool.
        for _ in range(100):
            assert client.get("/records?limit=100").status_code == 200
        grown = held() - before
    assert grown < 250, f"{grown} MiB"


def test_downloads_of_all_have_an_end_too(narrow: Service) -> None:
    tokens = TokenFile(narrow.tokens_file)
    one, two, three = (tokens.new(name) for name in ("one", "two", "three"))
    with SlowClients(narrow.port, one) as first, SlowClients(narrow.port, two) as second:
        for clients in (first, second):
            clients.read(3, BASE + FILE)
        until(lambda: first.served() + second.served() == 6, "six downloads")
        with narrow.client(three) as client:
            refused = client.get(FILE)
            assert (refused.status_code, refused.json()["code"]) == (503, "busy")
            assert refused.headers["Retry-After"] == "1"


def test_changes_tell_what_is_left(narrow: Service) -> None:
    with narrow.client() as client:
        first, second = (
            client.post("/merge", json={"sample": True, "force": True}) for _ in range(2)
        )
        assert first.headers["RateLimit-Policy"] == '"changes";q=100000;w=60'
        left = [int(each.headers["RateLimit"].split(";")[1][2:]) for each in (first, second)]
        assert left[1] < left[0] < 100_000
        assert "RateLimit" not in client.get("/jobs").headers


def _served(client: httpx2.Client, path: str) -> Callable[[], bool]:
    def served() -> bool:
        with client.stream("GET", path) as answer:
            return answer.status_code == 200

    return served

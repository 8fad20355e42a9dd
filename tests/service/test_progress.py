"""How far a job is, followed from its first event to its last, and held against what it made."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from own_sources import own_source
from redis_server import RedisServer
from running import Service, finished, read_events

from mindcorpus.job_requests import MergeRequest, PrepareRequest
from mindcorpus.merging.merge import merge
from mindcorpus.preparing.prepare import prepare
from mindcorpus.progress import MERGE, PREPARE, Progress
from mindcorpus.settings import Settings
from mindcorpus.storage.kinds import CORPUS, KINDS
from workers.jobs.scripts import PREFIX, job_key
from workers.redis_client import Client, connect
from workers.settings import ServiceSettings

#: Sources of unlike size; a large one is cut into many parts.
ROWS = {"large": 10_000, "middle": 2_000, "small": 100}
ANSWER = "It takes the time it takes, and then some more of it. " * 75


@pytest.fixture(scope="module")
def catalogs(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    folder = tmp_path_factory.mktemp("raw")
    return tuple(str(own_source(folder, name, rows, ANSWER)) for name, rows in ROWS.items())


@pytest.fixture(scope="module")
def pair(
    needs_server: None, catalogs: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service with two workers."""
    folder = tmp_path_factory.mktemp("pair")
    redis = RedisServer(folder / "redis")
    redis.start()
    running = Service(folder, redis.url, catalogs=json.dumps(catalogs))
    try:
        running.start_web()
        running.start_worker(slots=2)
        running.wait_until_ready()
        yield running
    finally:
        running.stop()
        redis.stop()


@pytest.fixture(scope="module")
def needs_server(redis_server: RedisServer) -> None:
    """Skip where there is no Redis."""


@dataclass
class Moments:
    """What Redis says of a merge, again and again, each time all of it at one moment."""

    redis: Client
    job: str
    #: Last event, sources at work by the merge, sources with a running part.
    seen: list[tuple[str, set[str], set[str]]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        while not self.over.wait(0.01):
            self.look()

    def look(self) -> None:
        parts: Any = list(self.redis.smembers(f"{PREFIX}:parts:{self.job}"))
        with self.redis.pipeline() as pipe:
            pipe.xrevrange(f"{PREFIX}:events:{self.job}", count=1)
            pipe.hgetall(f"{PREFIX}:sources:{self.job}")
            pipe.smembers(f"{PREFIX}:parts:{self.job}")
            for part in parts:
                pipe.hmget(job_key(part), "name", "state")
            (last, sources, now, *states) = pipe.execute()
        if set(parts) != now:
            return  # others came meanwhile
        told = {key[: -len("|state")] for key, value in sources.items() if value == "running"}
        works = {name for name, state in states if state == "running"}
        self.seen.append((last[0][0] if last else "", told, works))


def follow(service: Service, path: str, body: dict[str, Any]) -> tuple[list[Any], Any, Moments]:
    """Ask for a job; give all its events, how it ended, and what was seen meanwhile."""
    redis = connect(ServiceSettings.model_validate({"redis_url": service.redis_url}))
    with service.client() as client:
        job = client.post(path, json=body).raise_for_status().json()
        moments = Moments(redis, job["id"])
        watching = threading.Thread(target=moments.watch)
        watching.start()
        try:
            with client.stream("GET", f"/jobs/{job['id']}/events") as answer:
                events = [
                    (event["id"], json.loads(event["data"]))
                    for event in read_events(answer.iter_lines())
                    if event.get("event") in ("progress", "state")
                ]
            ended = finished(client, job)
        finally:
            moments.over.set()
            watching.join()
            redis.close()
    assert ended["state"] == "succeeded", service.log()
    return events, ended, moments


def assert_rising(shares: Sequence[float]) -> None:
    """Shares never go down, end at one, and have steps in between."""
    assert list(shares) == sorted(shares)
    assert shares[-1] == 1
    assert len({round(share, 2) for share in shares if 0 < share < 1}) >= 2, shares


def manifest_of(data_dir: Path, name: str) -> Any:
    return json.loads((data_dir / name).read_text())


def amounts(manifests: Sequence[Any]) -> tuple[int, int]:
    """Give rows and bytes of artifacts, counted from what their manifests list."""
    rows = {
        manifest["rows"] if "rows" in manifest else manifest["statistics"]["records"]
        for manifest in manifests
    }
    (only,) = rows
    return only, sum(file["bytes"] for each in manifests for file in each["outputs"])


def test_a_merge_tells_how_far_all_of_it_is(pair: Service) -> None:
    body = {"sources": list(ROWS), "force": True}
    events, ended, moments = follow(pair, "/merge", body)
    told = [data for _, data in events]
    assert_rising([data["share"] for data in told])
    manifest = manifest_of(pair.data_dir, f"{CORPUS}.manifest.json")
    rows, size = amounts([manifest])
    last, progress = told[-1], ended["progress"]
    for each in (last, progress):
        assert (each["rows"], each["rows_total"], each["done"], each["total"]) == (
            rows,
            rows,
            size,
            size,
        )
    assert progress["share"] == 1
    assert (progress["source"], progress["eta"]) == ("", None)
    # What was read of each source is what the manifest accounts for.
    by_name = {each["name"]: each for each in manifest["sources"]}
    assert {each["name"]: each["rows"] for each in progress["sources"]} == {
        name: each["read"] for name, each in by_name.items()
    }
    for each in progress["sources"]:
        files = sum(file["size"] for file in by_name[each["name"]]["files"])
        assert each["done"] == each["total"] == files
    # Who is said to be worked on is: at the moment of each event, and at any other.
    assert all(told == works for _, told, works in moments.seen)
    assert {name for _, _, works in moments.seen for name in works} == set(ROWS)
    assert any(len(works) == 2 for _, _, works in moments.seen)
    named = 0
    for number, data in events:
        if data.get("source") not in ROWS:
            continue
        before = [works for at, _, works in moments.seen if at < number][-1:]
        after = [works for at, _, works in moments.seen if at >= number][:1]
        assert any(data["source"] in works for works in (*before, *after)), data
        named += 1
    assert named >= 5


def test_a_prepare_of_several_formats_tells_how_far_all_of_it_is(pair: Service) -> None:
    with pair.client() as client:
        asked = client.post("/merge", json={"sources": ["large"], "force": True}).json()
        assert finished(client, asked)["state"] == "succeeded"
    formats = ["openai", "huggingface"]
    events, ended, _ = follow(pair, "/prepare", {"formats": formats, "force": True})
    told = [data for _, data in events]
    assert_rising([data["share"] for data in told])
    manifests = [manifest_of(pair.data_dir, KINDS[name].manifest) for name in formats]
    rows, size = amounts(manifests)
    for each in (told[-1], ended["progress"]):
        assert (each["rows"], each["rows_total"], each["done"], each["total"]) == (
            rows,
            rows,
            size,
            size,
        )
    assert {data["source"] for data in told if data["stage"] == "write"} == {", ".join(formats)}


@pytest.mark.parametrize("workers", [1, 3])
def test_the_library_tells_how_far_all_of_it_is(
    catalogs: tuple[str, ...], workers: int, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path, workers=workers)
    heard: list[Progress] = []
    asked = MergeRequest(sources=("middle", "small"), catalogs=catalogs)
    corpus = merge(asked, settings, heard.append)
    assert [stage for stage in MERGE if any(each.stage == stage for each in heard)] == [
        *dict.fromkeys(each.stage for each in heard)
    ]
    check(heard, [corpus.manifest])
    heard = []
    formats = prepare(PrepareRequest(format="all"), settings, heard.append)
    assert [*dict.fromkeys(each.stage for each in heard)] == [*PREPARE]
    check(heard, [each.manifest for each in formats.values()])


def check(heard: Sequence[Progress], manifests: Sequence[Any]) -> None:
    assert_rising([each.share or 0.0 for each in heard])
    rows, size = amounts(manifests)
    last = heard[-1]
    assert (last.rows, last.rows_total, last.done, last.total) == (rows, rows, size, size)

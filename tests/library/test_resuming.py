"""A download of a source that was killed goes on where it stopped, and is checked at the end."""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from command_line import MAIN, environment, run
from faulty_service import BASE, Answer, FaultyService, send

from mindcorpus.errors import HubUnavailableError
from mindcorpus.progress import Cancellation, silent
from mindcorpus.settings import Settings
from mindcorpus.sources.catalog import File, Licence, Source
from mindcorpus.sources.files import Fetched
from mindcorpus.sources.hub import fetch

if TYPE_CHECKING:
    from hub_server import HubServer

CATALOG = """
[[source]]
name = "Demo"
repository = "owner/demo"
files = [{ path = "rows.jsonl" }]
type = "talk"
[source.options]
input = "q"
response = "a"
[source.licence]
id = "MIT"
terms = "Keep the notice."
commercial = "yes"
"""
MERGE = ("merge", "--catalog", "catalog.toml", "--source", "Demo", "--data-dir", "data")
REST: dict[str, Any] = {
    "licence": Licence(id="MIT", terms="Keep the notice.", commercial="yes"),
    "type": "talk",
    "options": {"input": "q"},
}
OLD, NOW = "Wed, 21 Oct 2015 07:28:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
PATIENCE = 60.0


def rows(megabytes: int) -> bytes:
    line = json.dumps({"q": "why " * 300, "a": "because " * 300})
    lines = (line.replace("why", f"why {n}", 1) for n in range(megabytes * 280))
    return ("\n".join(lines) + "\n").encode()


def test_a_killed_download_asks_only_for_the_rest(hub: HubServer, tmp_path: Path) -> None:
    content = rows(4)
    publish(hub, content)
    already = 3_000_000
    hub.fail("stalled", match="GET .*/resolve/", at=already, seconds=20)
    first = started(tmp_path)
    try:
        assert wait_for(lambda: sent(hub) == already)
        # What has arrived is on the disk in no time, if it is to be there at all.
        wait_for(lambda: on_disk(tmp_path / "cache") >= already, patience=5)
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait(PATIENCE)
    left = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in left if on_disk(path)} == {0o600}
    hub.reset()
    again = run(*MERGE, cwd=tmp_path, MINDCORPUS_CACHE_DIR="cache")
    assert again.code == 0, again.err
    assert sent(hub) == len(content) - already
    [held] = (tmp_path / "cache").glob("datasets--owner--demo/snapshots/*/rows.jsonl")
    assert held.read_bytes() == content
    hub.reset()
    offline = run(
        *(*MERGE, "--force"), cwd=tmp_path, MINDCORPUS_CACHE_DIR="cache", HF_HUB_OFFLINE="1"
    )
    assert (offline.code, hub.requests) == (0, []), offline.err
    assert not list((tmp_path / "cache/assets").rglob("*.*"))


def test_two_processes_at_once_download_a_file_once(hub: HubServer, tmp_path: Path) -> None:
    content = rows(2)
    publish(hub, content)
    hub.fail("stalled", match="GET .*/resolve/", at=1_000_000, seconds=3)
    first = started(tmp_path, "one")
    assert wait_for(lambda: sent(hub) == 1_000_000)
    second = started(tmp_path, "two")
    codes = [process.wait(PATIENCE) for process in (first, second)]
    assert (codes, sent(hub)) == ([0, 0], len(content))


def test_what_rotted_is_fetched_anew_once_and_orphans_go(
    hub: HubServer, settings: Settings
) -> None:
    content = rows(1)
    publish(hub, content)
    demo = Source(name="Demo", repository="owner/demo", files=(File(path="rows.jsonl"),), **REST)
    assert settings.cache_dir
    folder = settings.cache_dir / "assets/mindcorpus/downloads/partial"
    folder.mkdir(parents=True)
    name = hashlib.sha256(b"owner/demo/rows.jsonl").hexdigest()[:32]
    etag = hashlib.sha1(b"blob %d\0%s" % (len(content), content)).hexdigest()
    (folder / f"{name}.{etag}").write_bytes(bytes(1000))
    old, busy, new, other = (folder / each for each in ("a.b", "b.c", "c.d", f"{name}.other"))
    for path in (old, busy, new, other):
        path.write_bytes(b"half")
    for path in (old, busy):
        os.utime(path, (0, 0))
    with busy.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        [fetched] = get(demo, settings).files
    assert fetched.local.read_bytes() == content
    ranges = [asked["range"] for asked in hub.requests if asked["method"] == "GET"][1:]
    assert ranges == ["bytes=1000-", None]
    assert sorted(folder.iterdir()) == [busy, new]


CONTENT = rows(1)
OTHER = CONTENT[::-1]


@pytest.mark.parametrize(
    ("first", "second", "begins"),
    [
        ({"ETag": '"one"'}, {"ETag": '"one"'}, [0, 500_000]),
        ({"Last_Modified": OLD}, {"Last_Modified": OLD}, [0, 500_000]),
        ({"ETag": '"one"'}, {"ETag": '"two"', "content": OTHER}, [0, 500_000]),
        ({"ETag": '"one"'}, {"ETag": '"one"', "ranges": False}, [0, 500_000]),
        ({"ETag": '"one"'}, {"ETag": '"one"', "lies": True}, [0, 500_000, 0]),
        ({"ETag": 'W/"one"'}, {"ETag": 'W/"one"'}, [0, 0]),
        ({"Last_Modified": NOW}, {"Last_Modified": NOW}, [0, 0]),
        ({}, {}, [0, 0]),
        ({"ETag": '"one"', "packed": True}, {"ETag": '"one"', "packed": True}, [0, 0]),
    ],
    ids=[
        "the same tag",
        "the same time",
        "another tag",
        "no ranges",
        "another range than asked",
        "a weak tag",
        "a time just now",
        "no name",
        "packed",
    ],
)
def test_a_file_at_a_url_goes_on_only_with_the_same_state(
    first: dict[str, Any], second: dict[str, Any], begins: list[int], settings: Settings
) -> None:
    once = settings.model_copy(update={"fetch_tries": 1})
    with FaultyService() as server:
        demo = Source(name="Demo", url=f"{server.url}{BASE}/rows.jsonl", **REST)
        server.lay("GET /rows.jsonl", part(upto=500_000, **first))
        with pytest.raises(HubUnavailableError):
            get(demo, once)
        server.lay("GET /rows.jsonl", part(**second))
        [fetched] = get(demo, once).files
        asked = [one.headers.get("Range", "bytes=0-") for one in server.asked]
    assert fetched.local.read_bytes() == second.get("content", CONTENT)
    assert asked == [f"bytes={begin}-" for begin in begins]
    assert settings.cache_dir
    assert [path for path in settings.cache_dir.rglob("*") if path.is_file()] == [fetched.local]


def part(
    content: bytes = CONTENT,
    upto: int | None = None,
    *,
    ranges: bool = True,
    lies: bool = False,
    packed: bool = False,
    **headers: str,
) -> Answer:
    """Send what is asked for of a content, but not beyond a point."""
    body = gzip.compress(content, 0) if packed else content
    state = headers.get("ETag", headers.get("Last_Modified"))

    def answer(handler: BaseHTTPRequestHandler) -> None:
        begin, status, more = 0, 200, dict(headers)
        asked = handler.headers.get("Range", "")
        if ranges and asked and handler.headers.get("If-Range") == state:
            begin, status = int(asked.removeprefix("bytes=").removesuffix("-")), 206
            begin -= 1000 if lies else 0
            more["Content_Range"] = f"bytes {begin}-{len(body) - 1}/{len(body)}"
        if packed:
            more["Content_Encoding"] = "gzip"
        more["Content_Length"] = str(len(body) - begin)
        send(body[begin:upto], status, **more)(handler)

    return answer


def publish(hub: HubServer, content: bytes) -> None:
    target = hub.root / "datasets/owner/demo/rows.jsonl"
    target.parent.mkdir(parents=True)
    target.write_bytes(content)


def get(source: Source, settings: Settings) -> Fetched:
    return fetch(source, settings=settings, locked=None, report=silent, cancel=Cancellation())


def started(folder: Path, data: str = "data") -> subprocess.Popen[bytes]:
    (folder / "catalog.toml").write_text(CATALOG)
    return subprocess.Popen(
        [*MAIN, *MERGE[:-1], data],
        cwd=folder,
        env=environment(MINDCORPUS_CACHE_DIR="cache"),
        start_new_session=True,
    )


def sent(hub: HubServer) -> int:
    """Give how many bytes of files the hub has sent."""
    return sum(asked["sent"] for asked in hub.requests if "/resolve/" in asked["path"])


def on_disk(folder: Path) -> int:
    files = [path for path in (folder, *folder.rglob("*")) if path.is_file()]
    return max((path.stat().st_size for path in files), default=0)


def wait_for(condition: Callable[[], bool], patience: float = PATIENCE) -> bool:
    """Wait until something holds; tell whether it came to that."""
    end = time.monotonic() + patience
    while not (held := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return held

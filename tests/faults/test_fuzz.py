"""Bad input over HTTP: whatever is sent, the answer has our shape, and none is a 500.

`MINDCORPUS_FUZZ_SEED`, `MINDCORPUS_FUZZ_REQUESTS` (in process) and `MINDCORPUS_FUZZ_RAW` (over
sockets) make the long run of it.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from running import BASE, Service

from web import create_app
from web.access.headers import ALWAYS
from web.access.tokens import TokenFile
from web.problems import KINDS, MEDIA_TYPE
from web.settings import WebSettings

if TYPE_CHECKING:
    from redis_server import RedisServer

SEED = int(os.environ.get("MINDCORPUS_FUZZ_SEED", "1"))
REQUESTS = int(os.environ.get("MINDCORPUS_FUZZ_REQUESTS", "600"))
RAW = int(os.environ.get("MINDCORPUS_FUZZ_RAW", "250"))

METHODS = ["GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "get", "FOO-BAR"]
PATHS = [
    *("/", "/jobs", "/records", "/records/0", "/records/export", "/docs", "/healthz", "/metrics"),
    *("/static/docs.css", "/openapi.json", "/sign-in", "/jobs/new/merge", "/nowhere"),
    *(f"{BASE}/{end}" for end in ("merge", "prepare", "jobs", "artifacts", "sources", "records")),
    *(
        f"{BASE}/{end}"
        for end in ("statistics", "records/1", "artifacts/x/../y", "jobs/" + "0" * 32)
    ),
    *(f"{BASE}/jobs/{'0' * 32}/{end}" for end in ("retry", "events")),
]
ODD = [
    *("", "%00", "%ff%fe", "..%2f..%2fetc", "//", "é😀", "%F0%9F%98%80", "a" * 3000, "'\"<script>"),
    *("-1", "1e999", "٣", "null", "true", "[]", "{}", "\t", "%0d%0aX: y", "\u202e", "9" * 400),
]
FIELDS = [
    "limit",
    "offset",
    "q",
    "contains",
    "cursor",
    "state",
    "kind",
    "source",
    "tag",
    "min_words",
]
HEADERS = [
    *(
        "Range",
        "If-Range",
        "If-None-Match",
        "If-Match",
        "Accept",
        "Last-Event-ID",
        "Cookie",
        "Host",
    ),
    *("Idempotency-Key", "X-Request-ID", "X-Forwarded-For", "X-Forwarded-Prefix", "Origin"),
    *("Content-Type", "Content-Encoding", "Authorization", "If-Modified-Since", "Expect"),
]
VALUES = [
    *("", "bytes=0-", "bytes=-5,9-", "bytes=9999999999999999999999-", '"x"', "W/", "*", "a" * 3000),
    *("application/json", "text/plain; charset=utf-77", "gzip", "Bearer ", "Bearer x", "0-0", "1-"),
    *(
        "session=~~~",
        "session=a~b~c",
        "99999999999999999999-9",
        "évil",
        "100-continue",
        "[::1",
        "a b",
    ),
]
BODIES: list[bytes] = [
    *(b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 30_000, b'{"sources": 1}', b'{"a": 1e999}'),
    *(b'{"sources": ["' + b"x" * 5000 + b'"]}', b'{"sample": "\\ud800"}', b"x" * 70_000, b"a=b&c"),
    *(
        b'{"format": "openai", "seed": 1e400}',
        b'{"options": {"a.b": null}}',
        b'"' + b"\\u0000" * 50,
    ),
    *(b'{"validation_share": NaN}', b'{"formats": []}', b'{"sources": ["TRACE"], "sources": 3}'),
]


def a_request(chance: random.Random) -> tuple[str, str, dict[str, str], bytes]:
    """Make up a request: a known one in which something is odd."""
    path = chance.choice(PATHS)
    if chance.random() < 0.3:
        path += "/" + chance.choice(ODD)
    if chance.random() < 0.5:
        asked = (
            f"{chance.choice(FIELDS)}={chance.choice(ODD)}" for _ in range(chance.randint(1, 4))
        )
        path += "?" + "&".join(asked)
    names = chance.sample(HEADERS, chance.randint(0, 4))
    headers = {name: chance.choice(VALUES) for name in names}
    return chance.choice(METHODS), path, headers, chance.choice(BODIES)


def wrong(status: int, headers: dict[str, str], body: bytes, method: str) -> str | None:
    """Say what is wrong with an answer; None if it has our shape."""
    if not 200 <= status < 500 and status not in (501, 503):
        return f"status {status}"
    missing = [name for name in ALWAYS if name.lower() not in headers]
    if missing or "content-security-policy" not in headers:
        return f"without {missing or 'a policy'}"
    if (
        status < 400
        or method.upper() == "HEAD"
        or headers.get("content-type", "").startswith("text/")
    ):
        return None  # pages tell of errors in words
    if headers.get("content-type") != MEDIA_TYPE:
        return f"of type {headers.get('content-type')}"
    problem = json.loads(body)
    if problem["code"] not in KINDS or problem["status"] != status:
        return f"with the code {problem['code']}"
    return None


@pytest.fixture
def settings(needs_redis: None, redis_server: RedisServer, tmp_path: Path) -> WebSettings:
    redis_server.flush()
    given = {"redis_url": redis_server.url, "data_dir": tmp_path / "data", "disk_floor_mb": 1}
    return WebSettings.model_validate({**given, "post_limit": "100000/minute"})


def test_in_process(settings: WebSettings, capsys: pytest.CaptureFixture[str]) -> None:
    app = create_app(settings)
    token = TokenFile(settings.tokens_path).new("fuzz", ("write",))
    chance = random.Random(SEED)
    client = app.test_client()
    try:
        for number in range(REQUESTS):
            method, path, headers, body = a_request(chance)
            given = {
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/json",
                **headers,
            }
            if any(not text.isascii() for text in given.values()):
                continue  # werkzeug's client sends none
            if path.startswith("//") or "\t" in path:
                continue
            answer = client.open(path, method=method.upper(), headers=given, data=body)
            given_back = {name.lower(): text for name, text in answer.headers.items()}
            streamed = answer.mimetype == "text/event-stream"
            found = wrong(
                answer.status_code, given_back, b"" if streamed else answer.get_data(), method
            )
            answer.close()
            assert found is None, (number, method, path, headers, body[:80], found)
    finally:
        app.extensions["mindcorpus"].redis.close()
    told(
        capsys, f"{REQUESTS:,} requests in process (seed {SEED}), each with an answer of our shape"
    )


@pytest.fixture
def served(settings: WebSettings, tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path, str(settings.redis_url and settings.redis()), disk_floor_mb="1")
    try:
        service.start_web()
        yield service
    finally:
        service.stop()


def a_message(chance: random.Random, token: str) -> tuple[str, bytes]:
    """Make up what is sent: a request as above, and then some bytes of it are others."""
    method, path, headers, body = a_request(chance)
    given = {"Host": "127.0.0.1", "Authorization": f"Bearer {token}", **headers}
    chunked = chance.random() < 0.3
    if chunked:
        given["Transfer-Encoding"] = chance.choice(
            ["chunked", "chunked", "gzip", "chunked, chunked"]
        )
        size = chance.choice(
            [f"{len(body):x}", "-1", "+1", "0x5", "z", "5;a=b", "5;=", "f" * 20, ""]
        )
        body = size.encode() + b"\r\n" + body + b"\r\n0\r\n\r\n"
    else:
        told = chance.choice([str(len(body))] * 6 + ["-5", "+3", "1,2", "x"])
        given["Content-Length"] = told
    version = chance.choice(["HTTP/1.1"] * 6 + ["HTTP/1.0", "HTTP/9.9", "", "HTTQ/1.1"])
    lines = [f"{method} {path} {version}", *(f"{name}: {text}" for name, text in given.items())]
    end = chance.choice(["\r\n"] * 6 + ["\n"])
    message = bytearray((end.join(lines) + end * 2).encode("utf-8", "replace") + body)
    for _ in range(chance.choice([0, 0, 1, 3])):
        message[chance.randrange(min(len(message), 400))] = chance.randrange(256)
    return method, bytes(message)


def told(capsys: pytest.CaptureFixture[str], what: str) -> None:
    """Say what a run gave: `make soak` repeats it."""
    with capsys.disabled():
        print(f"\nfuzz: {what}")  # noqa: T201 - it is read


def test_over_sockets(served: Service, capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(SEED)
    unanswered = []
    for number in range(RAW):
        method, message = a_message(chance, served.token)
        with socket.create_connection(("127.0.0.1", served.port), 30) as client:
            with suppress(OSError):
                client.sendall(message)
                # What had no end is cut off here: what is wanted is the answer to all the rest.
                client.sendall(b"\r\n\r\n0\r\n\r\n")
            client.settimeout(30)
            answer = http.client.HTTPResponse(client, method="GET")
            try:
                answer.begin()
            except (OSError, http.client.HTTPException):
                unanswered.append((number, message[:200]))
                continue
            headers = {name.lower(): text for name, text in answer.getheaders()}
            body = b""
            if answer.status >= 400 and method != "HEAD":
                with suppress(OSError, http.client.HTTPException):
                    body = answer.read()
            found = wrong(answer.status, headers, body, "HEAD" if not body else method)
            assert found is None, (number, message[:300], found)
    assert not unanswered
    # It lives, and nothing unforeseen stands in its log.
    assert "unexpected error" not in served.log()
    assert '"status": 500' not in served.log()
    told(capsys, f"{RAW:,} requests over sockets (seed {SEED}), each with an answer of our shape")

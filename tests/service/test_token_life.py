"""How tokens and sessions end, and what becomes of who presents wrong ones, from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from running import ROOT, Service

from web.access.tokens import TokenFile

OWN = {"Sec-Fetch-Site": "same-origin"}
IDLE = 4.0  # seconds


@pytest.fixture
def servers(tmp_path: Path, redis_url: str) -> Iterator[tuple[Service, Service]]:
    """Two web servers over the same folders and Redis."""
    settings = {"failed_limit": "5/minute", "session_idle_minutes": str(IDLE / 60)}
    first, second = (Service(tmp_path, redis_url, **settings) for _ in range(2))
    try:
        first.begin_web()
        second.begin_web()
        first.wait_for_web()
        second.wait_for_web()
        yield first, second
    finally:
        first.stop()
        second.stop()


def sign_in(service: Service, token: str) -> httpx2.Response:
    return httpx2.post(f"{service.url}/sign-in", data={"token": token}, headers=OWN, timeout=30)


def test_wrong_tokens_slow_down_who_presents_them_and_nobody_else(
    servers: tuple[Service, Service],
) -> None:
    first, second = servers
    good = TokenFile(first.tokens_file).new("good")
    statuses, codes = [], set()
    for number in range(8):
        # By turns, so that only a count of both together comes so far.
        with (first, second)[number % 2].client(f"mc_wrong-{number}") as client:
            answer = client.get("/jobs")
            statuses.append(answer.status_code)
            codes.add(answer.json()["code"])
            # The good one from the same address is taken all the while.
            with first.client(good) as other:
                assert other.get("/jobs").status_code == 200
    assert statuses == [401] * 5 + [429] * 3
    assert codes == {"unauthorized", "rate-limited"}
    assert 1 <= int(answer.headers["Retry-After"]) <= 61
    refused = sign_in(second, "mc_wrong")
    assert refused.status_code == 429
    assert "too many wrong tokens" in refused.text.lower()
    assert sign_in(second, good).status_code == 303
    # Who has none at all is told so, as ever.
    assert httpx2.get(f"{first.url}/api/ai/data/jobs", timeout=30).status_code == 401


def test_tokens_and_sessions_end_and_their_last_use_is_known(
    servers: tuple[Service, Service], tmp_path: Path
) -> None:
    first, second = servers
    tokens = TokenFile(first.tokens_file)
    ends = datetime.now(UTC) + timedelta(seconds=3)
    short, long = tokens.new("short", expires=ends), tokens.new("long")
    tokens.new("idle")
    began = datetime.now(UTC).replace(microsecond=0)
    with first.client(short) as client, second.client(short) as other:
        assert (client.get("/jobs").status_code, other.get("/jobs").status_code) == (200, 200)
        session = sign_in(first, short).headers["Set-Cookie"].partition(";")[0]
        time.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds()) + 0.1)
        for each in (client.get("/jobs"), other.get("/jobs")):
            assert (each.status_code, each.json()["code"]) == (401, "token-expired")
            assert "expired" in each.json()["title"]
    page = httpx2.get(f"{first.url}/jobs", headers={"Cookie": session}, timeout=30)
    assert page.headers["Location"].startswith("/sign-in")
    assert sign_in(first, short).status_code == 422

    with httpx2.Client(base_url=first.url, timeout=30) as visitor:
        visitor.post("/sign-in", data={"token": long}, headers=OWN)
        copy = {"Cookie": f"mindcorpus_session={visitor.cookies['mindcorpus_session']}"}
        until = time.monotonic() + 2 * IDLE
        while time.monotonic() < until:  # who goes on visiting stays
            assert visitor.get("/jobs").status_code == 200
            time.sleep(IDLE / 8)
        # The cookie that was left alone has ended, and so has it at the other server.
        for service in servers:
            assert httpx2.get(f"{service.url}/jobs", headers=copy, timeout=30).status_code == 303
        # What a page asks for by itself keeps no session.
        until = time.monotonic() + 1.5 * IDLE
        seen = []
        while time.monotonic() < until:
            seen.append(visitor.get("/jobs", headers={"X-Mindcorpus-Poll": "1"}).status_code)
            time.sleep(IDLE / 8)
        assert (seen[0], seen[-1]) == (200, 303)

    environment = {**os.environ, "MINDCORPUS_DATA_DIR": str(first.data_dir)}
    done = subprocess.run(
        [sys.executable, "-m", "web", "token", "list"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    listed = {line.split("\t")[0]: line.split("\t") for line in done.stdout.splitlines()[1:]}
    assert listed["short"][3] == ends.isoformat()
    assert listed["idle"][3:] == ["never", "never"]
    for name in ("short", "long"):
        used = datetime.fromisoformat(listed[name][4])
        assert began - timedelta(seconds=1) <= used <= datetime.now(UTC)
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and _holds(file, long)]


def _holds(file: Path, text: str) -> bool:
    return text.encode() in file.read_bytes()

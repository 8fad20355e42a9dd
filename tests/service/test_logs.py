"""The log: one JSON object a line, an id for each request, and no word of a record or a token."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from flask import Response

from web.services import Services
from workers.logs import configure

if TYPE_CHECKING:
    from apiflask import APIFlask

ROOT = Path(__file__).parents[2]
JOB = "0123456789abcdef" * 2
PROGRAM = """
import logging, structlog, warnings
from workers.logs import configure
configure()
configure()
structlog.get_logger("ours").info("said", number=1, token="mc_" + "a" * 43)
logging.getLogger("celery.worker").warning("Connected to %s", "redis://user:pass@host:1/0")
logging.getLogger("httpx2").info("HTTP Request: GET https://hub/signed?key=x")
warnings.warn("old")
try:
    raise ValueError("the words of a record")
except ValueError:
    logging.getLogger("theirs").exception("it broke")
    structlog.get_logger("ours").exception("it broke here")
"""


@pytest.fixture
def configured() -> Iterator[None]:
    """Logs as a server has them, until the test is over."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    configure()
    yield
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def _run(program: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        timeout=60,
    )
    assert done.stdout == ""
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_everybody_s_lines_have_one_form_and_hold_no_secret() -> None:
    said, connected, warned, theirs, ours = _run(PROGRAM)
    assert (said["event"], said["number"], said["level"], said["logger"]) == (
        "said",
        1,
        "info",
        "ours",
    )
    assert said["timestamp"].endswith("Z")
    assert said["token"] == "mc_***"
    assert connected["event"] == "Connected to redis://***@host:1/0"
    assert warned["logger"] == "py.warnings"
    for line in (theirs, ours):
        assert line["error"] == "ValueError"
        assert line["frames"]
        assert "words" not in json.dumps(line)


@pytest.mark.usefixtures("configured")
def test_a_request_is_told_by_its_template(app: APIFlask, caplog: pytest.LogCaptureFixture) -> None:
    @app.post("/api/things/<name>/jobs")
    def make(name: str) -> Response:
        return Response(name, 202, {"Location": f"/api/jobs/{JOB}"})

    made: Services = app.extensions["mindcorpus"]
    text = made.tokens.new("laptop", ("write",))
    client = app.test_client()
    client.post(
        "/api/things/private/jobs?q=private",
        headers={"Authorization": f"Bearer {text}", "X-Request-ID": "mine"},
        json={"text": "private"},
    )
    client.get("/nowhere/private")
    lines = [_event(record) for record in caplog.records if record.name == "web.access"]
    posted, missed = lines
    assert posted.pop("ms") > 0
    assert posted == {
        "event": "request",
        "request_id": "mine",
        "method": "POST",
        "route": "/api/things/<name>/jobs",
        "status": 202,
        "token": "laptop",
        "job": JOB,
    }
    assert "route" not in missed
    assert missed["status"] == 404
    written = json.dumps(lines)
    assert "private" not in written
    assert text not in written


@pytest.mark.usefixtures("configured")
def test_a_stream_is_told_of_when_it_ends(app: APIFlask, caplog: pytest.LogCaptureFixture) -> None:
    @app.get("/stream")
    def stream() -> Response:
        return Response(iter(["a", "b"]))

    answer = app.test_client().get("/stream")
    assert not any(record.name == "web.access" for record in caplog.records)
    answer.close()
    assert any(record.name == "web.access" for record in caplog.records)


def _event(record: logging.LogRecord) -> dict[str, Any]:
    assert isinstance(record.msg, dict)
    kept = dict(record.msg)
    for name in ("level", "logger", "timestamp"):
        kept.pop(name)
    return kept

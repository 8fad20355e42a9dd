"""The web server stays small: what reads records is loaded by the few views that do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = {"pandas", "pyarrow", "datasets", "huggingface_hub"}
PROGRAM = """
import json, sys
from web import create_app
app = create_app()
client = app.test_client()
assert client.get("/healthz").status_code == 200
assert client.get("/docs").status_code == 200
print(json.dumps(sorted(sys.modules)))
"""
COMMANDS = """
import json, sys
import web.__main__
print(json.dumps(sorted(sys.modules)))
"""


def _loaded(program: str, folder: Path) -> set[str]:
    # A port where nobody listens: making an app connects to nothing.
    environment = {
        **os.environ,
        "MINDCORPUS_REDIS_URL": "redis://127.0.0.1:1/0",
        "MINDCORPUS_DATA_DIR": str(folder),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        check=False,
        env=environment,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_an_app_loads_nothing_that_reads_records(tmp_path: Path) -> None:
    assert _loaded(PROGRAM, tmp_path) & HEAVY == set()
    assert list(tmp_path.iterdir()) == []


def test_the_commands_load_no_server(tmp_path: Path) -> None:
    assert _loaded(COMMANDS, tmp_path) & {*HEAVY, "flask", "celery", "redis"} == set()

"""What every test leans on: a hub of its own, a cache of its own, nothing of the user's."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from hub_server import HubServer

from mindcorpus.settings import Settings

# A shell starts what runs in the background deaf to Ctrl-C, and with it all that starts from there.
signal.signal(signal.SIGINT, signal.default_int_handler)
# No test is timed: these machines are shared.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

pytest_plugins = ["service_fixtures", "fault_fixtures", "browser_fixtures"]

# Read at the import of huggingface_hub and by the processes that tests start: a developer's own
# token, cache and proxies must not be seen.
_HOME = tempfile.mkdtemp(prefix="mindcorpus-tests-")
os.environ.update(HF_HOME=_HOME, NO_PROXY="127.0.0.1,localhost", no_proxy="127.0.0.1,localhost")
for _name in (
    "HF_TOKEN",
    "HF_ENDPOINT",
    "HF_HUB_OFFLINE",
    "HF_HUB_CACHE",
    "HUGGING_FACE_HUB_TOKEN",
):
    os.environ.pop(_name, None)


def pytest_unconfigure() -> None:
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A hub over an empty folder, `hub.root`; files go to `datasets/OWNER/NAME/` below it."""
    server = HubServer(tmp_path / "hub")
    # Not its own `start`: that loop takes half a second to stop.
    threading.Thread(target=server._server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    yield server
    server.stop()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with folders of the test's own."""
    return Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")

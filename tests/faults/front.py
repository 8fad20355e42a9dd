"""The nginx that stands before the web server in the image, with its paths and port of a test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "docker" / "nginx.conf"


def nginx() -> str:
    """Give the program; skips the test where there is none, which in CI is a failure."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        message = "there is no nginx; install it with apt-get install nginx"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


class Front:
    """A running nginx; `socket` is where it looks for the web server."""

    def __init__(self, folder: Path, port: int, program: str) -> None:
        self.socket = folder / "web.sock"
        self.port = port
        config = folder / "nginx.conf"
        config.write_text(configured(folder, port))
        with (folder / "nginx.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "-c", str(config), "-e", "stderr"],
                stdin=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Wait until it listens."""
        until = time.monotonic() + 20
        while time.monotonic() < until:
            assert self._process.poll() is None, "nginx ended"
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise TimeoutError("nginx does not listen")

    def stop(self) -> int:
        """Ask it to end at once; gives its exit code."""
        self._process.terminate()
        return self._process.wait(10)


def configured(folder: Path, port: int) -> str:
    """Give the file as it stands, with folders of the test for those of the containers."""
    text = CONFIG.read_text()
    for there, here in (
        ("/tmp/", f"{folder}/"),
        ("/socket/web.sock", f"{folder}/web.sock"),
        ("listen 8000", f"listen 127.0.0.1:{port}"),
        ("/etc/mindcorpus", str(CONFIG.parent)),
    ):
        assert there in text
        text = text.replace(there, here)
    # In a container it is nobody's child; started by root it would give itself another user.
    return f"user root;\n{text}" if os.geteuid() == 0 else text

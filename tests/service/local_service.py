"""`python -m web up` as a user starts it, in a folder of a test's own, and all that it starts."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import psutil

ROOT = Path(__file__).parents[2]
PATIENCE = 90.0  # seconds until something that should happen counts as not happening
_MARK = "MINDCORPUS_TESTS_STACK"


def until(true: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait for something to come true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.05)


class LocalService:
    """One `up`; as a context it leaves no process behind, whatever became of the test."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self._mark = secrets.token_hex(8)
        kept = {name: value for name, value in os.environ.items() if "MINDCORPUS" not in name}
        self._said = folder / f"said-{self._mark}"
        with self._said.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "web", "up", *arguments],
                cwd=folder,
                env={
                    **kept,
                    "PYTHONPATH": str(ROOT),
                    "LC_ALL": "C.UTF-8",
                    "MINDCORPUS_PORT": "0",
                    _MARK: self._mark,
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.process.kill()
        self.process.wait()
        for process in self.started:
            process.kill()

    @property
    def said(self) -> str:
        """What it said so far."""
        return self._said.read_text("utf-8")

    @property
    def url(self) -> str:
        """Where it listens; it has to have been said."""
        return self._found(r"Dashboard +(http://\S+)")

    @property
    def token(self) -> str:
        """The token that it made; it has to have been said."""
        return self._found(r"Token +(mc_\S+)")

    @property
    def started(self) -> list[psutil.Process]:
        """All that it started and that still runs, directly or not, whoever is its parent now."""
        return [
            process
            for process in psutil.process_iter()
            if process.pid != self.process.pid and self._is_ours(process)
        ]

    def named(self, *words: str) -> list[psutil.Process]:
        """Give the running processes whose command line has all of these words, oldest first."""
        found = [process for process in self.started if set(words) <= set(_command(process))]
        return sorted(found, key=lambda process: process.pid)

    def expect(self, text: str) -> None:
        """Wait until it has said something."""
        until(lambda: text in self.said or self.process.poll() is not None)
        assert text in self.said, self.said

    def end(self) -> int:
        """Wait for its end; gives the exit code."""
        return self.process.wait(PATIENCE)

    def log(self, name: str) -> str:
        """Give what a program has written."""
        return (self.folder / "datasets/.service/logs" / f"{name}.log").read_text("utf-8")

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            # Redis writes its title over its environment; nobody else works in its folder.
            in_redis = process.cwd() == str(self.folder / "datasets/.service/redis")
            return in_redis or process.environ().get(_MARK) == self._mark
        except (psutil.Error, OSError):
            return False

    def _found(self, pattern: str) -> str:
        found = re.search(pattern, self.said)
        assert found, self.said
        return found[1]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []

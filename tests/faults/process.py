"""One process of the service, to be signalled, killed and waited for."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil


class Process:
    """One process of the service with its children, in a session of its own; it writes a log.

    `within` is a command that becomes it, as `ip netns exec NAME` does.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        environment: dict[str, str],
        log: Path,
        cwd: Path,
        within: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*within, sys.executable, "-m", *arguments],
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The main process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the main process lives."""
        return self._process.poll() is None

    def children(self) -> list[psutil.Process]:
        """Give the pool's processes."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.pid).children()
        return []

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the main process."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it and its pool at once, as the kernel of a machine that crashes would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(10)

    def wait(self, seconds: float) -> float:
        """Wait until it has ended; gives how long that took."""
        began = time.monotonic()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"{self.name} did not end in {seconds} s:\n{self.log.read_text()[-3000:]}"
            ) from None
        return time.monotonic() - began

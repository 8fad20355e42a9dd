"""Run a command and measure its wall time, its CPU time and the peak memory of its process tree."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_EVERY = 0.05
_TAIL = 2000


class RunFailedError(Exception):
    """The command failed; the message holds the end of what it printed."""


@dataclass(frozen=True)
class Measured:
    """What one run took: seconds, and bytes of the whole tree at their peak."""

    wall: float
    cpu: float
    peak: int
    """Peak of the summed `kind` of memory of all processes of the tree; 0 if nobody looked."""
    peak_unique: int
    """Peak of the summed USS: pages that no other process has, too."""
    kind: str
    """`pss` (shared pages divided among their users, mapped pages of files counted), or `rss`."""


def run(command: Sequence[str], folder: Path, *, look: bool) -> Measured:
    """Run a command in a folder to its end and measure it; raises `RunFailedError` if it fails.

    With `look` its memory is measured, which takes it some time: the more processes, the more.
    """
    with tempfile.TemporaryFile() as printed:
        start = time.perf_counter()
        child = subprocess.Popen(command, cwd=folder, stdout=printed, stderr=subprocess.STDOUT)
        waiter = _Waiter(child.pid)
        memory = _Memory(child.pid)
        # A sample of a large process is slow and holds it up: sample at most a tenth of the time.
        pause = _EVERY
        while not waiter.done.wait(pause if look else None):
            pause = max(_EVERY, 10 * memory.sample())
        waiter.join()
        child.returncode = waiter.exit_code
        if waiter.exit_code:
            printed.seek(max(0, printed.tell() - _TAIL))
            words = printed.read().decode(errors="replace")
            raise RunFailedError(f"exit code {waiter.exit_code}: {' '.join(command)}\n{words}")
    return Measured(waiter.end - start, waiter.cpu, memory.peak, memory.peak_unique, memory.kind)


class _Waiter(threading.Thread):
    """Waits for the process in the kernel, so that its end is known to the microsecond."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self.done = threading.Event()
        self.end = self.cpu = 0.0
        self.exit_code = 0
        self.start()

    def run(self) -> None:
        _, status, usage = os.wait4(self._pid, 0)
        self.end = time.perf_counter()
        # Of the process and of all descendants that it waited for.
        self.cpu = usage.ru_utime + usage.ru_stime
        self.exit_code = os.waitstatus_to_exitcode(status)
        self.done.set()


class _Memory:
    """The memory of a process tree, sampled."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self.kind = "pss" if hasattr(self._root.memory_full_info(), "pss") else "rss"
        self.peak = self.peak_unique = 0

    def sample(self) -> float:
        """Look at every process of the tree once; give the seconds that took."""
        start = time.perf_counter()
        total = unique = 0
        try:
            tree = [self._root, *self._root.children(recursive=True)]
        except psutil.Error:
            tree = []
        for process in tree:
            try:
                info = process.memory_full_info()
            except psutil.Error:
                continue  # it has ended
            total += getattr(info, self.kind)
            unique += info.uss
        self.peak = max(self.peak, total)
        self.peak_unique = max(self.peak_unique, unique)
        return time.perf_counter() - start

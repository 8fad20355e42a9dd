"""A small supervisor: starts programs, starts again what dies, stops them in order.

Every program has a session of its own, so that Ctrl-C reaches the supervisor alone, and dies
with the supervisor, however that ends. What a program left in its session dies with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from mindcorpus.execution import parent_death
from mindcorpus.system_calls import has_ended

_TIED = parent_death.__file__
_LOOK_SECONDS = 0.1
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_STEADY_SECONDS = 30.0  # what lived so long, failed for another reason than before
_LOG_BYTES = 5_000_000


@dataclass(frozen=True)
class Program:
    """What to run, and how to stop it."""

    name: str
    command: tuple[str, ...]
    """The first is an absolute path."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that it gets beside ours."""
    folder: Path | None = None
    """Where it runs; None: where we do."""
    inherits: tuple[int, ...] = ()
    """Descriptors that it keeps open."""
    grace: float = 15.0
    """Seconds from SIGTERM to SIGKILL."""


class Supervisor:
    """Keeps programs running, from `with` to the end of its block.

    `stages` are started in order and stopped in the opposite one, a stage when the one after it
    is down. `say` is told, from another thread, what a person should know.
    """

    def __init__(
        self, stages: Sequence[Sequence[Program]], logs: Path, say: Callable[[str], None]
    ) -> None:
        self._logs = logs
        self._stages = [
            [_Child(program, self.log(program), say) for program in stage] for stage in stages
        ]
        self._stopping = threading.Event()
        # One thread does it all, to the end: programs die with the thread that started them.
        self._thread = threading.Thread(target=self._run, name="supervisor")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether somebody still looks after the programs."""
        return self._thread.is_alive()

    def log(self, program: Program) -> Path:
        """Give the file that a program writes to."""
        return self._logs / f"{program.name}.log"

    def failing(self, times: int) -> list[Program]:
        """Give the programs that died so many times in a row."""
        children = (child for stage in self._stages for child in stage)
        return [child.program for child in children if child.deaths >= times]

    def _run(self) -> None:
        while True:
            for stage in self._stages:
                for child in stage:
                    child.look()
            if self._stopping.wait(_LOOK_SECONDS):
                break
        for stage in reversed(self._stages):
            _stop(stage)


class _Child:
    """A program, and the process that it is at the moment."""

    def __init__(self, program: Program, log: Path, say: Callable[[str], None]) -> None:
        self.program = program
        self.deaths = 0
        self._log = log
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._status = 0
        self._since = 0.0
        self._due = 0.0

    @property
    def runs(self) -> bool:
        """Whether its process is there; one that ended is cleared away."""
        if self._process is None:
            return False
        # Whoever waits for all children of this process may have been faster.
        with suppress(ChildProcessError):
            if not has_ended(self._process):
                return True
        # Before it is waited for, its number cannot stand for anybody else.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._status = self._process.wait()
        self._process = None
        return False

    def look(self) -> None:
        """Start the process if it is not there, or not any more."""
        had = self._process is not None
        if self.runs:
            return
        now = time.monotonic()
        if had:
            self._died(now, _ending(self._status))
        if now >= self._due:
            try:
                self._start()
            except OSError as error:
                self._died(now, error.strerror or type(error).__name__)
            self._since = now

    def _died(self, now: float, why: str) -> None:
        self.deaths = 1 if now - self._since >= _STEADY_SECONDS else self.deaths + 1
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (self.deaths - 1))
        self._due = now + pause
        self._say(
            f"{self.program.name} ended ({why}); it starts again in {pause:g} s. Log: {self._log}"
        )

    def _start(self) -> None:
        _rotate(self._log)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", _TIED, str(os.getpid()), *self.program.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.program.folder,
                env={**os.environ, **self.program.environment},
                pass_fds=self.program.inherits,
                start_new_session=True,
            )

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """Send SIGKILL to it and to what it started in its session."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


def _stop(stage: list[_Child]) -> None:
    began = time.monotonic()
    for child in stage:
        child.ask_to_stop()
    while left := [child for child in stage if child.runs]:
        for child in left:
            if time.monotonic() - began > child.program.grace:
                child.kill()
        time.sleep(_LOOK_SECONDS / 2)


def _ending(status: int) -> str:
    return f"killed by signal {-status}" if status < 0 else f"exit status {status}"


def _rotate(log: Path) -> None:
    """Set a long log aside; the one before it goes."""
    with suppress(FileNotFoundError):
        if log.stat().st_size > _LOG_BYTES:
            log.replace(log.with_name(f"{log.name}.1"))

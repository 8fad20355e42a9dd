"""Worker processes for one job: tasks out, results and progress back, nothing left behind.

Own processes instead of a pool of the standard library: those import the caller's `__main__`
again (a script without a guard would start itself), and outlive a parent that is killed. Ours
are fresh interpreters that end when their line to the parent breaks, whatever broke it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mindcorpus.errors import CancelledError, MindcorpusError, WorkerLostError
from mindcorpus.progress import Cancellation

_BEAT = 0.1  # seconds between progress messages of a worker, and between looks at the cancel flag

# Row groups come and go by the hundred: a worker keeps their memory instead of giving it back to
# the system and faulting it in again, which made reading Parquet twice as slow (measured).
_MEMORY = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
}

Heard = Callable[[int, int, int], None]
"""Called with a task's index and the rows and bytes it has done since the last call."""

Finished = Callable[[int], None]
"""Called with a task's index when it has ended well."""


@dataclass(frozen=True)
class Task:
    """A function of a module, and the one argument it is called with (both are sent by pickle).

    The function is called as `function(argument, tick)`, where `tick(rows, bytes)` tells progress.
    """

    function: Callable[[Any, Callable[[int, int], None]], Any]
    argument: Any


class Crew:
    """`workers` processes from entering to leaving; with one worker, the caller's own process."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._members: list[_Member] = []

    def __enter__(self) -> Self:
        # At once, so that they load while the caller still plans.
        if self._workers > 1:
            self._members = [_Member() for _ in range(self._workers)]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for member in self._members:
            member.stop()
        self._members.clear()

    def run(
        self,
        tasks: Sequence[Task],
        heard: Heard,
        cancel: Cancellation,
        finished: Finished = lambda _task: None,
    ) -> list[Any]:
        """Run all tasks, started in their order; give their results in that order.

        A `MindcorpusError` of a task stands in its place in the list, and the others go on; any
        other exception, `CancelledError` and `WorkerLostError` stop everything and are raised.
        """
        if self._workers == 1:
            return [self._run_here(task, heard, cancel, finished) for task in enumerate(tasks)]
        return self._run_there(tasks, heard, cancel, finished)

    def _run_here(
        self, numbered: tuple[int, Task], heard: Heard, cancel: Cancellation, finished: Finished
    ) -> Any:
        at, task = numbered

        def send(rows: int, size: int) -> None:
            cancel.check()
            heard(at, rows, size)

        beat = _Beat(send)
        try:
            result = task.function(task.argument, beat)
        except CancelledError:
            raise
        except MindcorpusError as error:
            return error
        beat.flush()
        finished(at)
        return result

    def _run_there(
        self, tasks: Sequence[Task], heard: Heard, cancel: Cancellation, finished: Finished
    ) -> list[Any]:
        results: list[Any] = [None] * len(tasks)
        waiting = list(enumerate(tasks))[::-1]
        idle = self._members[:]
        busy: dict[Connection, tuple[_Member, int]] = {}
        while waiting or busy:
            cancel.check()
            while waiting and idle:
                at, task = waiting.pop()
                member = idle.pop()
                busy[member.line] = (member, at)
                member.send(task)
            for line in wait(list(busy), timeout=_BEAT):
                assert isinstance(line, Connection)
                member, at = busy[line]
                kind, value = member.receive()
                if kind == "progress":
                    heard(at, *value)
                    continue
                del busy[line]
                idle.append(member)
                if kind == "failed" and not isinstance(value, MindcorpusError):
                    raise value
                results[at] = value
                if kind == "done":
                    finished(at)
        return results


class _Member:
    """One worker process, seen from the parent."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            # The parent's import path holds in the worker; its current folder does not join it
            # (a data folder called `datasets` must not shadow the library of that name).
            paths = [path for path in sys.path if path] + [str(Path(__file__).parents[1])]
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "mindcorpus.crew", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={
                    **os.environ,
                    **_MEMORY,
                    "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
                },
            )
        self.line = Connection(ours.detach())

    def send(self, task: Task) -> None:
        try:
            self.line.send(task)
        except OSError:
            raise self._lost() from None

    def receive(self) -> tuple[str, Any]:
        try:
            message: tuple[str, Any] = self.line.recv()
        except (EOFError, OSError):
            raise self._lost() from None
        return message

    def _lost(self) -> WorkerLostError:
        code = self.process.wait()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return WorkerLostError(
            f"a worker process died ({how})",
            hint="Signal 9 often means that memory ran out: try --workers 1, or a machine with more."
            if code == -signal.SIGKILL
            else "Run it again; if it happens again, report it.",
        )

    def stop(self) -> None:
        self.line.close()
        self.process.kill()
        self.process.wait()


class _Beat:
    """Gathers progress and passes it on a few times a second."""

    def __init__(self, send: Callable[[int, int], object]) -> None:
        self._send = send
        self._rows = self._bytes = 0
        self._next = 0.0

    def __call__(self, rows: int, size: int) -> None:
        self._rows += rows
        self._bytes += size
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _BEAT
            self.flush()

    def flush(self) -> None:
        self._send(self._rows, self._bytes)
        self._rows = self._bytes = 0


def serve(line: Connection) -> None:
    """Do the parent's tasks until the line breaks."""
    beat = _Beat(lambda rows, size: line.send(("progress", (rows, size))))
    while True:
        task: Task = line.recv()
        try:
            answer = "done", task.function(task.argument, beat)
        except MindcorpusError as error:
            answer = "failed", error
        except (BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:  # noqa: BLE001 - the parent raises it, as if it had happened there
            error.add_note("in a worker process")
            answer = "failed", error
        beat.flush()
        line.send(answer)


def main() -> None:
    """Be a worker: the parent calls this module with the number of an open socket."""
    # Ctrl-C reaches the whole terminal; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        serve(Connection(int(sys.argv[1])))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        os._exit(0)  # the parent is gone, and with it whoever could use the result


if __name__ == "__main__":
    main()

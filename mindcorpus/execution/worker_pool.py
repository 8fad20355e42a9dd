"""Worker processes for one job: tasks out, results and progress back, nothing left behind.

Workers are forked: ready at once, with all that the parent has loaded, in the same memory. Pools
of the standard library start the caller's `__main__` again (a script without a guard would run
itself) and outlive a parent that is killed; ours end when their line to the parent breaks,
whatever broke it. A worker runs tasks alone: no lock that another thread of the parent may have
held at the fork is ever asked for.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
import socket
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from mindcorpus.errors import CancelledError, MindcorpusError, WorkerLostError
from mindcorpus.execution.memory import keep_memory, uncollected
from mindcorpus.execution.parent_death import end_with_parent
from mindcorpus.progress import Cancellation
from mindcorpus.remedies import LessMemory

_BEAT = 0.1  # seconds between progress messages of a worker, and between looks at the cancel flag

Heard = Callable[[int, int, int], None]
"""Called with a task's index and the rows and bytes it has done since the last call."""

Finished = Callable[[int, Any], None]
"""Called with a task's index and result when it has ended well; what it raises stops everything."""


@dataclass(frozen=True)
class Task:
    """A function of a module, and the one argument it is called with (both are sent by pickle).

    The function is called as `function(argument, tick)`, where `tick(rows, bytes)` tells progress.
    """

    function: Callable[[Any, Callable[[int, int], None]], Any]
    argument: Any
    heavy: bool = False
    """It loads much that no other task needs: its worker ends with it, another takes its place."""


class WorkerPool:
    """Runs tasks in `workers` processes; with one worker, in the caller's own."""

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def run(
        self,
        tasks: Sequence[Task],
        heard: Heard,
        cancel: Cancellation,
        finished: Finished = lambda _task, _result: None,
    ) -> list[Any]:
        """Run all tasks, started in their order; give their results in that order.

        A `MindcorpusError` of a task stands in its place in the list, and the others go on; any
        other exception, `CancelledError` and `WorkerLostError` stop everything and are raised.
        """
        if self._workers == 1:
            return [self._run_here(task, heard, cancel, finished) for task in enumerate(tasks)]
        # Workers live for one list of tasks: they are ready at once, and what memory they took for
        # it is not in the way of the next.
        pool: list[_Worker] = []
        try:
            for _ in range(min(self._workers, len(tasks))):
                pool.append(_Worker(pool))
            return self._run_there(pool, tasks, heard, cancel, finished)
        finally:
            for worker in pool:
                worker.stop()

    def _run_here(
        self, numbered: tuple[int, Task], heard: Heard, cancel: Cancellation, finished: Finished
    ) -> Any:
        at, task = numbered

        def send(rows: int, size: int) -> None:
            cancel.check()
            heard(at, rows, size)

        beat = _Beat(send)
        try:
            with uncollected():
                result = task.function(task.argument, beat)
        except CancelledError:
            raise
        except MindcorpusError as error:
            return error
        beat.flush()
        finished(at, result)
        return result

    def _run_there(
        self,
        pool: list[_Worker],
        tasks: Sequence[Task],
        heard: Heard,
        cancel: Cancellation,
        finished: Finished,
    ) -> list[Any]:
        results: list[Any] = [None] * len(tasks)
        waiting = list(enumerate(tasks))[::-1]
        idle = pool[:]
        busy: dict[Connection, tuple[_Worker, int]] = {}
        while waiting or busy:
            cancel.check()
            while waiting and idle:
                at, task = waiting.pop()
                worker = idle.pop()
                busy[worker.line] = (worker, at)
                worker.send(task)
            for line in wait(list(busy), timeout=_BEAT):
                assert isinstance(line, Connection)
                worker, at = busy[line]
                kind, value = worker.receive()
                if kind == "progress":
                    heard(at, *value)
                    continue
                del busy[line]
                if kind == "failed" and not isinstance(value, MindcorpusError):
                    raise value
                results[at] = value
                if kind == "done":
                    finished(at, value)
                if tasks[at].heavy and waiting:
                    pool.remove(worker)
                    worker.stop()
                    worker = _Worker(pool)
                    pool.append(worker)
                idle.append(worker)
        return results


class _Worker:
    """One worker process, seen from the parent."""

    def __init__(self, others: Sequence[_Worker]) -> None:
        ours, theirs = socket.socketpair()
        self.line: Connection
        with warnings.catch_warnings():
            # Python 3.12 and later warn of locks that other threads may hold; see above.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.process = os.fork()
        if self.process == 0:
            # Nothing of the parent's may run here: neither its handlers nor its clean-up.
            try:
                ours.close()
                # A copy of another's line would keep that one waiting after the parent's death.
                for other in others:
                    other.line.close()
                serve(Connection(theirs.detach()))
            finally:
                os._exit(0)
        theirs.close()
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
        code = os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])
        self.process = 0
        killed = code == -signal.SIGKILL
        return WorkerLostError(
            f"a worker process died ({f'signal {-code}' if code < 0 else f'exit code {code}'})",
            hint="Signal 9 often means that memory ran out:"
            if killed
            else "Run it again; if it happens again, report it.",
            remedy=LessMemory() if killed else None,
        )

    def stop(self) -> None:
        self.line.close()
        if self.process:
            os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)


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
    """Be a worker: do the parent's tasks until the line breaks."""
    # Ctrl-C reaches the whole terminal; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # The line breaks as well, but is looked at only between two calls.
    end_with_parent()
    # What the parent made stays shared: the collector would write into every page of it. And it
    # would go through all rows of a batch again and again, which hold no cycles.
    gc.freeze()
    gc.disable()
    keep_memory()
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        beat = _Beat(lambda rows, size: line.send(("progress", (rows, size))))
        while True:
            task: Task = line.recv()
            try:
                answer = "done", task.function(task.argument, beat)
            except (BrokenPipeError, ConnectionResetError):
                raise
            except Exception as error:  # noqa: BLE001 - the parent raises it, as if it had happened there
                answer = "failed", _portable(error)
            beat.flush()
            line.send(answer)


def _portable(error: Exception) -> Exception:
    """Give an exception that survives the way to the parent: itself, or one that names its type."""
    error.add_note("in a worker process")
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - made a moment ago, right here
    except Exception:  # noqa: BLE001 - whatever pickle meets, the parent must hear of the error
        return RuntimeError(f"{type(error).__name__} in a worker process")
    return error

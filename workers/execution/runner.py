"""The process that does a job's work: it is told one job, calls the library, and says how it went.

It runs as `python -m workers.execution.runner` in a session of its own, ends with its supervisor,
and talks to it in JSON lines: progress, a question (may I publish?) and at last one of `done`,
`failed`, `stopped`, `lost`. It knows nothing of Redis or Celery.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mindcorpus.errors import CancelledError, MindcorpusError, WorkerLostError
from mindcorpus.execution import own_process
from mindcorpus.execution.memory import keep_memory, uncollected
from mindcorpus.execution.parent_death import end_with_parent
from mindcorpus.privacy import keep_umask_private
from mindcorpus.progress import Cancellation, Progress
from mindcorpus.system_calls import bound_memory
from workers.errors import OutOfMemoryError, UnexpectedError, describe
from workers.execution.failures import is_of_source, may_pass
from workers.settings import ServiceSettings

log = logging.getLogger(__name__)

_NICE = 10
_PAUSE = 0.2  # seconds between two lines of progress; the supervisor throttles once more
#: Within a job the hub is asked less patiently: a job that waits in the queue holds no worker.
_FETCH_TRIES = 3


class Line:
    """The line to the supervisor: progress goes out, permission to publish comes back."""

    def __init__(self, cancel: Cancellation) -> None:
        self._cancel = cancel
        self._out = os.fdopen(os.dup(1), "w", buffering=1)
        # What a library prints must not be taken for our words.
        os.dup2(2, 1)
        self._next = 0.0
        self._stage = ""
        self._untold: Progress | None = None
        self._lock = threading.Lock()

    def send(self, kind: str, value: Any) -> None:
        """Say something."""
        with self._lock:
            self._out.write(json.dumps({kind: value}) + "\n")

    def report(self, progress: Progress) -> None:
        """Tell progress, a few times a second and whenever the stage changes."""
        # An earlier try may have published all of it: then there is nothing to ask.
        if progress.stage == "publish" != self._stage and progress.share != 1:
            self._ask()
        now = time.monotonic()
        if now < self._next and progress.stage == self._stage:
            self._untold = progress
            return
        self._next = now + _PAUSE
        self._stage = progress.stage
        self._untold = None
        self.send("progress", asdict(progress))

    def end(self, kind: str, value: Any) -> None:
        """Say how it ended, and before that what of its progress came too soon to be told."""
        if self._untold is not None:
            self.send("progress", asdict(self._untold))
        self.send(kind, value)

    def _ask(self) -> None:
        """Wait for the word that this job may publish; no answer means no."""
        self.send("ask", "publish")
        if sys.stdin.readline().strip() != "yes":
            self._cancel.cancel()


class _FirstWord(logging.Handler):
    """Sets logs up when there is something to say: it takes a tenth of a second, and is rare."""

    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__()
        self._names = names

    def emit(self, record: logging.LogRecord) -> None:
        """Make way for the real handler, and say the word again."""
        import structlog

        from workers.logs import configure

        logging.getLogger().removeHandler(self)
        configure()
        structlog.contextvars.bind_contextvars(**self._names)
        logging.getLogger(record.name).handle(record)


def main() -> None:
    """Be a runner: the job comes as the first line of standard input."""
    _end_with(int(sys.argv[1]))
    own_process.begin()
    keep_umask_private()
    cancel = Cancellation()
    signal.signal(signal.SIGTERM, lambda _number, _frame: cancel.cancel())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line = Line(cancel)
    job = json.loads(sys.stdin.readline())
    logging.getLogger().addHandler(_FirstWord(job["log"]))
    # Jobs take all cores for minutes: who asks for one, or how it is, comes first.
    os.nice(_NICE)
    settings = ServiceSettings.load()
    limit = settings.memory_limit_mb << 20
    bound_memory(limit)
    try:
        line.end(*_outcome(job, settings, line, cancel))
    except BrokenPipeError:
        os._exit(1)  # the supervisor is gone, and we are about to be
    own_process.end()


def _outcome(
    job: Mapping[str, Any], settings: ServiceSettings, line: Line, cancel: Cancellation
) -> tuple[str, Any]:
    """Do the work; whatever happens to it becomes a word to the supervisor."""
    try:
        # Late: what they load takes a third of a second, in which the supervisor already watches.
        if job["kind"] == "write":
            from workers.execution.write_step import run_write as run
        else:
            from workers.execution.steps import run_step as run

        keep_memory()
        shaped = {"fetch_tries": min(settings.fetch_tries, _FETCH_TRIES)}
        with uncollected():
            return "done", run(job, settings.model_copy(update=shaped), line.report, cancel)
    except CancelledError:
        return "stopped", None
    except WorkerLostError:
        return "lost", None
    except MindcorpusError as error:
        passing, after = may_pass(error), getattr(error, "retry_after", None)
        failure = _failure(error, passing=passing, of_source=is_of_source(error))
        host, reason = getattr(error, "host", ""), getattr(error, "reason", "")
        return "failed", {**failure, "after": after, "host": host, "reason": reason}
    except MemoryError:
        limit = settings.memory_limit_mb
        exhausted = OutOfMemoryError(
            f"the job asked for more than {limit:,} MiB of memory",
            hint="Raise MINDCORPUS_MEMORY_LIMIT_MB, or leave out the source that needs so much.",
        )
        return "failed", _failure(exhausted, of_source=True)
    except BaseException as error:  # noqa: BLE001 - the boundary: SystemExit and bugs alike
        # The exception's own words could hold a record's text; where it happened cannot.
        places = [
            f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)
        ]
        log.error("job %s: %s at %s", job["id"], type(error).__name__, " < ".join(places[::-1]))  # noqa: TRY400 - no values
        unexpected = UnexpectedError(
            f"unexpected {type(error).__name__}: this is a bug in mindcorpus",
            hint="Please report it with the worker's log of this job, which holds no record text.",
        )
        return "failed", _failure(unexpected)


def _failure(
    error: MindcorpusError, *, passing: bool = False, of_source: bool = False
) -> dict[str, Any]:
    return {"error": describe(error), "passing": passing, "of_source": of_source}


def _end_with(parent: int) -> None:
    """Have the system kill this process when the supervisor dies."""
    end_with_parent()
    with contextlib.suppress(OSError):  # not Linux
        # The kernel, short of memory, shall take this process and not the supervisor.
        Path("/proc/self/oom_score_adj").write_text("900")
    if os.getppid() != parent:
        os._exit(1)  # it died before we could ask


if __name__ == "__main__":
    main()

"""Watches over one runner: keeps the lease, passes progress on, ends what must end.

It lives in the Celery task. Whatever happens to the runner, the job's record hears of it; and
whatever happens to this process, the runner ends with it and the lease runs out.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import IO, Any, Literal

from mindcorpus.progress import Progress
from workers.errors import RedisUnavailableError
from workers.jobs.leases import Claim, ClaimStore
from workers.settings import ServiceSettings, WorkerSettings

log = logging.getLogger(__name__)

_LOOK = 0.1  # seconds between two looks at the clock and at the flag
_PROGRESS_PAUSE = 0.25
_GRACE = 10.0  # seconds that a runner has to end by itself

Verdict = Literal["done", "failed", "stopped", "lost", "released", "stale", "deadline", "stalled"]


class Supervisor:
    """One claim, and the runner that works on it."""

    def __init__(
        self,
        claim: Claim,
        job: Mapping[str, Any],
        claims: ClaimStore,
        settings: ServiceSettings,
        stopping: Callable[[], bool],
    ) -> None:
        self._claim = claim
        self._job = job
        self._claims = claims
        self._settings = settings
        self._stopping = stopping
        self._end: Verdict | None = None
        self._progress: Progress | None = None
        self._said: tuple[Verdict, Any] | None = None
        now = time.monotonic()
        self._held_until = now + settings.lease_seconds
        self._beat_at = now + settings.lease_seconds / 3
        self._report_at = self._moved_at = now
        self._reported: Progress | None = None

    @property
    def progress(self) -> Progress | None:
        """The last that the runner told; it may have come too late for a beat."""
        return self._progress

    def run(self) -> tuple[Verdict, Any]:
        """Run the job to its end, whichever it is; nothing of it is left running."""
        runner = subprocess.Popen(
            [sys.executable, "-m", "workers.execution.runner", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            text=True,
            bufsize=1,
            env=_environment(),
        )
        assert runner.stdin is not None
        assert runner.stdout is not None
        try:
            with contextlib.suppress(BrokenPipeError):
                runner.stdin.write(json.dumps(self._job) + "\n")
                runner.stdin.flush()
            self._watch(runner, runner.stdin, runner.stdout)
        finally:
            _kill_group(runner)
            with contextlib.suppress(BrokenPipeError):
                runner.stdin.close()
            runner.stdout.close()
        return self._verdict(runner.returncode)

    def _watch(self, runner: subprocess.Popen[str], to: IO[str], out: IO[str]) -> None:
        """Listen until the runner's line ends, or until it must be ended."""
        asked_to_end: float | None = None
        os.set_blocking(out.fileno(), False)
        rest = ""
        with selectors.DefaultSelector() as selector:
            selector.register(out, selectors.EVENT_READ)
            while True:
                for _ in selector.select(_LOOK):
                    piece = os.read(out.fileno(), 1 << 16).decode()
                    if not piece:
                        return
                    *lines, rest = (rest + piece).split("\n")
                    for line in lines:
                        self._hear(json.loads(line), to)
                now = time.monotonic()
                self._look(now)
                if self._end is None:
                    continue
                if self._end == "stale" or (asked_to_end and now > asked_to_end + _GRACE):
                    return
                if asked_to_end is None:
                    asked_to_end = now
                    runner.send_signal(signal.SIGTERM)

    def _hear(self, message: Mapping[Any, Any], to: IO[str]) -> None:
        ((kind, value),) = message.items()
        if kind == "progress":
            self._progress = Progress(**value)
            if self._reported is None or self._progress.stage != self._reported.stage:
                self._report_at = 0.0
        elif kind == "ask":
            answer = "yes" if self._may_publish() else "no"
            with contextlib.suppress(BrokenPipeError):
                to.write(answer + "\n")
                to.flush()
        else:
            self._said = (kind, value)

    def _may_publish(self) -> bool:
        if self._end is not None:
            return False
        while True:
            try:
                answer = self._claims.commit(self._claim)
                break
            except RedisUnavailableError:
                # As long as the lease holds nobody else has the job, and Redis may come back.
                if time.monotonic() > self._held_until:
                    self._end = "stale"
                    return False
                time.sleep(_LOOK)
        if answer == "committed":
            self._held_until = time.monotonic() + self._settings.lease_seconds
            return True
        self._end = "stale" if answer == "stale" else "stopped"
        return False

    def _look(self, now: float) -> None:
        """Renew the lease and pass progress on, each when it is time; notice what must end."""
        if self._end is not None:
            self._beat(now)
            return
        if self._progress != self._reported:
            self._moved_at = now
            if now >= self._report_at:
                self._beat(now, self._progress)
        self._beat(now)
        if self._end is None and now > self._moved_at + self._settings.no_progress_seconds:
            self._end = "stalled"
        if self._end is None and self._stopping():
            self._end = "released"

    def _beat(self, now: float, progress: Progress | None = None) -> None:
        if progress is None and now < self._beat_at:
            return
        self._beat_at = now + self._settings.lease_seconds / 3
        self._report_at = now + _PROGRESS_PAUSE
        asked = time.monotonic()
        try:
            held = self._claims.beat(self._claim, progress)
        except RedisUnavailableError:
            # It may come back within the lease. After that, somebody else may hold the job.
            if asked > self._held_until:
                log.warning("job %s: the lease ran out while Redis was away", self._claim.job_id)
                self._end = "stale"
            self._beat_at = now + min(1.0, self._settings.lease_seconds / 3)
            return
        if held == "stale":
            log.warning("job %s: the lease was lost", self._claim.job_id)
            self._end = "stale"
            return
        self._held_until = asked + self._settings.lease_seconds
        if progress is not None:
            self._reported = progress
        if self._end is None and held != "held":
            self._end = "stopped" if held == "cancel" else "deadline"

    def _verdict(self, code: int) -> tuple[Verdict, Any]:
        # A process that was paused learns late that its lease is over: nothing it says counts.
        if self._end == "stale":
            return "stale", None
        if self._said is not None and (self._end is None or self._said[0] == "done"):
            # Asked to end by nobody here: a system that stops us may signal all processes at once.
            return ("released", None) if self._said[0] == "stopped" else self._said
        if self._end is not None:
            return self._end, None
        log.warning("job %s: its runner died (exit code %s)", self._claim.job_id, code)
        return "lost", code


def _environment() -> dict[str, str]:
    """Give a runner's: it reads files of strangers, and needs no key to speak in our name."""
    alone = {f"MINDCORPUS_{name.upper()}" for name in WorkerSettings.model_fields}
    alone -= {f"MINDCORPUS_{name.upper()}" for name in ServiceSettings.model_fields}
    return {name: value for name, value in os.environ.items() if name.upper() not in alone}


def _kill_group(runner: subprocess.Popen[str]) -> None:
    """End the runner and all that it started, at once, and wait until it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(runner.pid, signal.SIGKILL)
    runner.wait()

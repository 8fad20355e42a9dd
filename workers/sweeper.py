"""A thread that looks after jobs nobody looks after, and tells that this process lives.

It runs in the main process of every worker and of the web server; any number may run at once.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from mindcorpus.errors import MindcorpusError
from mindcorpus.storage.shared_work import works_in
from mindcorpus.storage.space import keep_to_share
from mindcorpus.storage.store import Store
from workers.app import publish_all
from workers.errors import RedisUnavailableError
from workers.execution.code_key import code_key
from workers.jobs.leases import ClaimStore, Slots
from workers.redis_client import connect
from workers.settings import ServiceSettings

if TYPE_CHECKING:
    from celery import Celery

log = logging.getLogger(__name__)

_STORAGE_PAUSE = 60.0  # seconds between two looks at what dead processes left on the disk
_PARTS_PAUSE = 3600.0


class Sweeper:
    """One process' sweeper."""

    def __init__(self, settings: ServiceSettings, app: Celery, slots: Slots | None) -> None:
        self._settings = settings
        self._slots = slots
        self._app = app
        self._claims = ClaimStore(connect(settings), settings)
        self._name = f"{socket.gethostname()}:{os.getpid()}" if slots else None
        self._stopped = threading.Event()
        self._storage_at = time.monotonic() + _STORAGE_PAUSE
        self._parts_at = time.monotonic() + _PARTS_PAUSE
        self._silent = False

    def run(self) -> None:
        """Sweep until told to stop; Redis or the disk being away ends nothing."""
        while not self._stopped.is_set():
            try:
                self._sweep()
                self._silent = False
            except MindcorpusError as error:
                if not self._silent:
                    log.warning("sweeper: %s", error.title)
                self._silent = True
            except Exception as error:  # noqa: BLE001 - told, and tried again
                # A bug in one sweep must not end all others.
                log.error("sweeper: unexpected %s", type(error).__name__)  # noqa: TRY400 - no values
            # Sweepers of many processes shall not all come at once.
            self._stopped.wait(self._settings.sweep_seconds * random.uniform(0.8, 1.2))  # noqa: S311

    def stop(self) -> None:
        """End within the current sweep."""
        self._stopped.set()
        if self._name is not None:
            try:
                self._claims.seen(self._name, lives=False)
            except RedisUnavailableError:
                return

    def _sweep(self) -> None:
        if self._name is not None:
            assert self._slots is not None
            # As it is now: a release may be installed while its workers run.
            self._claims.seen(self._name, slots=replace(self._slots, code=code_key()))
        messages, lost = self._claims.sweep()
        for job_id in lost:
            log.warning("job %s: its lease ran out", job_id)
        publish_all(self._app, messages, self._claims.task_name)
        self._remove_works()
        now = time.monotonic()
        if lost:
            self._storage_at = now
        # Not waiting for who publishes: it may hang, and leases must be looked after meanwhile.
        if now >= self._storage_at and Store(self._settings.data_dir).sweep(wait=False):
            self._storage_at = now + _STORAGE_PAUSE
            if self._name is not None:
                self._make_room(now)

    def _remove_works(self) -> None:
        """Remove the folders in which workers wrote for jobs that are over, or plan anew."""
        works = list(works_in(Store(self._settings.data_dir).staging))
        if not works:
            return
        needed = self._claims.works([each.name for each in works])
        for each in works:
            if each.name not in needed:
                each.remove()

    def _make_room(self, now: float) -> None:
        keep_to_share(Store.of(self._settings))
        if now >= self._parts_at:
            # Late: it loads what reads and writes parts, which a web server does without.
            from mindcorpus.merging.part_cache import PartCache

            self._parts_at = now + _PARTS_PAUSE
            PartCache(Store.of(self._settings)).forget_unused(self._settings.parts_days)


def start_sweeper(
    settings: ServiceSettings, app: Celery, slots: Slots | None = None
) -> Callable[[], None]:
    """Start sweeping in a thread; gives the function that stops it. A worker tells its `slots`."""
    sweeper = Sweeper(settings, app, slots)
    threading.Thread(target=sweeper.run, name="sweeper", daemon=True).start()
    return sweeper.stop

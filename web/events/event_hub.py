"""Open streams of jobs' events: one thread a process reads Redis for all of them.

A stream that is open costs a thread of the web server, but no connection to Redis: the reader
waits on the streams of all jobs at once and deals what comes out to bounded queues. A queue that
is full loses nothing: whoever reads it is told to catch up from Redis.
"""

from __future__ import annotations

import json
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Full, Queue
from types import FrameType
from typing import Any, cast

import structlog
from flask import Flask, current_app
from redis.exceptions import RedisError

from web.errors import StreamsFullError
from web.services import services
from web.settings import WebSettings
from workers.jobs.job_store import Event, stream_key
from workers.redis_client import Client, connect

_EXTENSION = "mindcorpus-streams"
_MAKING = threading.Lock()
#: A job that is watched anew is waited for from the next read on, so reads are short.
_BLOCK_MS = 200
_READ_AT_ONCE = 100
_QUEUED = 200
_PAUSE_SECONDS = 0.5  # after Redis did not answer


@dataclass(frozen=True)
class Waited:
    """What came of waiting: the next event, or none; `behind` if some went by unqueued."""

    event: Event | None
    behind: bool = False


class Watch:
    """One reader's place at a job's stream; close it, or it stays open."""

    def __init__(self, streams: EventHub, key: str) -> None:
        self._streams = streams
        self._queue: Queue[Event | None] = Queue(_QUEUED)
        self._behind = threading.Event()
        self._ended = threading.Event()
        self.key = key

    def wait(self, seconds: float) -> Waited:
        """Wait for the next event, for so long at most."""
        if self._behind.is_set() and self._queue.empty():
            self._behind.clear()
            return Waited(None, behind=True)
        try:
            return Waited(self._queue.get(timeout=seconds))
        except Empty:
            return Waited(None)

    def rest(self, seconds: float) -> None:
        """Pause before catching up is tried again, but no longer than until the end."""
        self._behind.set()
        self._ended.wait(seconds)

    @property
    def ended(self) -> bool:
        """Whether the process ends, so that the stream should."""
        return self._ended.is_set()

    def deal(self, event: Event) -> None:
        """Queue an event; for the reader."""
        try:
            self._queue.put_nowait(event)
        except Full:
            self._behind.set()

    def end(self) -> None:
        """Wake whoever waits; for the reader."""
        self._ended.set()
        with suppress(Full):  # then nobody waits
            self._queue.put_nowait(None)

    def close(self) -> None:
        """Leave the stream."""
        self._streams.leave(self)


class EventHub:
    """The open streams of one process, and the thread that reads for them."""

    def __init__(self, settings: WebSettings) -> None:
        self._settings = settings
        self._watches: dict[str, set[Watch]] = {}
        self._positions: dict[str, str] = {}
        self._open = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def watch(self, job_id: str, after: str) -> Watch:
        """Open a stream: what comes after an id is queued; raises `StreamsFullError`.

        If others watch the job already, it is what comes from now on: catch up after this call.
        """
        key = stream_key(job_id)
        with self._changed:
            if self._closed or self._open >= self._settings.stream_limit:
                raise StreamsFullError(
                    f"{self._open} streams of events are open",
                    hint="Try again soon, or ask for the job itself every second.",
                )
            watch = Watch(self, key)
            self._open += 1
            self._watches.setdefault(key, set()).add(watch)
            self._positions.setdefault(key, after)
            if self._thread is None:
                self._thread = threading.Thread(target=self._read, name="events", daemon=True)
                self._thread.start()
            self._changed.notify()
        return watch

    def leave(self, watch: Watch) -> None:
        """Close a stream; once more does no harm."""
        with self._changed:
            watches = self._watches.get(watch.key, set())
            if watch not in watches:
                return
            watches.remove(watch)
            self._open -= 1
            if not watches:
                del self._watches[watch.key], self._positions[watch.key]

    def close(self) -> None:
        """End all streams, and open no more."""
        with self._changed:
            self._closed = True
            for watches in self._watches.values():
                for watch in watches:
                    watch.end()
            self._changed.notify()

    def _read(self) -> None:
        client = connect(self._settings, blocking=True)
        up = True
        while (positions := self._wanted()) is not None:
            try:
                self._deal(_entries(client, positions))
                up = True
            except RedisError as error:
                if up:
                    log = structlog.get_logger("web")
                    log.warning("events cannot be read", reason=type(error).__name__)
                up = False
                with self._changed:
                    self._changed.wait_for(lambda: self._closed, _PAUSE_SECONDS)
        client.close()

    def _wanted(self) -> dict[str, str] | None:
        """Wait until something is watched; None when all is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._positions)
            return None if self._closed else dict(self._positions)

    def _deal(self, found: dict[str, list[Event]]) -> None:
        with self._changed:
            for key, events in found.items():
                if key not in self._positions:
                    continue
                self._positions[key] = events[-1].id
                for watch in self._watches[key]:
                    for event in events:
                        watch.deal(event)


def _entries(client: Client, positions: dict[str, str]) -> dict[str, list[Event]]:
    answer: Any = client.xread(cast("Any", positions), count=_READ_AT_ONCE, block=_BLOCK_MS)
    pairs = answer.items() if isinstance(answer, dict) else answer or []
    return {
        key: [Event(entry, json.loads(fields["data"])) for entry, fields in entries]
        for key, entries in pairs
    }


def streams() -> EventHub:
    """Give the streams of the app that answers the current request."""
    with _MAKING:
        extensions = current_app.extensions
        if _EXTENSION not in extensions:
            extensions[_EXTENSION] = EventHub(services().settings)
        return cast("EventHub", extensions[_EXTENSION])


def close(app: Flask) -> None:
    """End the open streams of an app, for when its process is asked to stop."""
    if (found := app.extensions.get(_EXTENSION)) is not None:
        cast("EventHub", found).close()


def end_on_sigterm(app: Flask) -> None:
    """End an app's streams when its process is asked to stop, and then do what is done then.

    A server that waits for open requests would wait for them otherwise.
    """
    before = signal.getsignal(signal.SIGTERM)

    def stop(number: int, frame: FrameType | None) -> None:
        close(app)
        if callable(before):
            before(number, frame)

    signal.signal(signal.SIGTERM, stop)

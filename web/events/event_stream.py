"""A job's events as a client hears them: from where it left off, with no gap and no repeat."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from redis.exceptions import ResponseError

from web.events.event_hub import Waited, Watch
from web.remedies import as_answered
from web.services import Services
from workers.errors import JobNotFoundError, RedisUnavailableError
from workers.jobs.job import TERMINAL
from workers.jobs.job_store import Event, stream_key
from workers.redis_client import unavailable_errors

#: How a stream begins: where it breaks off, come again after a second.
OPENING = b"retry: 1000\n\n"
HEARTBEAT_SECONDS = 10.0
_HEARTBEAT = b": still here\n\n"
_RETRY_SECONDS = 1.0
_LOOK_SECONDS = 1.0
_BEGIN = "0-0"


class EventStream:
    """The telling of one job's events to one client, who has heard all up to `heard`."""

    def __init__(self, here: Services, job_id: str, heard: str | None) -> None:
        self._here = here
        self._job_id = job_id
        self._heard = heard
        self.over = False
        """Whether the job is over and all of it was told."""

    @property
    def heard(self) -> str:
        """The id of the last event that was told."""
        return self._heard or _BEGIN

    def catch_up(self) -> list[bytes]:
        """Tell what Redis holds and was not told yet.

        To who has heard nothing that is the job as it is; to who heard so little that the rest is
        not kept any more, `reset` and then the same. Raises `JobNotFoundError` and
        `RedisUnavailableError`.
        """
        missed: list[bytes] = []
        if self._heard is None:
            missed.append(self._snapshot())
        elif self._forgotten(self._heard):
            missed += [_message("reset", {}), self._snapshot()]
        missed += self._rest()
        if not self.over and self._here.store.get(self._job_id).over:
            # Its last event may have come just now; where there is none, it was told before.
            missed += self._rest()
            self.over = True
        return missed

    def follow(
        self, watch: Watch, missed: list[bytes], left: Callable[[], bool]
    ) -> Iterator[bytes]:
        """Tell what `catch_up` gave before, then what comes, until the job or the process ends.

        `left` tells whether the client is gone: its place is wanted before the next heartbeat.
        """
        yield from missed
        while not self.over:
            waited = self._wait(watch, left)
            if left():
                return
            if waited.event is not None:
                if _order(waited.event.id) > _order(self.heard):
                    yield self._message_of(waited.event)
                continue
            if watch.ended:
                return
            if not waited.behind:
                yield _HEARTBEAT
            try:
                # After a silence too: no stream stays open on a job that is over.
                yield from self.catch_up()
            except RedisUnavailableError:
                watch.rest(_RETRY_SECONDS)
            except JobNotFoundError:
                return

    def _wait(self, watch: Watch, left: Callable[[], bool]) -> Waited:
        until = time.monotonic() + HEARTBEAT_SECONDS
        while True:
            waited = watch.wait(_LOOK_SECONDS)
            if waited.event or waited.behind or watch.ended or left() or time.monotonic() >= until:
                return waited

    def _snapshot(self) -> bytes:
        # First the id, then the job: what lies between is told once more, but never left out.
        with unavailable_errors():
            newest: Any = self._here.redis.xrevrange(stream_key(self._job_id), count=1)
        self._heard = newest[0][0] if newest else _BEGIN
        return _message("snapshot", self._here.store.get(self._job_id).as_dict(), self._heard)

    def _rest(self) -> list[bytes]:
        missed: list[bytes] = []
        while events := self._here.store.events(self._job_id, self.heard):
            missed += [self._message_of(event) for event in events]
        return missed

    def _message_of(self, event: Event) -> bytes:
        """Give an event as its message, and count it as heard."""
        self._heard = event.id
        kind = str(event.data["type"])
        self.over = kind == "state" and event.data["state"] in TERMINAL
        return _message(kind, event.data, event.id)

    def _forgotten(self, heard: str) -> bool:
        """Whether the stream lacks some of what came after an id, or never had it."""
        try:
            with unavailable_errors():
                stream: Any = self._here.redis.xinfo_stream(stream_key(self._job_id))
        except ResponseError:
            return heard != _BEGIN  # there is no stream
        if _order(heard) > _order(stream["last-generated-id"]):
            return True
        first, added = stream["first-entry"], stream.get("entries-added")
        trimmed = first is None or added is None or added > stream["length"]
        return trimmed and (first is None or _order(heard) < _order(first[0]))


def _order(entry: str) -> tuple[int, int]:
    moment, _, number = entry.partition("-")
    return int(moment), int(number)


def _message(kind: str, data: dict[str, Any], entry: str | None = None) -> bytes:
    head = f"id: {entry}\n" if entry is not None else ""
    return f"{head}event: {kind}\ndata: {json.dumps(as_answered(data))}\n\n".encode()

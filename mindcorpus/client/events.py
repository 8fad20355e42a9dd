"""A job's events as they come: from a stream that heals by itself, or else by asking again."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import httpx2

from mindcorpus.client.connection import Connection, hang_up, pause, wanted_pause
from mindcorpus.client.problems import PASSING, read_json, refusal, unreachable
from mindcorpus.errors import UnreachableError
from mindcorpus.progress import PHASES, Progress

#: The states that never change again.
FINAL = frozenset({"succeeded", "failed", "cancelled"})

_SILENCE = 120.0  # seconds without any answer until the service counts as gone
_STREAM_TRIES = 3  # streams in a row that give nothing, while the service answers all else
_POLL = 1.0  # seconds between two questions, unless the service says otherwise
_POLLS = (0.2, 30.0)  # what it may say


@dataclass(frozen=True)
class JobEvent:
    """One thing that happened to a job; docs/http-api.md explains the fields of `data`."""

    id: str
    """What to go on after; of an event that was made of an answer, that of the one before."""
    data: Mapping[str, Any]

    @property
    def final(self) -> bool:
        """Whether nothing comes after it."""
        return self.data.get("state") in FINAL

    @property
    def progress(self) -> Progress | None:
        """What a progress display shows of it, if anything."""
        stage = self.data.get("stage")
        if stage not in PHASES or self.data.get("state") not in ("waiting", "running"):
            return None
        return Progress(
            stage,
            self.data.get("source") or "",
            self.data.get("rows") or 0,
            self.data.get("done") or 0,
            self.data.get("total"),
            self.data.get("note") or "",
            self.data.get("rows_total"),
            self.data.get("share"),
        )


class JobEvents:
    """The events of one job after one of them, each once and in order, to the final one.

    A stream that breaks is resumed after the last event that came, with growing pauses. Where
    streams do not get through, or too many are open, the job is asked for again and again.
    """

    def __init__(self, connection: Connection, path: str, after: str = "") -> None:
        self._connection = connection
        self._path = path
        self._last = after
        self._closed = threading.Event()
        self._response: httpx2.Response | None = None
        self._heard = time.monotonic()
        self._wanted = 0.0
        self._tag = ""

    def close(self) -> None:
        """End the iteration, also where another thread waits in it."""
        self._closed.set()
        if self._response is not None:
            hang_up(self._response)

    def __iter__(self) -> Generator[JobEvent, None, None]:
        """Wait for events; raises what the service refuses, and `UnreachableError` once it is gone.

        The last one is final, unless that was heard before.
        """
        useless = failures = 0
        while not self._closed.is_set() and useless < _STREAM_TRIES:
            useful = False
            broken = UnreachableError(f"{self._connection.address} ended the stream")
            try:
                for event in self._streamed():
                    yield event
                    useful = True
                    if event.final:
                        return
            except UnreachableError as error:
                broken = error
            failures = 1 if useful else failures + 1
            if useful:
                useless = 0
            elif (seen := self._looked_at()) is not None:
                useless += 1
                if seen.final and failures > 1:
                    break  # the stream had a second chance to give what came last
            self._wait(failures, broken)
        yield from self._polled()

    def _streamed(self) -> Generator[JobEvent, None, None]:
        """Give what one stream brings; raises `UnreachableError` when it breaks."""
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if self._last:
            headers["Last-Event-ID"] = self._last
        try:
            with self._connection.stream(f"{self._path}/events", headers) as response:
                self._response = response
                if self._closed.is_set():
                    return
                if response.status_code == httpx2.codes.NO_CONTENT:
                    self._closed.set()  # it is over, and all of it was heard
                    return
                if response.status_code != httpx2.codes.OK:
                    response.read()
                    self._refused(response)
                self._heard = time.monotonic()
                for event in httpx2.EventSource(response):
                    if event.event == "reset":
                        self._last = ""  # some were missed: how the job stands comes next
                    elif event.data and _newer(event.id, self._last):
                        self._last = event.id
                        yield JobEvent(event.id, _fields(read_json(event.data)))
                self._heard = time.monotonic()
        except httpx2.RequestError as error:
            raise unreachable(error, self._connection.address) from None
        finally:
            self._response = None

    def _refused(self, response: httpx2.Response) -> NoReturn:
        """Raise the service's refusal: `UnreachableError` where it may pass."""
        failure = refusal(response)
        if response.status_code not in PASSING:
            raise failure
        self._wanted = wanted_pause(response)
        raise UnreachableError(failure.title, hint=failure.hint, remedy=failure.remedy)

    def _polled(self) -> Generator[JobEvent, None, None]:
        """Ask where the job stands until it is over, and give each answer that is new."""
        failures = 0
        tag = ""
        while not self._closed.is_set():
            try:
                response = self._asked(tag)
            except UnreachableError as error:
                failures += 1
                self._wait(failures, error)
                continue
            failures = 0
            if response.status_code != httpx2.codes.NOT_MODIFIED:
                tag = response.headers.get("ETag", "")
                event = self._event_of(response)
                yield event
                if event.final:
                    return
            self._closed.wait(min(max(self._wanted or _POLL, _POLLS[0]), _POLLS[1]))

    def _looked_at(self) -> JobEvent | None:
        """Ask where the job stands, once; None if the service does not answer."""
        try:
            return self._event_of(self._asked())
        except UnreachableError:
            return None

    def _asked(self, tag: str = "") -> httpx2.Response:
        headers = {"If-None-Match": tag} if tag else {}
        self._wanted = 0.0
        response = self._connection.send("GET", self._path, headers=headers, tries=1)
        self._heard = time.monotonic()
        self._wanted = wanted_pause(response)
        return response

    def _event_of(self, response: httpx2.Response) -> JobEvent:
        return JobEvent(self._last, _fields(read_json(response.text)))

    def _wait(self, failures: int, broken: UnreachableError) -> None:
        """Wait before the next try; raises what broke once nothing was heard for too long."""
        if time.monotonic() - self._heard > _SILENCE:
            raise broken
        self._closed.wait(min(max(self._wanted, pause(failures)), _POLLS[1]))


def _fields(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give an event's fields, also where it is a whole job."""
    progress = data.get("progress")
    if not isinstance(progress, Mapping):
        return data
    fields = {name: data.get(name) for name in ("state", "stage", "attempt", "error")}
    return {"type": "snapshot", **fields, **progress}


def _newer(event_id: str, last: str) -> bool:
    """Whether an event comes after the last one; ids are two numbers, `MS-N`, or else opaque."""
    new, old = _order(event_id), _order(last)
    return new > old if new and old else event_id != last or not last


def _order(event_id: str) -> tuple[int, ...]:
    numbers = event_id.split("-")
    return tuple(map(int, numbers)) if all(each.isdecimal() for each in numbers) else ()

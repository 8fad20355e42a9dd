"""A plain client of the API, for what is asked one after the other."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

BASE = "/api/ai/data"
_TIMEOUT = 60.0


class RefusedError(Exception):
    """The API refused what the bench asked for; the message holds its answer."""


@dataclass(frozen=True)
class Heard:
    """One server-sent event."""

    kind: str
    data: dict[str, Any]
    at: float
    """When it was heard, by `time.time()`."""


class Api:
    """The API at a port of this machine, asked with one token."""

    def __init__(self, port: int, token: str, timeout: float = _TIMEOUT) -> None:
        self.port = port
        self.token = token
        self._timeout = timeout

    def status(self, path: str) -> int:
        """Give the status with which a path of the service is answered."""
        with closing(self._connection()) as connection:
            connection.request("GET", path)
            return connection.getresponse().status

    def submit(self, body: dict[str, Any], path: str = "/merge") -> dict[str, Any]:
        """Submit a merge, or what a path stands for, and give its job; raises `RefusedError`."""
        return self._ask("POST", path, body)

    def cancel(self, job_id: str) -> None:
        """Cancel a job; raises `RefusedError`."""
        self._ask("DELETE", f"/jobs/{job_id}")

    def job(self, job_id: str) -> dict[str, Any]:
        """Give a job; raises `RefusedError`."""
        return self._ask("GET", f"/jobs/{job_id}")

    def follow(self, job_id: str) -> Iterator[Heard]:
        """Give all events of a job, from its first to its last."""
        headers = {**self._headers, "Last-Event-ID": "0-0"}
        with closing(self._connection()) as connection:
            connection.request("GET", f"{BASE}/jobs/{job_id}/events", headers=headers)
            answer = connection.getresponse()
            if answer.status != 200:
                raise RefusedError(f"events: {answer.status} {answer.read(500)!r}")
            kind = ""
            for line in answer:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    yield Heard(kind, json.loads(value), time.time())

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        text = None if body is None else json.dumps(body)
        with closing(self._connection()) as connection:
            connection.request(method, f"{BASE}{path}", text, self._headers)
            answer = connection.getresponse()
            content = answer.read()
        if answer.status not in (200, 202):
            raise RefusedError(f"{method} {path}: {answer.status} {content[:500]!r}")
        found: dict[str, Any] = json.loads(content)
        return found

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=self._timeout)

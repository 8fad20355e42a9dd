"""The load, from a process of its own: `python -m bench.service.client`, an order on stdin.

At a rate, requests are sent when their time has come, whatever became of those before, and each
is timed from the moment at which it should have been sent: a service that stalls is charged for
all that would have come meanwhile. Plain sockets and one thread, so that it costs little CPU.
"""

from __future__ import annotations

import json
import re
import select
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from bench.service.cpu import cpu_of, own_cpu

_PATIENCE = 30.0  # seconds without any answer, after which those that are missing never come
_KEPT = 2.0  # seconds that an idle connection is used again; gunicorn closes it after 5
_WARMING = 20
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
#: What stands for a number of the request's own in a body.
NUMBER = "@NUMBER@"


@dataclass(frozen=True)
class JobSpec:
    """What to send; `rate` None is as fast as `clients` get their answers."""

    port: int
    token: str
    method: str
    path: str
    body: str
    """With `NUMBER` in it, no two bodies are the same."""
    first_number: int
    status: int
    """The answer that is expected."""
    seconds: float
    rate: float | None
    watched: dict[str, int]
    """Processes whose CPU time is to be told, by name."""
    clients: int = 8


@dataclass
class Answered:
    """What came of it; times in ms."""

    latencies: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    failures: int = 0
    seconds: float = 0.0
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    """By name: the client's own, and those of the watched processes."""


class _Connection:
    """One connection, and the request that is under way on it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due = self.used = 0.0
        self._answer = bytearray()

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(self, request: bytes, due: float) -> None:
        self._answer.clear()
        self.due = due
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """Give the status once the answer is complete; 0 if the server hung up."""
        try:
            piece = self.socket.recv(1 << 16)
        except ConnectionError:
            return 0
        if not piece:
            return 0
        self._answer += piece
        head = self._answer.find(b"\r\n\r\n")
        if head < 0:
            return None
        length = _LENGTH.search(self._answer, 0, head)
        if length is None or len(self._answer) < head + 4 + int(length[1]):
            return None
        return int(self._answer[9:12])


class Client:
    """Carries out one order."""

    def __init__(self, order: JobSpec) -> None:
        self._order = order
        self._number = order.first_number
        self._free: list[_Connection] = []
        self._busy: set[_Connection] = set()
        self._answered = Answered()
        self._head = (
            f"{order.method} {order.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {order.token}\r\nContent-Type: application/json\r\n"
        )

    def run(self) -> Answered:
        """Send and listen until all is answered, or nothing comes any more."""
        self._at_full_speed(lambda number: number < _WARMING, clients=1)
        self._answered = Answered()
        seconds = self._order.seconds
        before = self._cpu()
        start = time.perf_counter()
        if self._order.rate is None:
            end = start + seconds
            self._at_full_speed(lambda _: time.perf_counter() < end, self._order.clients)
        else:
            self._at_rate(start, self._order.rate, int(seconds * self._order.rate))
        self._answered.seconds = time.perf_counter() - start
        after = self._cpu()
        self._answered.cpu_seconds = {name: after[name] - before[name] for name in after}
        for connection in self._free:
            connection.socket.close()
        return self._answered

    def _cpu(self) -> dict[str, float]:
        # Our own last, as looking at the others costs some.
        others = {name: cpu_of(pid) for name, pid in self._order.watched.items()}
        return {**others, "client": own_cpu()}

    def _at_rate(self, start: float, rate: float, wanted: int) -> None:
        sent = 0
        heard = start
        while sent < wanted or self._busy:
            now = time.perf_counter()
            due = start + sent / rate
            if sent < wanted and now >= due:
                self._send(due)
                sent += 1
                continue
            wait = min(due - now, 1.0) if sent < wanted else 1.0
            if self._listen(wait):
                heard = time.perf_counter()
            elif sent == wanted and time.perf_counter() > heard + _PATIENCE:
                self._give_up()

    def _at_full_speed(self, goes_on: Callable[[int], bool], clients: int) -> None:
        sent = 0
        heard = time.perf_counter()
        while (more := goes_on(sent)) or self._busy:
            now = time.perf_counter()
            if more and len(self._busy) < clients:
                self._send(now)
                sent += 1
            elif self._listen(1.0):
                heard = time.perf_counter()
            elif now > heard + _PATIENCE:
                self._give_up()

    def _send(self, due: float) -> None:
        connection = self._connection()
        self._busy.add(connection)
        connection.send(self._request(), due)
        self._answered.late.append(1000 * (time.perf_counter() - due))

    def _request(self) -> bytes:
        body = self._order.body.replace(NUMBER, str(self._number))
        self._number += 1
        return f"{self._head}Content-Length: {len(body)}\r\n\r\n{body}".encode()

    def _connection(self) -> _Connection:
        while self._free:
            connection = self._free.pop()
            if time.perf_counter() - connection.used < _KEPT:
                return connection
            connection.socket.close()
        return _Connection(self._order.port)

    def _listen(self, seconds: float) -> bool:
        """Take what comes within so many seconds; whether anything did."""
        ready, _, _ = select.select(list(self._busy), [], [], seconds)
        for connection in ready:
            status = connection.receive()
            if status is not None:
                self._end(connection, status)
        return bool(ready)

    def _end(self, connection: _Connection, status: int) -> None:
        now = time.perf_counter()
        self._busy.remove(connection)
        self._answered.latencies.append(1000 * (now - connection.due))
        self._answered.failures += status != self._order.status
        connection.used = now
        if status:
            self._free.append(connection)
        else:
            connection.socket.close()

    def _give_up(self) -> None:
        for connection in list(self._busy):
            self._end(connection, 0)


if __name__ == "__main__":
    print(json.dumps(asdict(Client(JobSpec(**json.load(sys.stdin))).run())))

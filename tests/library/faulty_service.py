"""A stand-in for a service, for faults that a real one cannot be made to have at the right moment.

It speaks the protocol of docs/http-api.md over real HTTP, but knows no jobs: a test lays out
what each address answers, time after time, broken answers among them. What the client does with a
service that is well is tested in tests/service/ against that.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

BASE = "/api/ai/data"
JOB = "0123456789abcdef0123456789abcdef"

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Asked:
    """One request that arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass
class FaultyService:
    """A server on a free port; as a context it runs in a thread.

    The answers laid out for an address are given one after the other, the last again and again.
    """

    asked: list[Asked] = field(default_factory=list)
    _answers: dict[tuple[str, str], list[Answer]] = field(default_factory=dict)
    _open: list[socket.socket] = field(default_factory=list)

    def __enter__(self) -> Self:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline()
                if self.raw_requestline and self.parse_request():
                    service._take(self)
                self.close_connection = True

            def log_message(self, *_arguments: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_arguments: object) -> None:
                pass  # a client that hung up

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        for line in self._open:
            cut(line)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def lay(self, address: str, *answers: Answer) -> None:
        """Lay out the answers to `METHOD /path`."""
        method, path = address.split()
        self._answers[method, BASE + path] = list(answers)

    def of(self, address: str) -> list[Asked]:
        """Give the requests to an address."""
        method, path = address.split()
        return [one for one in self.asked if (one.method, one.path) == (method, BASE + path)]

    def _take(self, handler: BaseHTTPRequestHandler) -> None:
        self._open.append(handler.connection)
        path = handler.path.partition("?")[0]
        length = int(handler.headers.get("Content-Length", 0))
        body = json.loads(handler.rfile.read(length)) if length else None
        known = handler.path if (handler.command, handler.path) in self._answers else path
        self.asked.append(Asked(handler.command or "", known, dict(handler.headers.items()), body))
        answers = self._answers[handler.command or "", known]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        answer(handler)


def cut(line: socket.socket) -> None:
    """Break a connection."""
    with suppress(OSError):  # it may be broken already
        line.shutdown(socket.SHUT_RDWR)


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Answer by breaking the connection."""
    cut(handler.connection)


def reply(value: Any, status: int = 200, **headers: str) -> Answer:
    """Answer with JSON; headers are named with underscores."""
    body = json.dumps(value).encode()
    return send(body, status, **{"Content_Type": "application/json", **headers})


def refuse(status: int, code: str, **members: str) -> Answer:
    """Answer with a problem; `Retry_After` among the members becomes a header."""
    headers = {"Retry_After": members.pop("Retry_After")} if "Retry_After" in members else {}
    value = {"title": "a title", "code": code, "status": status, **members}
    return reply(value, status, Content_Type="application/problem+json", **headers)


def send(body: bytes, status: int = 200, **headers: str) -> Answer:
    """Answer with bytes; a Content-Length among the headers may promise more of them."""
    headers = {"Content_Length": str(len(body)), **headers} if status not in (204, 304) else headers

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def stream(*events: tuple[str, Mapping[str, Any]] | bytes, hold: bool = False) -> Answer:
    """Answer with events, each an id and data, or just bytes; `hold` keeps the stream open."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        for event in events:
            if isinstance(event, bytes):
                handler.wfile.write(event)
            else:
                handler.wfile.write(f"id: {event[0]}\ndata: {json.dumps(event[1])}\n\n".encode())
        if hold:
            handler.connection.recv(1)

    return answer

"""One who is called when a job ends: a real web server of the test's own."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SLOW = 0  # instead of a status: an answer that takes a minute, a byte a second


@dataclass
class Receiver:
    """A consumer: writes down each call, and answers what a path is to be answered with."""

    answers: dict[str, list[int]] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def of(self, path: str) -> list[tuple[dict[str, str], bytes]]:
        return [(headers, body) for at, headers, body in self.calls if at == path]

    def start(self) -> ThreadingHTTPServer:
        told = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                left = told.answers.get(self.path, [])
                status = left.pop(0) if left else 204
                told.calls.append((self.path, dict(self.headers), body))
                if status == SLOW:
                    self.drip()
                    return
                self.send_response(status)
                if status in (302, 307):
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def drip(self) -> None:
                """Answer a byte at a time, as one does who wants to keep the caller."""
                with suppress(OSError):
                    for byte in b"HTTP/1.1 204 No Content\r\nX-Long: " + b"x" * 60:
                        self.connection.sendall(bytes([byte]))
                        time.sleep(1)

            def do_GET(self) -> None:
                told.calls.append((self.path, dict(self.headers), b""))
                self.send_error(404)

            def log_message(self, *_said: Any) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

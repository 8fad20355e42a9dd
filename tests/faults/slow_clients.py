"""Clients that take their time, hundreds of them: they send a byte now and then, or do not read."""

from __future__ import annotations

import contextlib
import resource
import socket
import threading
import time
from collections.abc import Callable
from typing import Self

_TRICKLE_SECONDS = 3.0


class SlowClients:
    """Connections to one port, all of which are closed at the end of the block."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._auth = f"Host: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        self.writing: list[socket.socket] = []
        self.reading: list[socket.socket] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._trickle)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < min(4096, hard):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        for each in [*self.writing, *self.reading]:
            each.close()

    def write_heads(self, number: int) -> None:
        """Begin so many requests, of whose heads the rest comes byte by byte."""
        self._write(number, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")

    def write_bodies(self, number: int) -> None:
        """Begin so many requests, of whose bodies the rest comes byte by byte."""
        head = f"POST /api/ai/data/merge HTTP/1.1\r\n{self._auth}Content-Length: 2000\r\n\r\n"
        self._write(number, head.encode() + b"{")

    def read(self, number: int, path: str, more: str = "") -> None:
        """Ask so often for something, with more headers, and do not read what comes."""
        for _ in range(number):
            client = self._connected(small=True)
            client.sendall(f"GET {path} HTTP/1.1\r\n{self._auth}{more}\r\n".encode())
            client.setblocking(False)
            self.reading.append(client)

    def served(self) -> int:
        """Count those who do not read and were answered 200, as far as they would see."""
        return sum(_peek(client).startswith(b"HTTP/1.1 200") for client in self.reading)

    def answered(self) -> int:
        """Count those who still write and got an answer, or were cut off, all the same."""
        return sum(_has_answer(client) for client in self.writing)

    def _write(self, number: int, begin: bytes) -> None:
        for _ in range(number):
            client = self._connected()
            client.sendall(begin)
            client.setblocking(False)
            self.writing.append(client)

    def _connected(self, *, small: bool = False) -> socket.socket:
        client = socket.socket()
        client.settimeout(20)
        if small:  # so that little of an answer is on its way
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", self._port))
        return client

    def _trickle(self) -> None:
        while not self._over.wait(_TRICKLE_SECONDS):
            for client in list(self.writing):
                with contextlib.suppress(OSError):
                    client.send(b"x")


def _peek(client: socket.socket) -> bytes:
    try:
        return client.recv(64, socket.MSG_PEEK)
    except OSError:
        return b""


def _has_answer(client: socket.socket) -> bool:
    try:
        client.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.2)

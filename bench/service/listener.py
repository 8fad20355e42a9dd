"""Many open streams of events in a process of its own: `python -m bench.service.listener`.

The order comes as the first line of stdin; "open" is printed when every stream is; a second line
ends it, and what each stream heard is printed. One thread waits on all sockets.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.service.cpu import own_cpu

_EVENT = re.compile(rb"id: (\d+-\d+)\nevent: (\w+)\ndata: (.*)\n\n")
_TERMINAL = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True)
class JobSpec:
    """Which streams to open."""

    port: int
    token: str
    paths: list[str]


@dataclass
class Stream:
    """What one stream heard."""

    path: str
    first: str = ""
    """The id of the snapshot: what was appended later has to come."""
    ids: list[str] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    """From the append to here, in ms; Redis' clock is this machine's."""
    alive: bool = True
    """Whether it is open, or ended because its job did."""


@dataclass
class Heard:
    """What all streams heard."""

    streams: list[Stream]
    seconds: float
    cpu_seconds: float


class _Open:
    """An open stream's socket, and what it said that is no whole event yet."""

    def __init__(self, order: JobSpec, path: str) -> None:
        self.log = Stream(path)
        self.socket = socket.create_connection(("127.0.0.1", order.port), timeout=30)
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {order.token}\r\n\r\n".encode()
        )
        self._rest = b""
        self._over = False

    def hear(self) -> bool:
        """Take what has come; False once the stream has ended."""
        piece = self.socket.recv(1 << 16)
        now = 1000 * time.time()
        if not piece:
            self.log.alive = self._over
            return False
        # Chunks' lengths stand between events, which are sent whole, each as a chunk.
        self._rest += piece
        end = 0
        for found in _EVENT.finditer(self._rest):
            end = found.end()
            self._take(found[1].decode(), found[2], json.loads(found[3]), now)
        self._rest = self._rest[end:]
        return True

    def _take(self, entry: str, kind: bytes, data: dict[str, Any], now: float) -> None:
        if kind == b"snapshot":
            self.log.first = entry
            return
        self.log.ids.append(entry)
        self.log.delays.append(now - data["at"])
        self._over = kind == b"state" and data["state"] in _TERMINAL


def listen(order: JobSpec) -> Heard:
    """Open all streams, say so, and listen until the second line comes."""
    opened = [_Open(order, path) for path in order.paths]
    with selectors.DefaultSelector() as selector:
        for stream in opened:
            selector.register(stream.socket, selectors.EVENT_READ, stream)
        while any(stream.log.alive and not stream.log.first for stream in opened):
            _take_what_comes(selector)
        print("open", flush=True)
        cpu, start = own_cpu(), time.perf_counter()
        selector.register(sys.stdin, selectors.EVENT_READ)
        while not _take_what_comes(selector):
            pass
        return Heard(
            [stream.log for stream in opened], time.perf_counter() - start, own_cpu() - cpu
        )


def _take_what_comes(selector: selectors.BaseSelector) -> bool:
    """Hear every stream that has something; whether we are told to end."""
    must_end = False
    for key, _ in selector.select():
        if key.data is None:
            must_end = True
        elif not key.data.hear():
            selector.unregister(key.fileobj)
    return must_end


if __name__ == "__main__":
    print(json.dumps(asdict(listen(JobSpec(**json.loads(sys.stdin.readline()))))))

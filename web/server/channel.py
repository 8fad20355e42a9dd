"""One connection: what a client may take its time for, and for how long.

Waitress reads requests and sends answers in one thread for all connections; a thread of the pool
sees a request when all of it is there, and leaves an answer when it is handed over. Here is what
waitress leaves to others: deadlines, turns, and a farewell that clients get to read.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError

from web.server.refusal import Refusal, RequestTimeoutError

#: Bytes that one connection gets before the others have their turn.
_TURN = 1024 * 1024
_CHUNK = 256 * 1024
#: Seconds in which a client may read the last answer while it still sends.
_FAREWELL_SECONDS = 2.0
#: Slower than so many bytes a second no download goes on for ever.
_SLOWEST = 1024


@dataclass(frozen=True)
class Patience:
    """How many seconds a connection gets for what."""

    request: float
    """From its beginning, or the answer before, to the end of a request."""
    send: float
    """Without a byte of the answer taken."""
    idle: float
    """Between two requests."""


class _Request(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    """A request as it arrives; waitress' logs ask for its path, whatever became of it."""

    path = ""

    def parse_header(self, header_plus: bytes) -> None:
        """Read the head; refuses one that says of its body's end two things, or what it may not.

        A proxy before us may have taken the other one, and what it let through for one request
        would be two.
        """
        super().parse_header(header_plus)
        # Waitress takes the header away where it follows it: not before HTTP/1.1.
        if "TRANSFER_ENCODING" in self.headers or (
            self.chunked and "CONTENT_LENGTH" in self.headers
        ):
            raise ParsingError("Content-Length and Transfer-Encoding do not go together")


class Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """A connection that is cut off when it takes too long."""

    error_task_class = Refusal
    parser_class = _Request
    patience = Patience(15.0, 60.0, 5.0)
    # Of waitress, which has no types.
    request: Any
    sendbuf_len: int
    close_when_flushed: bool

    def __init__(self, *arguments: Any, **named: Any) -> None:
        now = time.monotonic()
        self.waits_since = now
        self._answered = False
        self._sending_since: float | None = None
        self._moved = now
        self._sent = 0
        self._left_of_turn = _TURN
        self._farewell: float | None = None
        super().__init__(*arguments, **named)
        # It is read from a file anew each time: what the kernel does not take would be in vain.
        self.sendbuf_len = min(self.sendbuf_len, _CHUNK)

    @property
    def waits(self) -> bool:
        """Whether it is the client's turn: no request of it is worked on, no answer on its way."""
        return not self.requests and not self.total_outbufs_len

    @property
    def arriving(self) -> bool:
        """Whether a request has begun to arrive."""
        return self.request is not None

    def look(self, now: float) -> None:
        """End what took too long; called again and again."""
        if self._farewell is not None:
            if now > self._farewell:
                self.handle_close()
        elif self.total_outbufs_len:
            self._look_at_sending(now)
        elif not self.requests:
            self._sending_since = None
            self._look_at_waiting(now)
        else:
            self._sending_since = None

    def _look_at_sending(self, now: float) -> None:
        if self._sending_since is None:
            self._sending_since, self._sent, self._moved = now, 0, now
        stalled = now - self._moved > self.patience.send
        allowed = 2 * self.patience.send + self._sent / _SLOWEST
        if stalled or now - self._sending_since > allowed:
            self.handle_close()

    def _look_at_waiting(self, now: float) -> None:
        waited = now - self.waits_since
        if self.arriving:
            if waited > self.patience.request:
                self._say_that_it_took_too_long()
        elif waited > (self.patience.idle if self._answered else self.patience.request):
            self.handle_close()

    def _say_that_it_took_too_long(self) -> None:
        with self.requests_lock:
            late, self.request = self.request, None
            late.error = RequestTimeoutError("")
            late.completed = True
            self.requests.append(late)
        self.server.add_task(self)

    # What waitress calls

    def service(self) -> None:
        """Answer a request; for a thread of the pool."""
        super().service()
        self._answered = True
        self.waits_since = time.monotonic()

    def send(self, data: bytes, do_close: bool = True) -> int:  # noqa: FBT001, FBT002 - waitress'
        """Send what the client takes, but no more in one turn than others can wait for."""
        if self._left_of_turn <= 0:
            return 0
        sent: int = super().send(data, do_close=do_close)
        if sent:
            self._left_of_turn -= sent
            self._sent += sent
            self._moved = time.monotonic()
        return sent

    def write_soon(self, data: Any) -> int:
        """Take a part of an answer; for a thread of the pool."""
        self._left_of_turn = _TURN
        written: int = super().write_soon(data)
        return written

    def handle_write(self) -> None:
        """Send; when the last answer is out, wait for the client to end before closing.

        A connection that is closed on what a client still sends is reset, and the answer is lost.
        """
        self._left_of_turn = _TURN
        if not self.close_when_flushed:
            super().handle_write()
            return
        self.close_when_flushed = False
        super().handle_write()
        if self.socket is None:
            return
        if self.total_outbufs_len:
            self.close_when_flushed = True
            return
        self._farewell = time.monotonic() + _FAREWELL_SECONDS
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def handle_read(self) -> None:
        """Receive; after the farewell only to throw it away."""
        if self._farewell is None:
            super().handle_read()
            return
        try:
            self.recv(self.adj.recv_bytes)
        except OSError:
            self.handle_close()

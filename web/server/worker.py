"""The process that answers: gunicorn's in all that is about processes, waitress' for the rest.

All connections are read and written by one thread, which waits for none of them; requests that
have arrived go to a pool of threads. `/healthz` has two threads of its own: it tells whether the
process lives, however much there is to do.
"""

from __future__ import annotations

import logging
import os
import resource
import time
from typing import Any

from gunicorn.workers.base import Worker as GunicornWorker
from waitress import wasyncore
from waitress.server import BaseWSGIServer, create_server
from waitress.task import ThreadedTaskDispatcher

from web.access import admission
from web.server.channel import Channel, Patience
from web.settings import WebSettings

#: What tells that the process lives is answered apart from all else.
LIVENESS = "/healthz"
_HEAD_BYTES = 32 * 1024
#: Threads beside those that admission counts: for what changes something, and for refusing.
_QUICK = 32
_LOOK_SECONDS = 1.0
#: Descriptors that are no connection's, nor a file's that is sent through one.
_OTHER_FILES = 200
_MOST_CONNECTIONS = 8000
#: Connections accepted before the others have their turn.
_AT_ONCE = 64
#: What an answer that is made while it is sent may be ahead of a slow client.
_AHEAD_BYTES = 1024 * 1024
#: So much too long a body may be and still reach a view, which has better words. It is in memory
#: before anybody was asked for a token, once for each connection.
_TOO_MUCH_BYTES = 16 * 1024


class Worker(GunicornWorker):  # type: ignore[misc]  # gunicorn has no types
    """One process of the web server."""

    def run(self) -> None:
        """Serve until told to stop; then end what is open, for as long as that may take."""
        settings = WebSettings.load()
        # Each change of the queue's length is worth a warning to waitress.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._pool = ThreadedTaskDispatcher()
        self._pool.set_thread_count(admission.threads(settings) + _QUICK)
        self._liveness = ThreadedTaskDispatcher()
        self._liveness.set_thread_count(2)
        self._most = _connections()
        self._map: dict[int, Any] = {}
        self._looked = 0.0
        Channel.patience = Patience(
            settings.request_seconds, settings.send_seconds, float(self.cfg.keepalive)
        )
        server = self._listen(settings)
        while self.alive and self.ppid == os.getppid():
            self._turn(server)
        self._stop(server)

    def _listen(self, settings: WebSettings) -> Any:
        (listener,) = self.sockets
        server = create_server(
            self.wsgi,
            map=self._map,
            _dispatcher=self._pool,
            sockets=[listener.sock],
            ident=None,
            threads=1,  # ours are made
            server_name="localhost",
            connection_limit=self._most + _OTHER_FILES,
            backlog=2048,
            max_request_header_size=_HEAD_BYTES,
            # Views refuse what is a little too long, when all of it was read.
            max_request_body_size=settings.body_limit_kb * 1024 + _TOO_MUCH_BYTES,
            outbuf_high_watermark=_AHEAD_BYTES,
            # So that it is noticed when a client leaves before its answer is complete.
            channel_request_lookahead=1,
            clear_untrusted_proxy_headers=False,  # web/access/origin.py decides
            log_socket_errors=False,
        )
        server.channel_class = Channel
        server.add_task = self._hand_out
        server.handle_accept = lambda: _accept(server)
        # Waitress' own goes by a clock that may step.
        server.maintenance = lambda _now: None
        return server

    def _hand_out(self, channel: Channel) -> None:
        alive = channel.requests and channel.requests[0].path == LIVENESS
        (self._liveness if alive else self._pool).add_task(channel)

    def _turn(self, server: Any) -> None:
        wasyncore.loop(timeout=0.2, use_poll=True, map=self._map, count=1)
        now = time.monotonic()
        channels = server.active_channels
        if now - self._looked >= _LOOK_SECONDS or len(channels) >= self._most:
            self._looked = now
            self.notify()
            for channel in list(channels.values()):
                channel.look(now)
            self._make_room(list(channels.values()))

    def _make_room(self, channels: list[Channel]) -> None:
        """Let no number of clients that send nothing keep others from connecting."""
        if len(channels) < self._most:
            return
        waiting = sorted(
            (each for each in channels if each.waits), key=lambda each: each.waits_since
        )
        for channel in waiting[: self._most // 10]:
            channel.handle_close()

    def _stop(self, server: Any) -> None:
        """Take no more connections, and wait for requests that are worked on or being answered."""
        wasyncore.dispatcher.close(server)
        until = time.monotonic() + self.cfg.graceful_timeout
        while time.monotonic() < until:
            if all(channel.waits for channel in server.active_channels.values()):
                break
            self._turn(server)
        self._pool.shutdown(timeout=1)
        wasyncore.close_all(self._map, ignore_all=True)


def _accept(server: Any) -> None:
    """Accept those who wait, not one a turn."""
    for _ in range(_AT_ONCE):
        before = len(server.active_channels)
        BaseWSGIServer.handle_accept(server)
        if len(server.active_channels) == before:
            break


def _connections() -> int:
    """Allow as many connections as there are descriptors for, each with a file that is sent."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(100, min(_MOST_CONNECTIONS, (hard - _OTHER_FILES) // 2))

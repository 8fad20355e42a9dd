"""A server that is of no use: it takes each connection and hangs up, or never says a word."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self


class ClosedDoor:
    """Counts the connections that come; as a context it runs in a thread."""

    def __init__(self, *, silent: bool = False) -> None:
        self.knocks = 0
        self._silent = silent
        self._kept: list[socket.socket] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()
        for line in self._kept:
            line.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._socket.accept()
                self.knocks += 1
                if self._silent:
                    self._kept.append(line)
                else:
                    line.recv(4096)
                    line.close()

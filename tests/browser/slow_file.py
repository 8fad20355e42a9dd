"""A web address that gives a source's file slowly, so that a merge of it can be watched."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

_ROWS = 20_000
_PIECES = 12
_PAUSE = 0.25


def _content() -> bytes:
    lines = [
        json.dumps({"q": f"What helps on night {row}?", "a": f"Sleep, and talk of it {row} times."})
        for row in range(_ROWS)
    ]
    return ("\n".join(lines) + "\n").encode()


class SlowFile:
    """Serves `/slow…` over some seconds, and of `/endless…` the first part alone."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        content, ended = _content(), self._ended

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                step = len(content) // _PIECES + 1
                try:
                    for start in range(0, len(content), step):
                        self.wfile.write(content[start : start + step])
                        pause = 120 if start and self.path.startswith("/endless") else _PAUSE
                        if ended.wait(pause):
                            return
                except OSError:
                    pass  # who asked has gone

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

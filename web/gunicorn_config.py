"""How gunicorn serves the app: `gunicorn -c python:web.gunicorn_config 'web:create_app()'`.

`web/server` says how a process of it works: no client that is slow costs a thread. A second process
(`WEB_CONCURRENCY=2`) is worth it where requests keep a core busy.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mindcorpus.execution.parent_death import end_with_parent
from mindcorpus.privacy import keep_umask_private
from web.events.event_hub import end_on_sigterm
from web.settings import WebSettings
from workers.app import make_app
from workers.exposure import warn_if_exposed
from workers.sweeper import start_sweeper

# Before pyarrow is loaded: its own pool keeps what it read for each thread, of which there are some
# two hundred, and they take turns. Two hundred pages of records then cost half a gigabyte for good.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")

_settings = WebSettings.load()
_host = f"[{_settings.host}]" if ":" in _settings.host else _settings.host

bind = f"unix:{_settings.socket}" if _settings.socket else f"{_host}:{_settings.port}"
worker_class = "web.server.worker.Worker"
workers = max(1, min(2, int(os.environ.get("WEB_CONCURRENCY", "1"))))
# Not before the fork: connections and threads are each process's own.
preload_app = False
# Streams end when they are told to, and clients resume them elsewhere.
graceful_timeout = 10
keepalive = 5
# Otherwise one is opened in the home, which several instances would share.
control_socket_disable = True
accesslog = None  # web/logs.py writes one, without what clients sent
logger_class = "web.logs.GunicornLogger"
# The heartbeat is a file that is touched each second: not on a disk, where one may be slow.
umask = 0o077  # of gunicorn's own files; `on_starting` sets that of the process
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - gunicorn's advice


def on_starting(_server: Any) -> None:
    """Have all that this server makes be its owner's alone, and say where others can read."""
    keep_umask_private()
    warn_if_exposed(_settings)


def post_fork(_server: Any, _worker: Any) -> None:
    """Tie a new process to the one that listens: without it, it would keep the port for a while."""
    end_with_parent()


def post_worker_init(worker: Any) -> None:
    """Sweep from here too: jobs whose workers are all gone must not look as if they ran."""
    worker.stop_sweeper = start_sweeper(_settings, make_app(_settings))
    # Otherwise open streams would be cut off in mid-sentence when the graceful time is over.
    end_on_sigterm(worker.wsgi)
    # Late: only processes that answer load the pages. The first visitor need not wait for this.
    from web.pages.corpus import warm

    warm(worker.wsgi)


def worker_exit(_server: Any, worker: Any) -> None:
    """Stop sweeping when the process ends."""
    stop = getattr(worker, "stop_sweeper", None)
    if stop is not None:
        stop()

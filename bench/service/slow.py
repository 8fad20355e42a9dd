"""Slow clients in a process of its own: `python -m bench.service.slow`.

The order comes as the first line of stdin; "open" is printed when all are connected, and those who
read are served, or have waited for long. A second line ends it; what became of them is printed.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass

_PATIENCE = 30.0


@dataclass(frozen=True)
class JobSpec:
    """Whom to play."""

    port: int
    token: str
    path: str
    """What the readers ask for, and do not take."""
    readers: int
    writers: int


@dataclass(frozen=True)
class Played:
    """What became of them."""

    served: int
    """Readers who were answered 200."""
    cut_off: int
    """Writers who were answered before they had said all."""


def play(order: JobSpec) -> Played:
    """Be slow until the second line comes."""
    # The tests' own clients: their folder is in our path only.
    from slow_clients import SlowClients

    with SlowClients(order.port, order.token) as clients:
        clients.write_heads(order.writers // 2)
        clients.write_bodies(order.writers - order.writers // 2)
        clients.read(order.readers, order.path)
        until = time.monotonic() + _PATIENCE
        while clients.served() < order.readers and time.monotonic() < until:
            time.sleep(0.2)
        print("open", flush=True)
        sys.stdin.readline()
        return Played(clients.served(), clients.answered())


if __name__ == "__main__":
    print(json.dumps(asdict(play(JobSpec(**json.loads(sys.stdin.readline()))))))

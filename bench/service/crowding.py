"""How soon others are answered while hundreds of slow clients hold connections."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Sequence
from functools import partial

from bench.service.api import BASE, Api
from bench.service.backlog import Backlog, Numbers, merge_of
from bench.service.children import Crowd
from bench.service.figures import Crowded, Spread
from bench.service.slow import JobSpec
from bench.service.stack import Stack

#: Nobody is refused or cut off while it is measured.
PATIENT = {"token_downloads": "1000", "download_limit": "1000", "request_seconds": "600"}
_TRIES = 20
_MOST_MISSED = 2  # then it is clear
_LONGEST = 10.0  # seconds; who is not answered by then is counted with them
_FILE = f"{BASE}/artifacts/merged_mental_health_dataset.json"


def measure_crowded(
    stack: Stack, sources: Sequence[str], numbers: Numbers, clients: int
) -> Crowded:
    """Measure `/healthz` and a POST beside so many readers of a large file, and as many writers.

    Both workers are busy. Raises `StackError`.
    """
    for event in stack.api().follow(stack.api().submit(merge_of(sources))["id"]):
        del event  # to its end: there is a file to read then
    order = JobSpec(stack.port, stack.token, _FILE, clients, clients)
    alive: list[float] = []
    posted: list[float] = []
    api = Api(stack.port, stack.token, _LONGEST)
    with Backlog(stack, sources, numbers) as backlog, Crowd(order) as crowd:
        backlog.begin()
        for _ in range(_TRIES):
            body = merge_of(sources, numbers.next())
            alive.append(_seconds(partial(api.status, "/healthz")))
            posted.append(_seconds(partial(api.submit, body)))
            if sum(each >= _LONGEST for each in (*alive, *posted)) >= _MOST_MISSED:
                break
        working = backlog.working
        played = crowd.end()
    return Crowded(
        alive=Spread.of(alive),
        posted=Spread.of(posted),
        readers=order.readers,
        writers=order.writers,
        served=played.served,
        cut_off=played.cut_off,
        working=working,
    )


def _seconds(ask: Callable[[], object]) -> float:
    began = time.monotonic()
    try:
        ask()
    except (OSError, http.client.HTTPException):
        return _LONGEST
    return time.monotonic() - began

"""POST to 202, and GET of a job: how long they take, at a rate and as fast as they are answered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from bench.service.api import BASE
from bench.service.backlog import Backlog, Numbers, merge_of
from bench.service.children import put_load
from bench.service.client import NUMBER, JobSpec
from bench.service.figures import Load, Spread, rank
from bench.service.stack import Stack

RATE = 50.0
_RATES = (RATE, None)


def measure_answers(
    stack: Stack,
    sources: Sequence[str],
    numbers: Numbers,
    seconds: float,
    requests: Sequence[str],
    backlog: Backlog | None,
) -> Iterator[Load]:
    """Measure some of `get` and `post`, each at the rate and at full speed; GET before POST.

    Every POST is a merge of its own, by the length at which it cuts sessions: none joins another,
    and none is begun while it is measured, as it waits for workers that are busy with the
    backlog, or that take no parts.
    """
    for request in sorted(requests):
        for rate in _RATES:
            if request == "get":
                body = merge_of(sources, numbers.next())
                yield poll(stack, stack.api().submit(body)["id"], seconds, rate, backlog)
            else:
                order = JobSpec(
                    port=stack.port,
                    token=stack.token,
                    method="POST",
                    path=f"{BASE}/merge",
                    body=json.dumps(merge_of(sources, NUMBER)),
                    first_number=numbers.batch(),
                    status=202,
                    seconds=seconds,
                    rate=rate,
                    watched=_watched(stack),
                )
                yield _measured(order, backlog)


def poll(
    stack: Stack, job_id: str, seconds: float, rate: float | None, backlog: Backlog | None = None
) -> Load:
    """Measure GET of a job."""
    order = JobSpec(
        port=stack.port,
        token=stack.token,
        method="GET",
        path=f"{BASE}/jobs/{job_id}",
        body="",
        first_number=0,
        status=200,
        seconds=seconds,
        rate=rate,
        watched=_watched(stack),
    )
    return _measured(order, backlog)


def _watched(stack: Stack) -> dict[str, int]:
    return {name: stack.pids[name] for name in ("web", "redis")}


def _measured(order: JobSpec, backlog: Backlog | None) -> Load:
    if backlog is not None:
        backlog.begin()
    answered = put_load(order)
    seconds = answered.seconds
    return Load(
        request=order.method,
        workers="idle" if backlog is None else "busy",
        asked=order.rate,
        answered=len(answered.latencies) / seconds,
        latency=Spread.of(answered.latencies),
        failures=answered.failures,
        late_p99=rank(sorted(answered.late), 0.99),
        cpu={name: used / seconds for name, used in answered.cpu_seconds.items()},
        working=None if backlog is None else backlog.working,
    )

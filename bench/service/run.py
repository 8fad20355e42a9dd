"""Play a plan: each kind of service is started once, and measured section by section."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.report import machine
from bench.service.answering import measure_answers
from bench.service.backlog import Backlog, Numbers
from bench.service.figures import Load, Results
from bench.service.following import measure_delays, measure_first_progress, measure_streams
from bench.service.plan import Plan, names
from bench.service.scaling import measure_scaling
from bench.service.stack import Stack, StackError

_WORKERS = 2
#: Idle workers are there, but take no parts of merges: a merge that is submitted stays queued.
_NO_PARTS = ("finalise",)
_FEWEST, _MOST = 2, 20  # times that the first progress is waited for


def play(plan: Plan) -> Results:
    """Measure all that a plan asks for; raises `StackError` and `RefusedError`."""
    results = Results(
        plan={"seconds": plan.seconds, "rounds": plan.rounds, "only": list(plan.only)},
        machine=machine(),
    )
    requests = [name for name in ("get", "post") if name in plan.only]
    if requests or "streams" in plan.only:
        with _stack(plan, "idle", idle=True) as stack:
            _play_idle(plan, stack, requests, results)
    if requests or {"progress", "events"} & set(plan.only):
        with _stack(plan, "busy") as stack:
            _play_busy(plan, stack, requests, results)
    if "scaling" in plan.only:
        with _stack(plan, "scaling") as stack:
            results.scaling = measure_scaling(stack, plan, names(plan))
        _say("scaling", f"{plan.rounds} rounds")
    return results


def _play_idle(plan: Plan, stack: Stack, requests: list[str], results: Results) -> None:
    if "streams" in plan.only:
        results.streams = measure_streams(stack, plan.seconds)
        _say("streams", f"{results.streams.events} events heard")
    _answers(plan, stack, Numbers(), requests, None, results)
    if stack.working():
        raise StackError("a worker that was to be idle took a job")


def _play_busy(plan: Plan, stack: Stack, requests: list[str], results: Results) -> None:
    numbers = Numbers()
    sources = names(plan)
    if "progress" in plan.only:
        times = max(_FEWEST, min(_MOST, round(plan.seconds)))
        results.first_progress = measure_first_progress(stack, sources, numbers, times)
        _say("first progress", f"median {results.first_progress.heard.p50:.2f} s")
    if not requests and "events" not in plan.only:
        return
    with Backlog(stack, sources, numbers) as backlog:
        if "events" in plan.only:
            results.delays = measure_delays(stack, backlog, plan.seconds)
            _say("events", f"{results.delays.events.count} heard")
        _answers(plan, stack, numbers, requests, backlog, results)


def _answers(
    plan: Plan,
    stack: Stack,
    numbers: Numbers,
    requests: list[str],
    backlog: Backlog | None,
    results: Results,
) -> None:
    sources = names(plan)
    for load in measure_answers(stack, sources, numbers, plan.seconds, requests, backlog):
        results.loads.append(load)
        _say(_named(load), f"p99 {load.latency.p99:.1f} ms, {load.answered:.0f} a second")


def _named(load: Load) -> str:
    rate = "full speed" if load.asked is None else f"{load.asked:.0f}/s"
    return f"{load.request}, {rate}, workers {load.workers}"


@contextmanager
def _stack(plan: Plan, name: str, *, idle: bool = False) -> Iterator[Stack]:
    """Start a service in a folder of its own, which goes with it."""
    folder: Path = plan.work / name
    shutil.rmtree(folder, ignore_errors=True)
    try:
        made = Stack(folder, plan.catalog, _NO_PARTS) if idle else Stack(folder, plan.catalog)
        with made:
            # A merge may be scaled down again: one worker is there from the start.
            made.run_workers(1 if name == "scaling" else _WORKERS)
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _say(what: str, result: str) -> None:
    print(f"{what}: {result}", file=sys.stderr)

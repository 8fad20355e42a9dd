"""Play a plan: each kind of service is started once, and measured section by section."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.report import machine
from bench.service.answering import measure_answers
from bench.service.backlog import Backlog, Numbers
from bench.service.crowding import PATIENT, measure_crowded
from bench.service.figures import Load, MemoryLook, Results
from bench.service.following import measure_delays, measure_first_progress, measure_streams
from bench.service.plan import Plan, names
from bench.service.recovering import measure_recovery, measure_wakes
from bench.service.remembering import measure_memory
from bench.service.report_trouble import memory_line
from bench.service.scaling import measure_scaling
from bench.service.stack import Stack, StackError
from workers.jobs.messages import QUEUES

_WORKERS = 2
#: Idle workers are there, but take no parts of merges: a merge that is submitted stays queued.
_NO_PARTS = ("finalise",)
#: Those beside streams have merges to do; prepares are the bench's own, as a worker holds them.
_MERGES = ("finalise", "part")
_FEWEST, _MOST = 2, 20  # times that the first progress is waited for, or a job without a message


def play(plan: Plan) -> Results:
    """Measure all that a plan asks for; raises `StackError` and `RefusedError`."""
    results = Results(
        plan={
            "seconds": plan.seconds,
            "rounds": plan.rounds,
            "jobs": plan.jobs,
            "only": list(plan.only),
        },
        machine=machine(),
    )
    requests = [name for name in ("get", "post") if name in plan.only]
    if requests:
        with _stack(plan, "idle", _NO_PARTS) as stack:
            _play_idle(plan, stack, requests, results)
    if requests or {"progress", "events"} & set(plan.only):
        with _stack(plan, "busy") as stack:
            _play_busy(plan, stack, requests, results)
    if "streams" in plan.only:
        # One of its own: those who listened before must not hold any of the hundred places.
        with (
            _stack(plan, "streams", _MERGES) as stack,
            Backlog(stack, names(plan), Numbers()) as backlog,
        ):
            results.streams = measure_streams(stack, backlog, plan.seconds)
        _say("streams", f"{results.streams.events} events heard")
    if {"recovery", "messages"} & set(plan.only):
        with _stack(plan, "hurt") as stack:
            _play_hurt(plan, stack, results)
    if "slow" in plan.only:
        with _stack(plan, "slow", settings=PATIENT) as stack:
            results.crowded = measure_crowded(stack, names(plan), Numbers(), plan.clients)
        _say("slow", f"a POST is answered after {results.crowded.posted.most:.2f} s at most")
    if "scaling" in plan.only:
        with _stack(plan, "scaling", workers=1) as stack:
            results.scaling = measure_scaling(stack, plan, names(plan))
        _say("scaling", f"{plan.rounds} rounds")
    if "memory" in plan.only:
        with _stack(plan, "memory") as stack:
            results.memory = measure_memory(stack, plan.jobs, _say_memory)
    return results


def _play_idle(plan: Plan, stack: Stack, requests: list[str], results: Results) -> None:
    _answers(plan, stack, Numbers(), requests, None, results)
    if stack.working():
        raise StackError("a worker that was to be idle took a job")


def _play_busy(plan: Plan, stack: Stack, requests: list[str], results: Results) -> None:
    numbers = Numbers()
    sources = names(plan)
    if "progress" in plan.only:
        results.first_progress = measure_first_progress(stack, sources, numbers, _times(plan))
        _say("first progress", f"median {results.first_progress.heard.p50:.2f} s")
    if not requests and "events" not in plan.only:
        return
    with Backlog(stack, sources, numbers) as backlog:
        if "events" in plan.only:
            results.delays = measure_delays(stack, backlog, plan.seconds)
            _say("events", f"{results.delays.events.count} heard")
        _answers(plan, stack, numbers, requests, backlog, results)


def _play_hurt(plan: Plan, stack: Stack, results: Results) -> None:
    if "messages" in plan.only:
        results.wakes = measure_wakes(stack, _times(plan))
        _say("messages", f"a free worker takes a job after {results.wakes.free.most:.2f} s at most")
    if "recovery" in plan.only:
        results.recovery = measure_recovery(stack, names(plan), Numbers(), plan.rounds)
        _say("recovery", f"after {results.recovery.held.most:.2f} s at most")


def _times(plan: Plan) -> int:
    return max(_FEWEST, min(_MOST, round(plan.seconds)))


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
def _stack(
    plan: Plan,
    name: str,
    queues: Sequence[str] = QUEUES,
    workers: int = _WORKERS,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Stack]:
    """Start a service in a folder of its own, which goes with it."""
    folder: Path = plan.work / name
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with Stack(folder, plan.catalog, queues, **(settings or {})) as made:
            made.run_workers(workers)
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _say(what: str, result: str) -> None:
    print(f"{what}: {result}", file=sys.stderr)


def _say_memory(look: MemoryLook) -> None:
    _say(f"memory after {look.jobs} jobs", memory_line(look))

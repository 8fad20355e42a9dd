"""The same merge by one worker and by two, and by the command line, in turn."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.service.backlog import merge_of
from bench.service.figures import MergeTimes, Scaling
from bench.service.plan import Plan
from bench.service.stack import ROOT, Stack, StackError, without_settings
from mindcorpus.storage.store import Store
from workers.jobs.job import Job
from workers.jobs.job_store import Event


def measure_scaling(stack: Stack, plan: Plan, sources: Sequence[str]) -> Scaling:
    """Measure rounds of all three; who begins moves on with each.

    Before each run the parts are removed, so that every merge makes all of them, and what is
    dirty is written to the disk. Raises `StackError` for a merge that fails.
    """
    by_workers: dict[int, list[MergeTimes]] = {1: [], 2: []}
    command_line: list[float] = []
    made = set()
    parts = 0
    alone = stack.folder / "command-line"
    for number in range(plan.rounds):
        turns = [1, 2, 0]
        for workers in turns[number % 3 :] + turns[: number % 3]:
            if workers:
                stack.run_workers(workers)
                job, times = _merge(stack, sources)
                by_workers[workers].append(times)
                parts = job.progress.parts
                made.add(_sums(stack.data_dir))
            else:
                command_line.append(_merge_alone(plan.catalog, alone, sources))
                made.add(_sums(alone))
    return Scaling(by_workers[1], by_workers[2], command_line, len(made) == 1, parts)


def _merge(stack: Stack, sources: Sequence[str]) -> tuple[Job, MergeTimes]:
    stack.wait_until_idle()
    shutil.rmtree(stack.data_dir / "parts", ignore_errors=True)
    os.sync()
    api = stack.api()
    job_id = api.submit(merge_of(sources))["id"]
    for _ in api.follow(job_id):
        pass
    job = stack.store.get(job_id)
    if job.state != "succeeded":
        raise StackError(f"the merge ended as {job.state}: {job.error}")
    return job, _times(stack.store.events(job_id))


def _merge_alone(catalog: Path, folder: Path, sources: Sequence[str]) -> float:
    # No workers' processes are idle beside it that would cost anything.
    os.sync()
    chosen = [option for name in sources for option in ("--source", name)]
    command = ["-m", "mindcorpus.cli.main", "merge", "--force", "--data-dir", str(folder), *chosen]
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *command, "--catalog", str(catalog)],
        cwd=ROOT,
        env=without_settings(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StackError(f"the command line failed: {done.stderr[-2000:]}")
    return time.perf_counter() - start


def _sums(data_dir: Path) -> tuple[str, ...]:
    """Give the checksums of what a merge wrote."""
    return tuple(output["sha256"] for output in Store(data_dir).manifest("corpus")["outputs"])


def _times(events: Sequence[Event]) -> MergeTimes:
    """Read a merge's history: queued, waiting for parts, queued again, running, succeeded.

    Before that last, others may have written it: then it waited once more, and was sealed.
    """
    moments = [(event.data["state"], event.data["at"] / 1000) for event in events]
    states = [at for at, event in enumerate(events) if event.data["type"] == "state"]
    names = [moments[at][0] for at in states]
    alone = ["queued", "waiting", "queued", "running", "succeeded"]
    if names not in (alone, [*alone[:4], *alone[1:]]):
        raise StackError(f"the merge did not go straight to its end: {', '.join(names)}")
    created, begun, gathered, *_, ended = (moments[at][1] for at in states)
    turns: dict[str, float] = {}
    for event, (_, at) in zip(events, moments, strict=True):
        if at > gathered and event.data["type"] == "progress" and event.data["stage"]:
            turns.setdefault(event.data["stage"], at)
    ends = [*list(turns.values())[1:], ended]
    return MergeTimes(
        total=ended - created,
        begin=begun - created,
        parts=gathered - begun,
        last_step=ended - gathered,
        stages={name: end - at for (name, at), end in zip(turns.items(), ends, strict=True)},
    )

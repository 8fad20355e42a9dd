"""Where a merge and a prepare go that several hosts share, and what stays with one of them.

    python -m bench.spreading --size 200MB

Takes the steps of the service in one process, one after the other, without starts and queues.
Prints the seconds of each, and how long hosts would need for more, on paper: by how much longer
each step takes for a corpus than for a fifth of it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypeVar

from bench.generate import generate, parse_size
from bench.mindcorpus_job import source_folders
from bench.plain_copy import sizes
from mindcorpus.execution.context import JobContext
from mindcorpus.execution.memory import keep_memory
from mindcorpus.execution.worker_pool import WorkerPool
from mindcorpus.job_requests import MergeRequest, PrepareRequest
from mindcorpus.merging.choice import choose_sources
from mindcorpus.merging.distributed import find_files, make_parts
from mindcorpus.merging.distributed_writing import merge_or_spread, seal_parts
from mindcorpus.preparing.distributed_writing import prepare_or_spread, seal_formats
from mindcorpus.progress import Cancellation, silent
from mindcorpus.settings import Settings
from mindcorpus.storage.publishers import Publisher
from mindcorpus.storage.sealing import WrittenParts
from mindcorpus.storage.shared_work import SharedWork, Spread, Writers

_T = TypeVar("_T")
_HOSTS = (1, 4, 16, 64)
_SIZES = {"2 GB": 2e9, "100 GB": 1e11, "1 TB": 1e12}
_JOB = "0" * 32
_TABLES = "statistics, lineage"
#: What any number of hosts can share; the others are taken by one.
_SHARED = ("find", "read", "write", "write formats")


@dataclass
class _Clock:
    """Seconds of each step, by its name."""

    seconds: dict[str, float]

    def __call__(self, step: str, work: Callable[[], _T]) -> _T:
        start = time.perf_counter()
        try:
            return work()
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - start


def measure(corpus: Path, folder: Path) -> tuple[dict[str, float], int]:
    """Merge a corpus and prepare the guide's formats in steps; gives seconds, and bytes written."""
    shutil.rmtree(folder, ignore_errors=True)
    os.sync()
    settings = Settings(data_dir=folder, cache_dir=folder / "cache", workers=1)
    paths = {name: str(path) for name, path in source_folders(corpus).items()}
    # Whole sessions, as in the other measurements: a quarter of them has more characters.
    whole = {"Psych-101.max_chars": "0"}
    request = MergeRequest(sources=tuple(paths), paths=paths, options=whole)
    clock = _Clock({})
    cancel = Cancellation()
    found = {}
    for name in choose_sources(request, settings).names:
        files = clock("find", lambda: find_files(request, name, settings, silent, cancel))  # noqa: B023
        assert files is not None
        for bundle in files.bundles():
            clock("read", lambda: make_parts(request, files, bundle, settings, silent, cancel))  # noqa: B023
        found[name] = files
    planned = clock(
        "plan",
        lambda: merge_or_spread(
            request, found, settings, silent, cancel, Publisher(_JOB, 1), _writers(1)
        ),
    )
    parts = _write(clock, "write", planned, settings)
    clock(
        "seal",
        lambda: seal_parts(request, found, parts, settings, silent, cancel, Publisher(_JOB, 2)),
    )
    formats = PrepareRequest()
    chosen = clock(
        "plan formats",
        lambda: prepare_or_spread(
            formats, settings, silent, cancel, Publisher(_JOB, 3), _writers(3)
        ),
    )
    parts = _write(clock, "write formats", chosen, settings)
    clock(
        "seal formats",
        lambda: seal_formats(formats, parts, settings, silent, cancel, Publisher(_JOB, 4)),
    )
    return clock.seconds, sum(sizes(folder / "artifacts").values())


def _writers(fence: int) -> Writers:
    return Writers(f"{_JOB}.{fence}", 2, 1)


def _write(clock: _Clock, step: str, planned: object, settings: Settings) -> WrittenParts:
    assert isinstance(planned, Spread)
    context = JobContext(WorkerPool(1), silent, Cancellation())
    attempts = []
    for number, sha256 in enumerate(planned.tasks):
        work = SharedWork(settings.data_dir / "staging", planned.work)
        attempt = work.attempt(number, sha256, 1)
        name = _TABLES if step == "write" and number < 2 else step
        attempts.append(clock(name, lambda: attempt.run("", context)))  # noqa: B023
    return WrittenParts(planned.work, planned.state, attempts, strays=False)


def on_paper(per_gb: Mapping[str, float]) -> Iterator[str]:
    """Give rows of a table: how long hosts of one worker each need, whatever the disk."""
    shared = sum(per_gb[step] for step in _SHARED)
    # Two parts that cannot be cut: beside the others, if there are hosts enough.
    tables = per_gb[_TABLES] / 2
    alone = sum(spent for step, spent in per_gb.items() if step not in _SHARED) - 2 * tables
    for name, size in _SIZES.items():
        cells = [
            (max((shared + 2 * tables) / hosts, tables) + alone) * size / 1e9 for hosts in _HOSTS
        ]
        yield f"| {name} | {' | '.join(map(_said, cells))} |"


def _said(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {step: median(each[step] for each in rounds) for step in rounds[0]}


def main() -> None:
    """Measure, and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--size", type=parse_size, default=parse_size("200MB"))
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--data", type=Path, default=Path("bench/data"))
    given = options.parse_args()
    keep_memory()
    folder = given.data / f"spreading-{os.getpid()}"
    found, read = [], []
    try:
        for size in (given.size // 5, given.size):
            corpus = given.data / f"{size // 10**6}MB"
            if not corpus.exists():
                corpus.parent.mkdir(parents=True, exist_ok=True)
                generate(corpus, size)
            rounds = [measure(corpus, folder) for _ in range(given.rounds)]
            found.append(_medians([each for each, _ in rounds]))
            read.append(sum(sizes(corpus).values()))
            print(f"{read[-1] / 1e9:.2f} GB read, {rounds[0][1] / 1e9:.2f} GB published")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    fifth, whole = found
    more = (read[1] - read[0]) / 1e9
    per_gb = {step: max(0.0, whole[step] - fifth[step]) / more for step in whole}
    print("seconds by step, and for each GB more:")
    for step, spent in whole.items():
        who = "shared" if step in _SHARED else "one"
        print(f"| {step} | {spent:.2f} | {per_gb[step]:.2f} | {who} |")
    print(f"on paper, {', '.join(map(str, _HOSTS))} hosts:")
    print("\n".join(on_paper(per_gb)))


if __name__ == "__main__":
    main()

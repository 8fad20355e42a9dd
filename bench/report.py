"""The results as a Markdown table, and the machine they were had on."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from statistics import median
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from bench.measure import Measured

_PACKAGES = ("mindcorpus", "pandas", "pyarrow", "datasets", "numpy", "orjson")


def machine() -> str:
    """Give cores, memory and versions in one line."""
    cores = len(os.sched_getaffinity(0))
    memory = psutil.virtual_memory().total / 1e9
    versions = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    return (
        f"{cores} cores, {memory:.0f} GB, {platform.system()} {platform.release()},"
        f" Python {platform.python_version()}, {versions}"
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "from the checkout"


def ratio(runs: Mapping[str, Sequence[Measured]], of: str, to: str) -> float:
    """Give the median over the rounds of one contestant's wall time to another's."""
    return median(one.wall / other.wall for one, other in zip(runs[of], runs[to], strict=True))


def markdown(
    size: str,
    count: Mapping[str, int],
    runs: Mapping[str, Sequence[Measured]],
    memory: Mapping[str, Measured],
) -> str:
    """Give the table: medians over the rounds with least and most, and the memory of one run."""
    title = f"{size}: {count['read'] / 1e6:.0f} MB read, {count['written'] / 1e6:.0f} MB written"
    lines = table(title, runs, memory)
    for ours in ("mindcorpus", "build"):
        for other in runs:
            if ours in runs and other not in (ours, "mindcorpus"):
                shares = memory[ours].peak / memory[other].peak
                found = ratio(runs, ours, other)
                lines.append(f"| {ours} / {other} | {found:.3f} | | | {shares:.3f} | |")
    return "\n".join(lines)


def table(
    title: str, runs: Mapping[str, Sequence[Measured]], memory: Mapping[str, Measured]
) -> list[str]:
    """Give the lines of a table with a row a contestant: medians, least and most, and memory."""
    kind = next(iter(memory.values())).kind.upper()
    lines = [
        f"## {title}",
        "",
        f"| | wall, s | least to most | CPU, s | peak {kind}, MB | peak USS, MB |",
        "|---|---|---|---|---|---|",
    ]
    for name, measured in runs.items():
        walls = [run.wall for run in measured]
        lines.append(
            f"| {name} | {median(walls):.2f} | {min(walls):.2f} to {max(walls):.2f}"
            f" | {median(run.cpu for run in measured):.2f}"
            f" | {memory[name].peak / 1e6:.0f} | {memory[name].peak_unique / 1e6:.0f} |"
        )
    return lines

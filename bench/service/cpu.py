"""CPU time of the service's processes, and of our own."""

from __future__ import annotations

import contextlib
import resource

import psutil


def cpu_of(pid: int) -> float:
    """Give the CPU seconds that a process and its living children have used."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
        return sum(each.user + each.system for each in times)
    return 0.0


def own_cpu() -> float:
    """Give the CPU seconds that this process has used."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime

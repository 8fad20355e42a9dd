"""Calls that not every POSIX system has, each with what is done where it is missing.

The bytes that are written are the same either way; what is lost is speed, an early word about a
full disk, or a bound on memory. `execution/parent_death.py`, which runs before anything can be
imported, and `execution/memory.py`, where only Linux can, look after themselves.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from subprocess import Popen

_DESCRIPTORS = Path("/proc/self/fd")


def cores() -> int:
    """Give the cores that this process may use, or else all there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def let_go(descriptor: int, start: int = 0, size: int = 0) -> None:
    """Have a file's bytes written to the disk and their cache let go, of size 0: to its end."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, start, size, os.POSIX_FADV_DONTNEED)


def read_at(descriptor: int, into: memoryview, at: int) -> int:
    """Read bytes from a place of a file into a buffer, and give how many; 0 at its end."""
    if hasattr(os, "preadv"):
        return os.preadv(descriptor, [into], at)
    data = os.pread(descriptor, len(into), at)
    into[: len(data)] = data
    return len(data)


def claim(descriptor: int, size: int) -> None:
    """Give a new file its size, and the space for it where the system can promise that."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.ftruncate(descriptor, size)


def path_of(descriptor: int) -> Path:
    """Give a path by which this process can open again what it has open."""
    folder = _DESCRIPTORS if _DESCRIPTORS.is_dir() else Path("/dev/fd")
    return folder / str(descriptor)


def bound_memory(size: int) -> None:
    """Have this process get no more than so many bytes, where the system bounds that."""
    if hasattr(resource, "RLIMIT_AS"):
        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def has_ended(process: Popen[Any]) -> bool:
    """Whether a child has ended; where it can be, it is left to be waited for.

    Raises `ChildProcessError` if somebody else has waited for it.
    """
    if not hasattr(os, "waitid"):
        return process.poll() is not None
    ended = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return os.waitid(os.P_PID, process.pid, ended) is not None

"""The memory of a process: kept between batches, and bounded for lines that may take too much."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STATUS = Path("/proc/self/status")


@contextmanager
def bounded_memory(size: int) -> Iterator[None]:
    """Have what asks for more than so many further bytes meet a `MemoryError`.

    It holds for the whole process, for as long; only Linux can. Libraries that take their memory
    from the system are held by it as Python is.
    """
    taken = _taken()
    if taken is None:
        yield
        return
    soft, hard = before = resource.getrlimit(resource.RLIMIT_DATA)
    limits = [taken + size, *(limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def keep_memory() -> None:
    """Keep freed memory for the next batch instead of giving it back and faulting it in again.

    For processes of our own. Batches come and go by the hundred; without this, reading Parquet took
    twice as long.
    """
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())
    with contextlib.suppress(OSError, AttributeError):  # another C library than glibc
        mallopt = ctypes.CDLL(None).mallopt
        trim_threshold, mmap_threshold = -1, -3
        mallopt(trim_threshold, 64 << 20)
        mallopt(mmap_threshold, 4 << 20)


@contextmanager
def uncollected() -> Iterator[None]:
    """Have nobody look for cycles meanwhile: rows hold none, and each look goes through all.

    It was a twentieth of the time of a merge.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def memory_of_the_system() -> Iterator[None]:
    """Have Arrow take its memory from the system, one block as it needs it, and give it back.

    Its own allocator takes a gigabyte at once, and keeps it.
    """
    import pyarrow as pa

    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)


def _taken() -> int | None:
    """Give the bytes of data that this process has asked for; None where nobody tells."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = _STATUS.read_bytes().splitlines()
        line = next(line for line in lines if line.startswith(b"VmData:"))
        return int(line.split()[1]) << 10
    return None

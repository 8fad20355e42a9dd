"""A system that lacks what only Linux has, for processes that are started with it on their path."""

from __future__ import annotations

from pathlib import Path

#: Of `os`; macOS lacks some, others lack more.
CALLS = ("posix_fadvise", "posix_fallocate", "preadv", "sched_getaffinity", "waitid")

_LACKING = f"""
import ctypes, os, resource, sys

for name in {CALLS}:
    delattr(os, name)
del resource.RLIMIT_AS


class Bare(ctypes.CDLL):
    def __getattr__(self, name):
        if name in ("prctl", "mallopt"):
            raise AttributeError(name)
        return super().__getattr__(name)


def lacking(event, arguments):
    if event == "open" and str(arguments[0]).startswith("/proc/"):
        raise FileNotFoundError(arguments[0])


ctypes.CDLL = Bare
sys.addaudithook(lacking)
"""


def lay_down(folder: Path) -> Path:
    """Write what takes the calls away from every Python that has the folder on its path."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_LACKING)
    return folder

"""A process that ends with its parent, also amid a long call, and whatever ended the parent.

Also run as a file of its own, before anything else: `python -I -S parent_death.py PARENT PROGRAM …`
ties this process to the one that started it and becomes the program. The tie is to the *thread*
that started it, which must outlive what it started.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_parent() -> None:
    """Have the system kill this process when its parent dies; only Linux can."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))


def become(parent: int, command: list[str]) -> None:
    """Tie this process to its parent, and become the command; exit if the parent died before."""
    end_with_parent()
    if os.getppid() != parent:
        sys.exit("the parent died first")
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    become(int(sys.argv[1]), sys.argv[2:])

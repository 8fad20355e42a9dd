"""Become another program, tied to the process that started this one: dies with it, however it ends.

Run as a file of its own, before anything else: `python -I -S leash.py PARENT PROGRAM …`. The tie
is to the *thread* that started it, which must outlive what it started.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent() -> None:
    """Have this process killed when its parent ends; only Linux can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))


def main(parent: int, command: list[str]) -> None:
    """Tie this process to its parent, and become the command."""
    die_with_parent()
    if os.getppid() != parent:
        sys.exit("the parent died first")
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])

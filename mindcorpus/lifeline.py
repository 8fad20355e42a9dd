"""A process that ends with its parent, also amid a long call, and whatever ended the parent."""

from __future__ import annotations

import contextlib
import ctypes
import signal


def end_with_parent() -> None:
    """Have the system kill this process when its parent dies; only Linux can."""
    with contextlib.suppress(OSError, AttributeError):
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)

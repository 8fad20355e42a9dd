"""What a process does at its start and end that is ours alone: a command, a job, an inspection.

Whoever imports the library in a program of their own keeps their threads and their collector.
"""

from __future__ import annotations

import gc
import os

#: Objects that are made before Python looks for cycles among them. Modules and models that load
#: make hundreds of thousands, and nearly all stay.
_YOUNG = 50_000


def begin() -> None:
    """Start lean; to be called before anything large is imported."""
    # numpy's linear algebra, of which nothing is used, starts a thread for each core as it is
    # loaded, and they spin: more CPU than all else of its import.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # To find out which plug-ins it may have, pydantic looks through all that is installed.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])


def end() -> None:
    """End without looking for cycles once more: all memory goes with the process."""
    gc.freeze()

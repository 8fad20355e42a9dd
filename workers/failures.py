"""What went wrong with a job: how it is told, and whether it may pass."""

from __future__ import annotations

import errno
import random
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from mindcorpus.errors import (
    DataError,
    FetchError,
    HubUnavailableError,
    MindcorpusError,
    RateLimitedError,
    SourcesError,
    StorageError,
)
from workers.errors import JobLostError, RedisUnavailableError

_SPACE = (errno.ENOSPC, errno.EDQUOT)
#: The longest pause before another try, in seconds.
_LONGEST = 300.0


def described(error: MindcorpusError) -> dict[str, Any]:
    """Give an error as a job shows it: code, title, detail, hint, source.

    Paths of the machine are left out: a client is told what failed, not where our disks are.
    """
    shown = error.file is not None and not PurePath(error.file).is_absolute()
    named = (
        ("file", error.file if shown else None),
        ("row", error.row),
        ("field", error.field),
    )
    where = ", ".join(f"{name} {value}" for name, value in named if value is not None)
    return {
        "code": error.code,
        "title": error.title,
        "detail": f"{error.title} ({where})" if where else error.title,
        "hint": error.hint,
        "source": error.source,
    }


def lost_too_often(attempts: int) -> dict[str, Any]:
    """Describe the failure of a job that lost its process in each of its attempts."""
    times = "once" if attempts == 1 else f"{attempts} times"
    return described(
        JobLostError(
            f"the process that worked on it died {times}",
            hint="If memory ran out, run fewer workers or raise MINDCORPUS_MEMORY_LIMIT_MB;"
            " the workers' logs say how it died.",
        )
    )


def may_pass(error: MindcorpusError) -> bool:
    """Whether the same may go well later: the hub or Redis was away, or the disk full."""
    if isinstance(error, StorageError):
        cause = error.__cause__
        return isinstance(cause, OSError) and cause.errno in _SPACE
    return isinstance(error, HubUnavailableError | RateLimitedError | RedisUnavailableError)


def is_of_source(error: MindcorpusError) -> bool:
    """Whether an error is a source's own, so that a merge could go on without it."""
    return isinstance(error, FetchError | DataError)


def pause(tries: int, base: float) -> float:
    """Give the seconds to wait before another try: up to `base`, doubled with each, at random.

    Full jitter, after AWS' "Exponential Backoff and Jitter", but never less than a tenth.
    """
    longest = min(_LONGEST, base * 2**tries)
    return random.uniform(longest / 10, longest)  # noqa: S311 - no secret


def revived(told: Mapping[str, Any]) -> MindcorpusError:
    """Give an error that `described` told, of the class with its code."""
    kinds = [MindcorpusError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    named = {kind.code: kind for kind in kinds if not issubclass(kind, SourcesError)}
    kind = named.get(told["code"], MindcorpusError)
    return kind(told["title"], hint=told["hint"], source=told["source"])

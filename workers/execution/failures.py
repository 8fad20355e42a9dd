"""What went wrong with a job: how it is told, and whether it may pass."""

from __future__ import annotations

import errno
import random
from collections.abc import Mapping
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
from mindcorpus.remedies import from_dict
from workers.errors import RedisUnavailableError

_SPACE = (errno.ENOSPC, errno.EDQUOT)
#: The longest pause before another try, in seconds.
_LONGEST = 300.0


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
    """Give an error that `workers.errors.describe` told, of the class with its code."""
    kinds = [MindcorpusError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    named = {kind.code: kind for kind in kinds if not issubclass(kind, SourcesError)}
    kind = named.get(told["code"], MindcorpusError)
    remedy = from_dict(told.get("remedy"))
    return kind(told["title"], hint=told["hint"], remedy=remedy, source=told["source"])

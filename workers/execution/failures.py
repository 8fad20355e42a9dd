"""What went wrong with a job: how it is told, and whether it may pass."""

from __future__ import annotations

import errno
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
from mindcorpus.retrying import backoff
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
    """Give the seconds to wait before another try, never less than a tenth of what they may be."""
    return backoff(tries + 1, base=base, longest=_LONGEST, least=0.1)


def revived(described: Mapping[str, Any]) -> MindcorpusError:
    """Give an error that `workers.errors.describe` described, of the class with its code."""
    kinds = [MindcorpusError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    named = {kind.code: kind for kind in kinds if not issubclass(kind, SourcesError)}
    kind = named.get(described["code"], MindcorpusError)
    remedy = from_dict(described.get("remedy"))
    title, hint, source = described["title"], described["hint"], described["source"]
    return kind(title, hint=hint, remedy=remedy, source=source)

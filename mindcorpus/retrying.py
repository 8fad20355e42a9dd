"""When to try again: pauses that grow, and what a server asks for in Retry-After."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

#: Seconds; whatever a server asks for, we believe no more: no clock knows an endless wait.
MOST = 366 * 86_400.0


def backoff(failures: int, *, base: float, longest: float, least: float = 0.0) -> float:
    """Give the seconds to wait after so many failures: up to `base`, doubled with each, at random.

    Full jitter, after AWS' "Exponential Backoff and Jitter": anything from nothing, or from the
    share `least`, to the whole, which is `longest` at the most.
    """
    top = min(longest, base * 2.0 ** min(failures - 1, 30))
    return random.uniform(least * top, top)  # noqa: S311 - nobody gains by guessing it


def retry_after(value: str) -> float | None:
    """Read the value of Retry-After, in seconds or as a date; None if it is neither."""
    value = value.strip()
    if value.isascii() and value.isdecimal():
        return min(float(value), MOST)
    try:
        due = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    # RFC 9110 dates are in GMT, said or not.
    seconds = (due.replace(tzinfo=due.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(0.0, seconds), MOST)

"""Times as people write them: a span such as 30d, counted from now, a day, or RFC 3339."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from mindcorpus.errors import SettingsError

_SPAN = re.compile(r"([0-9]{1,5})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def span_before(text: str, field: str) -> datetime:
    """Give the time that lies a span before now, or the one that is named.

    Raises `SettingsError` for what is neither.
    """
    span = _span(text)
    return _named(text, field) if span is None else datetime.now(UTC) - span


def span_ahead(text: str, field: str) -> datetime:
    """Give the time that lies a span ahead, or the one that is named, to the second.

    Raises `SettingsError` for what is neither, and for a time that is over.
    """
    span, now = _span(text), datetime.now(UTC)
    found = _named(text, field) if span is None else now + span
    if found <= now:
        raise SettingsError(f"{text} is over already", field=field, hint="Such as: 30d.")
    return found.replace(microsecond=0)


def _span(text: str) -> timedelta | None:
    found = _SPAN.fullmatch(text)
    return timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None


def _named(text: str, field: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(
            f"{text!r} is no time",
            field=field,
            hint="Such as: 30d, 12h, 90m, 2027-01-31 or 2027-01-31T12:00:00Z.",
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)

"""Numbers, sizes and times as people read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from mindcorpus.preparing.offer_words import lengths_told
from mindcorpus.report.charts import amount
from mindcorpus.report.words import visible

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def size(value: float) -> str:
    """Give a number of bytes with a unit, three digits or so."""
    scaled, unit = float(value), 0
    while scaled >= 999.5 and unit < len(_UNITS) - 1:
        scaled, unit = scaled / 1000, unit + 1
    digits = 0 if unit == 0 or scaled >= 99.5 else 1
    return f"{scaled:,.{digits}f} {_UNITS[unit]}"


def duration(seconds: float) -> str:
    """Give a duration in its two largest units."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def seconds_between(start: str, end: str) -> float:
    """Give the seconds from one ISO time to another."""
    return (_moment(end) - _moment(start)).total_seconds()


def seconds_since(start: str) -> float:
    """Give the seconds from an ISO time to now."""
    return (datetime.now(UTC) - _moment(start)).total_seconds()


def timestamp(moment: str | float) -> Markup:
    """Mark up a moment, ISO or in ms since 1970: UTC as it stands, local time where script runs."""
    when = _moment(moment)
    exact = when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    shown = f"{when.day} {when:%b %Y, %H:%M} UTC"
    text = Markup('<time datetime="{0}" title="{0}">{1}</time>')
    return text.format(exact, shown)


def clock(moment: str | float) -> Markup:
    """Mark up a moment of which the time of day is enough."""
    when = _moment(moment)
    exact = when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    text = Markup('<time datetime="{0}" title="{0}" data-clock>{1}</time>')
    return text.format(exact, f"{when:%H:%M:%S}")


def sentence(text: str) -> str:
    """Give a text that ends as a sentence does, and begins so."""
    text = f"{text[:1].upper()}{text[1:]}"
    return text if not text or text.endswith((".", "!", "?", "…")) else f"{text}."


def plural(count: int, one: str, many: str = "") -> str:
    """Give a count with its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _moment(moment: str | float) -> datetime:
    if isinstance(moment, str):
        return datetime.fromisoformat(moment).astimezone(UTC)
    return datetime.fromtimestamp(moment / 1000, UTC)


FILTERS: Mapping[str, Callable[..., Any]] = {
    "amount": amount,
    "named": visible,
    "size": size,
    "duration": duration,
    "timestamp": timestamp,
    "clock": clock,
    "plural": plural,
    "sentence": sentence,
    "lengths_told": lengths_told,
}

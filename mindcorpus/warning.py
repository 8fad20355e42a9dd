"""What must be said of an artifact before it is used: warnings, the most harmful first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: Every kind of warning, by the harm of not heeding it: what is missing from the data, then what a
#: model would learn amiss, then what a licence asks, then what holds for every corpus.
CODES = (
    "missing-source",
    "rows-lost",
    "one-word-answers",
    "dominant-source",
    "conversations-flat",
    "section-left-out",
    "reserved-words",
    "split-share",
    "licence",
    "clinical-use",
)


@dataclass(frozen=True)
class DataWarning:
    """A warning about an artifact: what is amiss, and the one step that mends it."""

    code: str
    """One of `CODES`."""
    text: str
    remedy: str = ""
    """A sentence in the words of commands, as manifests have it; "" where there is none."""

    def __str__(self) -> str:
        return f"{self.text} {self.remedy}".rstrip()


def ranked(warnings: Iterable[DataWarning]) -> list[str]:
    """Give warnings as a manifest tells them: the most harmful first, equals as they come."""
    return [str(warning) for warning in sorted(warnings, key=lambda each: CODES.index(each.code))]


def together(told: Iterable[Sequence[str]]) -> list[str]:
    """Give the warnings of several manifests as one list, each once, where it stands foremost."""
    places: dict[str, int] = {}
    for warnings in told:
        for place, warning in enumerate(warnings):
            places[warning] = min(place, places.get(warning, place))
    return sorted(places, key=lambda warning: places[warning])

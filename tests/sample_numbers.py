"""The numbers of the sample as its README.md tells them; no other test repeats one.

`make docs-figures` writes its tables anew, `tests/library/test_docs.py` holds them against a merge.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from documents import read, table

README = "mindcorpus/sample/README.md"
HEADING = "What is in it"

_PAGE = read(README)


@dataclass(frozen=True)
class Outcome:
    """What becomes of the rows of one source."""

    read: int
    kept: int
    answered: int
    """Those of the kept that have a response."""
    dropped: Mapping[str, int]
    """By reason."""
    duplicates: Mapping[str, int]
    """By the source that holds the record they repeat."""


def _counts(cell: str) -> dict[str, int]:
    """Read what `counted` wrote."""
    pairs = (each.rsplit(" ", 1) for each in cell.split(", ") if each)
    return {name: int(count) for name, count in pairs}


def counted(counts: Mapping[str, int]) -> str:
    """Write counts by name as one cell of a table."""
    return ", ".join(f"{name} {count}" for name, count in counts.items())


#: Rows by file, as it lies in the sample's folder.
FILES = {path: int(rows) for path, rows, _ in table(_PAGE, HEADING)}
#: By source, in the order of the catalogue.
OUTCOMES = {
    name: Outcome(int(read), int(kept), int(answered), _counts(dropped), _counts(duplicates))
    for name, read, kept, answered, dropped, duplicates in table(_PAGE, HEADING, 1)
}
#: Of all sources: rows that are read, records that are kept, and those that go into a format.
READ = sum(outcome.read for outcome in OUTCOMES.values())
KEPT = sum(outcome.kept for outcome in OUTCOMES.values())
ANSWERED = sum(outcome.answered for outcome in OUTCOMES.values())
UNANSWERED = KEPT - ANSWERED


def said(pattern: str) -> tuple[int, ...]:
    """Give the numbers that a sentence of the page tells: the groups of a pattern that finds it."""
    found = re.findall(pattern, " ".join(_PAGE.split()))
    assert len(found) == 1, f"{README} says {pattern!r} {len(found)} times"
    groups = (found[0],) if isinstance(found[0], str) else found[0]
    return tuple(int(number.replace(",", "")) for number in groups)

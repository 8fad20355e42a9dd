"""What became of a source's rows: kept, or left out for reasons, some with a twin that stands.

`read = kept + Σ reasons`. In manifests and statistics the reasons stand under two keys: `dropped`,
by reason, and `duplicates`, by the source of the record that stands for them. Where these were left
out for other reasons than being equal, `duplicates_by_reason` tells which.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

#: Why a record is left out whose equal stays.
DUPLICATE = "duplicate"


class LeftOut(NamedTuple):
    """So many rows of a source that were left out for one reason."""

    reason: str
    twin: str
    """The source of the record that stands for them, or ""."""
    rows: int


def left_out(counts: Mapping[str, Any]) -> list[LeftOut]:
    """Give what was left out of a source, as its entry in a manifest or in statistics says."""
    twins_by_reason = counts.get("duplicates_by_reason") or {DUPLICATE: counts["duplicates"]}
    return [
        *(LeftOut(reason, "", rows) for reason, rows in counts["dropped"].items()),
        *(
            LeftOut(reason, twin, rows)
            for reason, by_twin in twins_by_reason.items()
            for twin, rows in by_twin.items()
        ),
    ]


def changes(sources: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, int]]:
    """Give source, kind of change and how many kept records have it, sources in their order."""
    return [
        (name, change, rows)
        for name, counts in sources.items()
        for change, rows in counts["changed"].items()
    ]


def rows_dropped(counts: Mapping[str, Any]) -> int:
    """Add up the rows that nothing stands for."""
    return sum(each.rows for each in left_out(counts) if not each.twin)


def rows_duplicate(counts: Mapping[str, Any]) -> int:
    """Add up the rows for which another record stands."""
    return sum(each.rows for each in left_out(counts) if each.twin)


def is_accounted_for(counts: Mapping[str, Any]) -> bool:
    """Tell whether the rows that were read are those kept and those left out."""
    total: int = counts["kept"] + sum(each.rows for each in left_out(counts))
    read: int = counts["read"]
    return total == read

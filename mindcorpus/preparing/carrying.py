"""What of the chosen records a format cannot carry: which it leaves out, and what of others."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mindcorpus.conversations import HOLDS
from mindcorpus.corpus.row_facts import Flags
from mindcorpus.errors import SettingsError
from mindcorpus.formats.base import Section, Takes
from mindcorpus.formats.entry import FormatEntry
from mindcorpus.formats.registry import FORMATS
from mindcorpus.preparing.selection import Selection
from mindcorpus.warning import DataWarning

#: A record without these would teach something else, or be none: who says what and when, when to
#: call what, what is not to be learnt, which answers are to one prompt. A format that cannot carry
#: them leaves the record out. Of a pair only the answers are learnt, so only their weights count.
NEEDED: dict[Takes, tuple[str, ...]] = {
    "answers": ("weights", "tools", "names", "uneven-turns", "late-system"),
    "pairs": (
        *("two-prompts", "answer-turns", "answer-weights"),
        *("tools", "names", "uneven-turns", "late-system", "answer-keys"),
    ),
}
#: What some formats refuse, and others take in another form.
REFUSED = ("developer",)
#: What no format of pairs can carry where instructions are replaced or left out.
APART = "two-instructions"
#: The reasons for which they do.
REASONS = tuple(
    f"cannot-carry-{what}"
    for what in dict.fromkeys((*NEEDED["answers"], *NEEDED["pairs"], APART, *REFUSED))
)
#: What a record is taken without, and the word for it.
WITHOUT = {
    "turns": "conversation-made-flat",
    "system": "system-turns-left-out",
    "developer": "developer-as-system",
    "tools": "tools-left-out",
    "names": "names-left-out",
    "reasoning": "reasoning-left-out",
    "later-turns": "later-turns-left-out",
    "rejected-turns": "rejected-side-left-out",
}
#: What a policy does to records' own system turns.
POLICIES = {"replace": "system-turns-replaced", "none": "system-turns-left-out"}


def narrow(
    selection: Selection, entry: FormatEntry, settings: Mapping[str, Any], section: Section
) -> Selection:
    """Give what a section of a format takes of a selection, and the account of it.

    The flat view holds what it says of any conversation; a chat format takes what it can carry.
    Raises `SettingsError` where nothing is left.
    """
    rows = selection.rows
    if not rows.holding(*HOLDS).any():
        return selection
    times, sources = selection.times, selection.sources
    carries = entry.carries if section.carries is None else section.carries
    if "turns" in carries:
        for what in _left_out(carries, section, settings):
            over = (times > 0) & rows.holding(what)
            times = np.where(over, 0, times).astype(np.uint16)
            sources = _dropped(sources, f"cannot-carry-{what}", selection.by_source(over))
    if not times.any():
        raise _nothing_left(selection, entry, section)
    for change, changed in _changes(selection, times > 0, carries, settings).items():
        if section.takes == "pairs" and change == WITHOUT["rejected-turns"]:
            continue
        sources = _changed(sources, change, selection.by_source(changed))
    return replace(selection, times=times, sources=sources)


def _left_out(
    carries: Collection[str], section: Section, settings: Mapping[str, Any]
) -> Iterator[str]:
    """Name what leaves a record out; the first that it holds is the reason."""
    replaced = settings.get("system_policy", "own") in POLICIES
    if replaced and section.takes == "pairs":
        # Without their own instructions the two sides would say the same, or answer other prompts.
        yield APART
    for what in (*NEEDED[section.takes], *section.refuses):
        # Where records' own instructions go, it does not matter what they are.
        if what not in carries and not (replaced and what in ("late-system", "developer")):
            yield what


def _nothing_left(selection: Selection, entry: FormatEntry, section: Section) -> SettingsError:
    rows = selection.rows
    sets = {rows.holdings[code] for code in np.unique(rows.holds[selection.taken])}
    held = {word for each in sets for word in each.split()} & {*NEEDED[section.takes]}
    others = [
        name
        for name, each in FORMATS.items()
        if each.task == entry.task and held <= {*each.carries} and name != entry.name
    ]
    return SettingsError(
        f"no record is left for {entry.name}, which cannot carry what they hold",
        hint=f"Formats that can: {', '.join(others)}." if others else "No format of its kind can.",
    )


def _changes(
    selection: Selection, taken: Flags, carries: Collection[str], settings: Mapping[str, Any]
) -> dict[str, Flags]:
    """Give which of the rows that are taken lose something, by the word for it."""
    holding = selection.rows.holding
    changes = {
        change: taken & holding(what) for what, change in WITHOUT.items() if what not in carries
    }
    policy = POLICIES.get(settings.get("system_policy", "own"))
    if policy is not None:
        changes[policy] = taken & holding("system")
    if policy is not None or "system" not in carries:
        changes.pop(WITHOUT["developer"], None)
    return changes


def _dropped(sources: Mapping[str, Any], reason: str, counts: Mapping[str, int]) -> dict[str, Any]:
    return {
        name: {
            **entry,
            "kept": entry["kept"] - counts[name],
            "dropped": {**entry["dropped"], reason: counts[name]},
        }
        if counts.get(name)
        else entry
        for name, entry in sources.items()
    }


def _changed(sources: Mapping[str, Any], change: str, counts: Mapping[str, int]) -> dict[str, Any]:
    return {
        name: {**entry, "changed": {**entry["changed"], change: counts[name]}}
        if counts.get(name)
        else entry
        for name, entry in sources.items()
    }


def with_changes(
    sources: Mapping[str, Any], changed: Mapping[tuple[str, str], int]
) -> dict[str, Any]:
    """Add to an account of sources what a format's writers did to rows."""
    found = dict(sources)
    for (name, change), count in sorted(changed.items()):
        found = _changed(found, change, {name: count})
    return found


def total_changes(sources: Mapping[str, Any]) -> dict[str, int]:
    """Add up what was done to the rows of all sources."""
    found: dict[str, int] = {}
    for entry in sources.values():
        for change, count in entry["changed"].items():
            found[change] = found.get(change, 0) + count
    return found


def warnings_of(changed: Mapping[str, int], rows: int) -> list[DataWarning]:
    """Say of a flat format how many of its rows are conversations, and who has their turns."""
    flat = changed.get(WITHOUT["turns"], 0)
    if not flat:
        return []
    *others, last = (
        name
        for name, entry in FORMATS.items()
        if "turns" in entry.carries and entry.task == "fine-tuning"
    )
    lost = "what was said before the answer is one text, and system turns are left out"
    said = f"{flat:,} of the {rows:,} rows are conversations made flat: {lost}."
    return [
        DataWarning(
            "conversations-flat", said, f"Their turns are in {', '.join(others)} and {last}."
        )
    ]

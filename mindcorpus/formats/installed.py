"""Formats that installed packages offer, in the entry points of the group `mindcorpus.formats`.

An entry point's name is that of the format, and its object a `FormatEntry`. One that cannot be had
is told, with its package, where its name is asked for; all others go on.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points

from mindcorpus.formats.entry import FormatEntry
from mindcorpus.formats.registry import FORMATS, register

GROUP = "mindcorpus.formats"
_HINT = "Mend that package or uninstall it; all other formats can be used."


def register_installed() -> None:
    """Register what packages offer, in the order of their names."""
    own = set(FORMATS)
    for point in sorted(entry_points(group=GROUP), key=lambda each: (each.name, each.value)):
        try:
            entry = _load(point)
            if entry.name in own:
                raise ValueError("that is one of mindcorpus itself")  # noqa: TRY301 - told below
            register(entry)
        # The code is anybody's: it may raise whatever it likes.
        except Exception as error:  # noqa: BLE001
            why = str(error) if isinstance(error, ValueError) else type(error).__name__
            where = f"{point.value}, of the package {point.dist.name if point.dist else '?'}"
            FORMATS.refuse(point.name, f"the format {point.name!r} ({where}): {why}", _HINT)


def _load(point: EntryPoint) -> FormatEntry:
    entry = point.load()
    if not isinstance(entry, FormatEntry):
        raise ValueError(f"it is a {type(entry).__name__}, not a FormatEntry")  # noqa: TRY004 - one kind of error is told in words
    if entry.name != point.name:
        raise ValueError(f"its entry is called {entry.name!r}")
    if entry.in_all:
        raise ValueError("`in_all` is for the guide's; MINDCORPUS_FORMATS adds a format to `all`")
    # By default the module is one beside mindcorpus' own; here it is that of the entry.
    if entry.module == FormatEntry(entry.name, "", "", entry.artifact, "").module:
        return replace(entry, module=point.module)
    return entry

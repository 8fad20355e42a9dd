"""What is told where some of several formats could not be made."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from mindcorpus.errors import SettingsError


def not_made(broken: Mapping[str, SettingsError], made: Collection[str] = ()) -> SettingsError:
    """Give one error for all formats that could not be made, which names each, and those made.

    Field and advice are those of the first.
    """
    first, *others = broken.values()
    if not others and not made:
        return first
    names: dict[str, list[str]] = {}
    for name, error in broken.items():
        names.setdefault(error.title, []).append(name)
    told = [f"{', '.join(each)}: {title}" for title, each in names.items()]
    if made:
        told.append(f"made were {', '.join(made)}")
    return SettingsError("; ".join(told), field=first.field, hint=first.hint, remedy=first.remedy)

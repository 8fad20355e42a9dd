"""Which training formats there are: an entry each, read without loading any of their modules."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, TypeVar, cast

from mindcorpus.formats.entries import ENTRIES
from mindcorpus.formats.entry import FormatEntry
from mindcorpus.registry import Once, Registry
from mindcorpus.storage.kinds import KINDS

if TYPE_CHECKING:
    from mindcorpus.formats.base import Format
    from mindcorpus.job_requests import PrepareRequest

__all__ = [
    "ALL",
    "EVERY",
    "FORMATS",
    "FormatEntry",
    "choices",
    "load",
    "names_of",
    "register",
    "remove",
    "with_formats",
]

_Request = TypeVar("_Request", bound="PrepareRequest")
#: The word that stands for the formats the guide promises.
ALL = "all"
#: Of the setting that adds formats to these: every one.
EVERY = "*"
FORMATS: Registry[FormatEntry] = Registry("format")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_ARTIFACT = re.compile(r"\w[\w.-]*")


def register(entry: FormatEntry) -> None:
    """Add a format, as those of `entries` are; it can be used at once, everywhere in this process.

    Raises `ValueError` for a name or a path that stands for something else, or can be none.
    """
    if not _NAME.fullmatch(entry.name) or not _ARTIFACT.fullmatch(entry.artifact):
        raise ValueError(
            f"no format can be called {entry.name!r} and have {entry.artifact!r}: names are small "
            "letters, digits, - and _, and files lie in the data folder itself"
        )
    taken = entry.name in KINDS and entry.name not in FORMATS
    if entry.name == ALL or taken:
        raise ValueError(f"no format can be called {entry.name!r}: that stands for something else")
    for kind in KINDS.values():
        # Two of one name share their paths: they are told where that name is asked for.
        if kind.name != entry.name and (both := kind.links.keys() & entry.kind.links.keys()):
            raise ValueError(
                f"the format {entry.name!r} cannot have {', '.join(sorted(both))}: "
                f"{kind.name!r} has it"
            )
    FORMATS.register(entry)
    KINDS.setdefault(entry.name, entry.kind)


def remove(entry: FormatEntry) -> None:
    """Take a format out again."""
    FORMATS.remove(entry)
    if entry.name not in FORMATS:
        del KINDS[entry.name]


def choices() -> tuple[str, ...]:
    """Give what may be asked for: the names, and the word for the guide's."""
    return (*FORMATS, ALL)


def names_of(
    format_: str,
    formats: Collection[str] = (),
    exists: Callable[[str], bool] | None = None,
    added: Collection[str] = (),
) -> tuple[str, ...]:
    """Give the names that a request stands for, in the order of the registry.

    `format_` is a name or `all`; `formats` are names, and stand for themselves. `added` are formats
    that `all` means beside those of the guide; `*`: every one. With `exists`, it means those that
    exist as well: they can be outdated like the others. Raises `SettingsError` for a name that no
    format has, or more than one.
    """
    if formats:
        wanted = {FORMATS.find(name).name for name in formats}
    elif format_ == ALL:
        wanted = {name for name, entry in FORMATS.items() if entry.in_all}
        for name in added:
            # One whose name two entries have keeps none of the others from being made.
            wanted |= (
                {each for each in FORMATS if FORMATS.is_known(each)}
                if name == EVERY
                else {FORMATS.find(name).name}
            )
        if exists is not None:
            wanted |= {name for name in FORMATS if FORMATS.is_known(name) and exists(name)}
    else:
        wanted = {FORMATS.find(format_).name}
    return tuple(name for name in FORMATS if name in wanted)


def with_formats(request: _Request, names: tuple[str, ...]) -> _Request:
    """Give the same request for these formats, in the one way in which a set of them is said."""
    format_, formats = ALL, names
    if len(names) == 1:
        (format_,), formats = names, ()
    elif names == names_of(ALL):
        formats = ()
    return request.model_copy(update={"format": format_, "formats": formats})


def load(name: str) -> type[Format]:
    """Import a format's class; raises `SettingsError` as `Registry.load`."""
    return cast("type[Format]", FORMATS.load(name, "FORMAT"))


for _entry in ENTRIES:
    register(_entry)


def _register_installed() -> None:
    # Late: to look through what is installed takes longer than all else of this module.
    from mindcorpus.formats.installed import register_installed

    register_installed()


FORMATS.before_reading = KINDS.before_reading = Once(_register_installed)

"""What a merge or a prepare is asked for: plain values, so that a request can travel as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

EVERY = "*"


@dataclass(frozen=True)
class MergeRequest:
    """Which sources to merge, where they come from, and what may be replaced."""

    sample: bool = False
    """Use the synthetic sample that is shipped instead of the real sources."""
    sources: tuple[str, ...] | None = None
    """Names to merge; None: all of the catalogue."""
    exclude: tuple[str, ...] = ()
    commercial_only: bool = False
    allow_missing: bool = False
    """Publish without the sources that fail, and say so."""
    force: bool = False
    """Replace an existing corpus."""
    catalogs: tuple[str, ...] = ()
    """Catalogue files with sources of the user's own."""
    paths: Mapping[str, str] = field(default_factory=dict)
    """Source -> the file or folder to read it from."""
    revisions: Mapping[str, str] = field(default_factory=dict)
    """Source -> the commit, tag or branch to read it at."""
    options: Mapping[str, str] = field(default_factory=dict)
    """`NAME.key` -> value."""
    upgrade: tuple[str, ...] = ()
    """Sources whose lock is to be moved; `("*",)`: all."""


@dataclass(frozen=True)
class PrepareRequest:
    """Which training formats to make, of which records, and what may be replaced."""

    format: Literal["openai", "huggingface", "all"] = "all"
    exclude: tuple[str, ...] = ()
    """Sources to leave out."""
    types: tuple[str, ...] = ()
    """Types to take; none: all."""
    caps: Mapping[str, int] = field(default_factory=dict)
    """Source -> at most so many records, sampled with the seed."""
    force: bool = False

"""How the formats of a request stand: which are due, which are up to date, which would differ.

Faces ask before they begin: what a prepare would refuse is told of every format at once, and what
a yes would change is told before it. Nothing here reads the corpus itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mindcorpus.errors import CorruptArtifactError
from mindcorpus.job_requests import DEFAULTED, SPLITTING, PrepareRequest
from mindcorpus.preparing.existing import look_at
from mindcorpus.preparing.shaping import Difference
from mindcorpus.settings import Settings
from mindcorpus.storage.status import Base, base_of
from mindcorpus.storage.store import Store

#: `missing` and `outdated` formats are made as asked; the others only where that is said.
State = Literal["missing", "outdated", "up-to-date", "differs", "damaged"]


@dataclass(frozen=True)
class Standing:
    """A format that is asked for, and what a prepare would make of it."""

    name: str
    state: State
    request: PrepareRequest
    """What it would be made with."""
    outdated_by: str | None = None
    """`corpus-changed` or `split-changed`; None: what is there is up to date, or nothing is."""
    differences: tuple[Difference, ...] = field(default=())
    """How its settings, or the split of the corpus, would change."""

    @property
    def is_due(self) -> bool:
        """Whether it is made, though nobody said that anything may be replaced."""
        return self.state in ("missing", "outdated")

    def differs(self) -> list[dict[str, Any]]:
        """Give the differences as JSON values: setting, is, would_be."""
        return [
            {"setting": each.setting, "is": each.is_, "would_be": each.would_be}
            for each in self.differences
        ]


def standings(
    store: Store, request: PrepareRequest, settings: Settings, names: Collection[str]
) -> dict[str, Standing]:
    """Look at formats by name, as a request without `force` finds them; needs a corpus.

    Where formats exist and the request asks for another split, every one differs: the split is
    one for all.
    """
    split = split_settings(store)
    request = _plainer(request, split)
    defaults = settings.model_dump(include=set(DEFAULTED))
    asked, plain = request.with_defaults(defaults), PrepareRequest().with_defaults(defaults)
    resplit = _split_differences(request, split) if any(store.prepared().values()) else []
    base = base_there(store)
    return {name: _look(store, name, asked, plain, base, resplit) for name in names}


def _look(
    store: Store,
    name: str,
    asked: PrepareRequest,
    plain: PrepareRequest,
    base: Base,
    resplit: list[Difference],
) -> Standing:
    if not store.exists(name):
        return Standing(name, "differs" if resplit else "missing", asked, None, tuple(resplit))
    there = look_at(store, name, asked, plain, base)
    if there.manifest is None:
        return Standing(name, "damaged", asked)
    differences = (*there.differences, *resplit)
    if differences:
        state: State = "differs"
    else:
        # One of an earlier release, made before corpora had a split, obeys it when it is made anew.
        anew = there.outdated or any(getattr(asked, each) is not None for each in SPLITTING)
        state = "outdated" if anew else "up-to-date"
    return Standing(name, state, there.request, there.outdated, differences)


def split_settings(store: Store) -> dict[str, Any] | None:
    """Give how the corpus there is is split; None where that is not decided, or not to be read."""
    try:
        if store.exists("split") and base_there(store).split:
            return dict(store.manifest("split")["settings"])
    except CorruptArtifactError:
        pass
    return None


def last_split(store: Store) -> dict[str, Any]:
    """Give how a corpus was split last here, this one or one before; {} if none was."""
    try:
        return dict(store.manifest("split")["settings"]) if store.exists("split") else {}
    except (CorruptArtifactError, KeyError):
        return {}


def base_there(store: Store) -> Base:
    """Give what formats are outdated by; a split that is damaged is decided anew, and is none."""
    try:
        return base_of(store)
    except CorruptArtifactError:
        return Base(store.digest("corpus"))


def _plainer(request: PrepareRequest, split: Mapping[str, Any] | None) -> PrepareRequest:
    """Leave out of a request what the split has anyway."""
    if split is None:
        return request
    same = {name: None for name in SPLITTING if getattr(request, name) == split[name]}
    return request.model_copy(update=same)


def _split_differences(
    request: PrepareRequest, split: Mapping[str, Any] | None
) -> list[Difference]:
    if split is None:
        return []
    return [
        Difference(name, split[name], asked)
        for name in SPLITTING
        if (asked := getattr(request, name)) is not None
    ]

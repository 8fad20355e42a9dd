"""How the formats of a request stand: which are due, which are up to date, which would differ.

Faces ask before they begin: what a prepare would refuse is told of every format at once, and what
a yes would change is told before it. Nothing here reads the corpus itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mindcorpus.job_requests import DEFAULTED, SPLITTING, PrepareRequest
from mindcorpus.preparing.existing import look_at
from mindcorpus.preparing.shaping import Difference
from mindcorpus.settings import Settings
from mindcorpus.storage.status import Base, base_of, split_manifest
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
    split = _split_settings(store)
    request = _plainer(request, split)
    defaults = settings.model_dump(include=set(DEFAULTED))
    asked, plain = request.with_defaults(defaults), PrepareRequest().with_defaults(defaults)
    resplit = _split_differences(request, split) if any(store.prepared().values()) else []
    base = base_of(store)
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


def _split_settings(store: Store) -> dict[str, Any] | None:
    """Give how the corpus there is is split; None where that is not decided, or not to be read."""
    manifest = split_manifest(store)
    of = manifest.get("corpus_sha256")
    return dict(manifest["settings"]) if of and of == store.digest("corpus") else None


def split_defaults(store: Store, settings: Settings) -> dict[str, Any]:
    """Give how a prepare splits where its request does not say: as it was last, if it ever was."""
    return {**default_shares(settings), **split_manifest(store).get("settings", {})}


def default_shares(settings: Settings) -> dict[str, Any]:
    """Give how a corpus is split where none was split yet."""
    return {
        "seed": settings.seed,
        "validation_share": settings.validation_share,
        "test_share": 0.0,
        "folds": 0,
    }


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

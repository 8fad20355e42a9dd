"""Rolling back: an earlier build, kept when it was replaced, becomes the current one again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mindcorpus.errors import CorruptArtifactError, SettingsError, storage_errors
from mindcorpus.remedies import Remake
from mindcorpus.storage.builds import kind_of_build
from mindcorpus.storage.kinds import KINDS
from mindcorpus.storage.manifest import find_damage, read_manifest
from mindcorpus.storage.store import Store


@dataclass(frozen=True)
class RolledBack:
    """What a rollback did."""

    kind: str
    build: str
    """The build that is the current one now."""
    replaced: str | None
    """The one that was before, and is kept; None if it was this one already."""
    rows: int
    path: Path
    """Where users know it."""


def roll_back(
    store: Store, kind: str | None, build: str | None, tick: Callable[[int, int], None]
) -> RolledBack:
    """Make a kept build the current one again, by default the last one that was replaced.

    The one that it replaces is kept in its turn. All its files are read before: `tick(0, bytes)`
    hears how far. Without a kind it is that of the build, or the corpus. Raises `SettingsError`,
    `NoBuildError`, and `CorruptArtifactError` for a build that is not what its manifest says. With
    a corpus its last split comes back, where that is kept.
    """
    kind = kind or (kind_of_build(build) if build else None) or "corpus"
    if kind not in KINDS:
        raise SettingsError(f"there is no {kind!r}", field="kind", hint=f"There are {_known()}.")
    with storage_errors(store.data_dir):
        if build is not None and build == store.builds.current(kind):
            # Asked for twice, as by a client whose answer was lost: it is there.
            rows = store.manifest(kind)["rows"]
            return RolledBack(kind, build, None, rows, store.path(kind))
        chosen = store.builds.find(kind, build)
        with store.pins.hold([chosen.id]):
            # Once more: whoever removes it from now on has yet to look for pins.
            store.builds.find(kind, chosen.id)
            if damage := find_damage(chosen.folder, tick):
                raise CorruptArtifactError(
                    f"the build is damaged: {damage[0]['path']} {damage[0]['problem']}",
                    file=chosen.id,
                    hint="What is current stays as it is. To have another:",
                    remedy=Remake(),
                )
            rows = read_manifest(chosen.folder)["rows"]
            replaced = store.bring_back(kind, chosen.id)
        if kind == "corpus":
            _bring_back_split(store, tick)
    return RolledBack(kind, chosen.id, replaced, rows, store.path(kind))


def _bring_back_split(store: Store, tick: Callable[[int, int], None]) -> None:
    """Make the last split of the current corpus that is kept and whole the current one again.

    Without one formats of that corpus stand as they are; the next prepare decides it anew.
    """
    corpus = store.digest("corpus")
    with suppress(CorruptArtifactError):
        if store.exists("split") and store.manifest("split")["corpus_sha256"] == corpus:
            return
    for build in store.builds.kept("split"):
        with store.pins.hold([build.id]), suppress(CorruptArtifactError):
            if read_manifest(build.folder)["corpus_sha256"] == corpus:
                if not find_damage(build.folder, tick):
                    store.bring_back("split", build.id)
                return


def _known() -> str:
    return ", ".join(KINDS)

"""What becomes of formats that are there: kept, made anew as they were, or replaced when said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mindcorpus.errors import CorruptArtifactError, ExistsError
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing.shaping import Difference, differences, request_of, shaped
from mindcorpus.remedies import Replace
from mindcorpus.storage.manifest import find_damage
from mindcorpus.storage.status import Base
from mindcorpus.storage.store import Store


@dataclass(frozen=True)
class Existing:
    """A format that is there, and what a request would make of it."""

    manifest: dict[str, Any] | None
    """None where it cannot be read."""
    build: str
    """The name of its folder."""
    request: PrepareRequest
    """What it is made anew with."""
    outdated: str | None
    """`corpus-changed` or `split-changed`; None: it is up to date."""
    differences: tuple[Difference, ...]
    """How its settings would change."""

    @property
    def is_due(self) -> bool:
        """Whether it is to be made anew, though nobody said that it may be replaced."""
        return self.outdated is not None and not self.differences


def look_at(
    store: Store, name: str, asked: PrepareRequest, plain: PrepareRequest, base: Base
) -> Existing:
    """Look at a format that is there; raises `NoCorpusError` if it is not.

    `asked` is the request with its defaults filled in, `plain` one that asks for nothing: where
    they are the same but for the split, what is there keeps the settings of its own manifest.
    """
    try:
        folder, manifest = store.current(name)
    except CorruptArtifactError:
        return Existing(None, "", asked, None, ())
    request = asked
    if shaped(asked, name) == shaped(plain, name) and not asked.force:
        request = request_of(manifest["settings"], asked)
    changed = differences(manifest["settings"], shaped(request, name))
    return Existing(manifest, folder.name, request, base.outdated(manifest), tuple(changed))


def refuse_edited(store: Store, name: str) -> None:
    """Raise `ExistsError` for a format whose files are not what its manifest says."""
    with store.reading(name) as folder:
        damage = find_damage(folder, lambda _rows, _size: None)
    if damage:
        path, problem = damage[0]["path"], damage[0]["problem"]
        raise ExistsError(
            f"{store.path(name).name} was changed since it was made: {path} {problem}",
            file=str(store.path(name)),
            remedy=Replace(),
        )


def refuse_other_settings(store: Store, name: str, there: Existing) -> None:
    """Raise `ExistsError` for a format that would be made with other settings."""
    told = "; ".join(map(str, there.differences))
    raise ExistsError(
        f"{store.path(name).name} exists, with other settings ({told})",
        file=str(store.path(name)),
        remedy=Replace(),
    )

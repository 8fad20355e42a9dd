"""The recipe of a corpus: all that shapes it, as one name, and which build was made by it.

Where the current build is what would be made, and nobody touched it, there is nothing to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mindcorpus._version import __version__
from mindcorpus.errors import CorruptArtifactError, NoCorpusError, StorageError
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.account import settings_entry
from mindcorpus.merging.choice import choose_stages
from mindcorpus.merging.code_digest import code_digest, package_digest
from mindcorpus.merging.kept_facts import find_facts, keep_facts, named
from mindcorpus.merging.part_cache import data_of, module_of
from mindcorpus.settings import Settings
from mindcorpus.sources.catalog import Catalog
from mindcorpus.sources.checksums import Stamp
from mindcorpus.sources.files import Fetched
from mindcorpus.storage.manifest import read_manifest
from mindcorpus.storage.store import Store


def recipe_of(
    request: MergeRequest,
    catalog: Catalog,
    fetched: Iterable[Fetched],
    parts: Mapping[str, Sequence[str]],
    absent: Sequence[str],
    settings: Settings,
) -> str:
    """Name all that shapes a corpus of which no source is missing.

    `fetched` are its sources, their checksums known, `parts` the names of the parts of each.
    """
    stages = choose_stages(request).of_corpus
    package, _, _ = __name__.partition(".")
    makers = {module_of(stage) for stage in stages}
    others = [maker for maker in sorted(makers) if not maker.startswith(f"{package}.")]
    return named(
        "corpus",
        __version__,
        # Of libraries the parts' names hold the versions.
        [package_digest(package), code_digest(tuple(others))],
        [[module_of(stage), repr(stage), data_of(stage)] for stage in stages],
        settings_entry(request),
        [settings.loss_warning, settings.loss_limit, settings.group],
        [
            [
                catalog[each.source].model_dump(mode="json"),
                [each.origin, each.revision, each.split, each.config],
                [[file.path, file.size, file.sha256, file.guessed] for file in each.files],
                [asdict(left) for left in each.not_read],
                list(parts[each.source]),
            ]
            for each in fetched
        ],
        list(absent),
    )


def find_made(store: Store, recipe: str) -> dict[str, Any] | None:
    """Give the manifest of the current corpus if it was made so, and is as it was then."""
    facts = find_facts(store, recipe)
    if facts is None or facts["build"] != store.builds.current("corpus"):
        return None
    with suppress(OSError, NoCorpusError, CorruptArtifactError):
        folder = store.folder("corpus")
        if _stamps(folder) == facts["files"] and store.is_linked("corpus"):
            return read_manifest(folder)
    return None


def note_made(store: Store, recipe: str, folder: Path, scratch: Path) -> None:
    """Remember which build was made by a recipe; that it cannot be fails nobody's work."""
    with suppress(OSError, StorageError), store.locked():
        # Another merge of the same may have published its own meanwhile.
        if store.builds.current("corpus") == folder.name:
            keep_facts(store, recipe, {"build": folder.name, "files": _stamps(folder)}, scratch)


def _stamps(folder: Path) -> dict[str, list[int]]:
    """Give the stamps of all files of a build: whatever was done to one since shows."""
    return {
        path.relative_to(folder).as_posix(): list(Stamp.of(path))
        for path in folder.rglob("*")
        if not path.is_dir()
    }

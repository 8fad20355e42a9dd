"""Proof that what is stored is what the manifests say, and that its users can open it."""

from __future__ import annotations

from pathlib import Path

from mindcorpus.errors import SettingsError
from mindcorpus.formats.registry import FORMATS, load
from mindcorpus.progress import Cancellation, Reporter, checking, silent
from mindcorpus.storage.kinds import KINDS, MANIFEST
from mindcorpus.storage.manifest import find_damage, read_manifest
from mindcorpus.storage.status import OUTDATED, base_of
from mindcorpus.storage.store import Store


def verify(
    data_dir: str | Path, report: Reporter = silent, cancel: Cancellation | None = None
) -> list[dict[str, str]]:
    """Recompute all checksums and sums in a data folder, and what each format asks beyond them.

    Gives the problems as {kind, path, problem}; none means that all is as the manifests say.
    Raises `NoCorpusError` if there is nothing to verify, and `CorruptArtifactError`.
    """
    store, cancel = Store(data_dir), cancel or Cancellation()
    kinds = [kind for kind in KINDS if store.exists(kind)]
    if not kinds:
        store.folder("corpus")
    problems: list[dict[str, str]] = []
    base = base_of(store)
    for kind in kinds:
        # Whoever replaces it meanwhile leaves it whole: a build in use is not damaged.
        with store.reading(kind) as folder:
            manifest = read_manifest(folder)
            total = sum(output["bytes"] for output in manifest["outputs"])
            found = find_damage(folder, checking(kind, total, report, cancel))
            if kind in FORMATS and not found:
                found = _checked(kind, folder)
            if KINDS[kind].is_format and (reason := base.outdated(manifest)):
                found.append({"path": KINDS[kind].path, "problem": OUTDATED[reason]})
        problems += [{"kind": kind, **problem} for problem in found]
    return problems


def _checked(name: str, folder: Path) -> list[dict[str, str]]:
    """Check what a format's own module asks beyond checksums; one that fails keeps no other."""
    try:
        return load(name).check(folder)
    except SettingsError as error:
        return [{"path": MANIFEST, "problem": error.title}]

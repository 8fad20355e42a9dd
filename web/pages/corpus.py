"""The corpus as pages read it: its records and their index, kept as long as it is the corpus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from flask import current_app

from mindcorpus.artifacts import Store
from mindcorpus.errors import CorruptArtifactError
from mindcorpus.manifests import read_manifest
from web.means import means

if TYPE_CHECKING:
    from mindcorpus.browsing import Records

_EXTENSION = "mindcorpus-corpus"
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Corpus:
    """One published corpus, which never changes; kept, it costs some 20 bytes a record."""

    folder: Path
    manifest: dict[str, Any]
    records: Records

    @property
    def statistics(self) -> dict[str, Any]:
        """The statistics of its manifest."""
        return cast("dict[str, Any]", self.manifest["statistics"])


def read_corpus(read: Callable[[Corpus], _Value]) -> _Value:
    """Read from the current corpus; once more if a merge replaced it meanwhile.

    Raises `NoCorpusError`, and `CorruptArtifactError`.
    """
    while True:
        folder = Store(means().settings.data_dir).folder("corpus")
        try:
            return read(_open(folder))
        except (FileNotFoundError, CorruptArtifactError):
            if folder.exists():
                raise


def whole_manifest(folder: Path) -> dict[str, Any]:
    """Read an artifact's manifest; raises `CorruptArtifactError` also where pages miss a part."""
    manifest = read_manifest(folder)
    needed = {"kind", "rows", "sources", "outputs", "warnings", "settings", "tool"}
    needed |= {"statistics"} if folder.name.startswith("corpus") else {"corpus_sha256", "split"}
    if missing := sorted(needed - manifest.keys()):
        raise CorruptArtifactError(f"the manifest lacks {', '.join(missing)}")
    return manifest


def _open(folder: Path) -> Corpus:
    from mindcorpus.browsing import Records  # late: it loads pyarrow

    kept = cast("Corpus | None", current_app.extensions.get(_EXTENSION))
    if kept is None or kept.folder != folder:
        kept = Corpus(folder, whole_manifest(folder), Records(folder))
        current_app.extensions[_EXTENSION] = kept
    return kept

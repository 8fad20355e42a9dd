"""What is told of the artifacts of a store: which there are, how large, and what is kept."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from mindcorpus.errors import CorruptArtifactError, NoCorpusError
from mindcorpus.storage.builds import moment, size_told
from mindcorpus.storage.kinds import KINDS, MANIFEST

if TYPE_CHECKING:
    from mindcorpus.storage.store import Store


#: What makes a format outdated, in a sentence each.
OUTDATED = {
    "corpus-changed": "is outdated: it was made from another corpus than the one there is",
    "split-changed": "is outdated: the corpus was split anew since it was made",
}


#: The id of no split.
_NONE = "none"


def status_of(store: Store) -> dict[str, Any]:
    """Tell of each kind of artifact; `Store.status` says what."""
    base = base_of(store)
    return {kind: entry_of(store, kind, base)[0] for kind in store.kinds()}


class Base(NamedTuple):
    """What formats are made of: they are outdated where it is another now."""

    corpus: str = ""
    """The sha256 of the corpus' manifest."""
    split: str = ""
    """The id of its split; "" where none was decided yet."""

    def outdated(self, manifest: Mapping[str, Any]) -> str | None:
        """Say by what a format is outdated, from its manifest; None if it is not."""
        if manifest["corpus_sha256"] != self.corpus:
            return "corpus-changed"
        # One of an earlier release knows of no split.
        if self.split and manifest.get("split_id") != self.split:
            return "split-changed"
        return None


def base_of(store: Store) -> Base:
    """Give the corpus and the split that formats are to be of."""
    corpus = store.digest("corpus")
    if not corpus:
        return Base()
    split = split_manifest(store)
    if split.get("corpus_sha256") == corpus:
        return Base(corpus, split.get("id", ""))
    return Base(corpus, common_split(store, corpus))


def split_manifest(store: Store) -> dict[str, Any]:
    """Give the manifest of the last split, of this corpus or one before; {} where there is none.

    One that is damaged is none: who verifies tells of it, and the next prepare decides anew.
    """
    try:
        return store.manifest("split")
    except (CorruptArtifactError, NoCorpusError):
        return {}


def common_split(store: Store, corpus: str) -> str:
    """Give the split that formats of a corpus obey where the corpus' own is not there.

    So it is once a corpus was brought back that had been replaced. "" for none; one that no format
    has where they obey several: none can be told to be the right one.
    """
    found = set()
    for name, kind in KINDS.items():
        if kind.is_format and store.exists(name):
            with suppress(CorruptArtifactError):
                manifest = store.manifest(name)
                if manifest["corpus_sha256"] == corpus and "split_id" in manifest:
                    found.add(manifest["split_id"])
    return next(iter(found)) if len(found) == 1 else _NONE if found else ""


def entry_of(
    store: Store, kind: str, base: Base | None = None
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Tell of one kind, and give the manifest of which it is told; None where there is none.

    `base` is what a format is outdated by, or not.
    """
    entry: dict[str, Any] = {"exists": False, "path": str(store.path(kind))}
    manifest = None
    while store.exists(kind):
        folder, manifest = store.current(kind)
        try:
            built = (folder / MANIFEST).stat().st_mtime
        except FileNotFoundError:  # replaced just now, and gone
            continue
        entry |= {
            "exists": True,
            "build": folder.name,
            "rows": manifest["rows"],
            "bytes": size_told(manifest),
            "built": moment(built),
            "warnings": manifest["warnings"],
        }
        if KINDS[kind].is_format:
            reason = (base or Base()).outdated(manifest)
            entry |= {"outdated": reason is not None, "outdated_by": reason}
        break
    kept = [build.as_dict() for build in store.builds.kept(kind)]
    return {**entry, "kept": kept}, manifest

"""What is told of the artifacts of a store: which there are, how large, and what is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mindcorpus.storage.builds import moment, size_told
from mindcorpus.storage.kinds import MANIFEST

if TYPE_CHECKING:
    from mindcorpus.storage.store import Store


def status_of(store: Store) -> dict[str, Any]:
    """Tell of each kind of artifact; `Store.status` says what."""
    digest = store.digest("corpus")
    return {kind: entry_of(store, kind, digest)[0] for kind in store.kinds()}


def entry_of(
    store: Store, kind: str, corpus: str = ""
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Tell of one kind, and give the manifest of which it is told; None where there is none.

    `corpus` is the sha256 of the corpus' manifest, by which a format is outdated or not.
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
        if kind != "corpus":
            entry["outdated"] = manifest["corpus_sha256"] != corpus
        break
    kept = [build.as_dict() for build in store.builds.kept(kind)]
    return {**entry, "kept": kept}, manifest

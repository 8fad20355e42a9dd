"""What is told of all training formats together: their split, and sources they still hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from mindcorpus.errors import CorruptArtifactError, NoCorpusError
from mindcorpus.storage import licences
from mindcorpus.storage.kinds import KINDS
from mindcorpus.storage.status import split_manifest

if TYPE_CHECKING:
    from mindcorpus.storage.store import Store


def split_told(store: Store, split_ids: Collection[str]) -> dict[str, Any] | None:
    """Give the settings and the proof of the corpus' split; None where it is none of these."""
    manifest = split_manifest(store)
    if manifest.get("id") not in split_ids:
        return None
    return {"settings": manifest["settings"], **manifest["split"]}


def exports_holding(store: Store, corpus: Mapping[str, Any]) -> dict[str, list[str]]:
    """Give, by format, the sources of which it holds records though the corpus has none.

    `corpus` is a corpus' manifest. Formats that hold no such source are not named.
    """
    there = {source["name"] for source in corpus["sources"] if source["kept"]}
    found: dict[str, list[str]] = {}
    for kind in store.kinds():
        if not (KINDS[kind].is_format and store.exists(kind)):
            continue
        try:
            manifest = store.manifest(kind)
        except (CorruptArtifactError, NoCorpusError):  # `verify` tells of one that is damaged
            continue
        held = [each["name"] for each in licences.kept(manifest) if each["name"] not in there]
        if held:
            found[kind] = held
    return found


def trained_tokens(manifest: Mapping[str, Any]) -> int:
    """Give how many tokens a trainer learns from, of a format's manifest: those of its train part.

    Of a format that is not split, all; 0 for one of an earlier release, which does not tell.
    """
    tokens = manifest.get("tokens")
    if not tokens:
        return 0
    of = tokens.get("parts", {}) if manifest["split"] else {"train": tokens["lengths"]["all"]}
    total: int = of.get("train", {"total": 0})["total"]
    return total

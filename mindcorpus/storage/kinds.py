"""Which kinds of artifacts there are, and under which paths users find their files.

The corpus stands here; each training format adds its own (`formats.registry`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MANIFEST = "manifest.json"
CARD = "README.md"
CROISSANT = "croissant.json"
CORPUS = "merged_mental_health_dataset"


@dataclass(frozen=True)
class ArtifactKind:
    """One kind of artifact."""

    name: str
    title: str
    links: Mapping[str, str]
    """Name in the data folder -> name in the artifact; "" is the artifact's folder itself."""
    expected: bool
    """Whether it is listed as missing where there is none."""

    @property
    def path(self) -> str:
        """The name in the data folder by which it is known."""
        return next(iter(self.links))

    @property
    def manifest(self) -> str:
        """The path in the data folder of its manifest."""
        whole = next((name for name, inner in self.links.items() if inner == MANIFEST), None)
        return whole or f"{self.path}/{MANIFEST}"


KINDS: dict[str, ArtifactKind] = {
    "corpus": ArtifactKind(
        name="corpus",
        title="Corpus",
        links={
            f"{CORPUS}.json": f"{CORPUS}.json",
            f"{CORPUS}.csv": f"{CORPUS}.csv",
            f"{CORPUS}.parquet": f"{CORPUS}.parquet",
            f"{CORPUS}.lineage.parquet": f"{CORPUS}.lineage.parquet",
            f"{CORPUS}.manifest.json": MANIFEST,
            f"{CORPUS}.README.md": CARD,
            f"{CORPUS}.croissant.json": CROISSANT,
        },
        expected=True,
    )
}

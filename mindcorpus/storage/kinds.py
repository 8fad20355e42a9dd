"""Which kinds of artifacts there are, and under which paths users find their files.

The corpus stands here; each training format adds its own (`formats.registry`).
"""

from __future__ import annotations

from collections import UserDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

MANIFEST = "manifest.json"
CARD = "README.md"
CROISSANT = "croissant.json"
#: Of a training format: which record stands where, and where it comes from.
LINEAGE = "lineage.parquet"
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
    is_format: bool = True
    """Whether it is a training format: made of the corpus, and outdated when that changes."""

    @property
    def path(self) -> str:
        """The name in the data folder by which it is known."""
        return next(iter(self.links))

    @property
    def manifest(self) -> str:
        """The path in the data folder of its manifest."""
        whole = next((name for name, inner in self.links.items() if inner == MANIFEST), None)
        return whole or f"{self.path}/{MANIFEST}"


class Kinds(UserDict[str, ArtifactKind]):
    """Kinds by name."""

    before_reading: Callable[[], None] | None = None
    """What adds kinds that cost something to find: done before any is asked for."""

    def _read(self) -> dict[str, ArtifactKind]:
        if self.before_reading is not None:
            self.before_reading()
        return self.data

    def __getitem__(self, name: str) -> ArtifactKind:
        return self._read()[name]

    def __contains__(self, name: object) -> bool:
        return name in self._read()

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


_OWN: dict[str, ArtifactKind] = {
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
        is_format=False,
    ),
    "split": ArtifactKind(
        name="split",
        title="Split",
        links={
            f"{CORPUS}.split.parquet": "split.parquet",
            f"{CORPUS}.split.manifest.json": MANIFEST,
        },
        expected=False,
        is_format=False,
    ),
}
KINDS = Kinds(_OWN)

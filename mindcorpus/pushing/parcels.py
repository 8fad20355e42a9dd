"""What is sent: the files that an artifact's manifest names, each as it says, and the manifest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mindcorpus.errors import ArtifactError, CorruptArtifactError, SettingsError
from mindcorpus.progress import Cancellation, Reporter, checking
from mindcorpus.pushing.licence_gate import refuse_what_is_not_to_be_public
from mindcorpus.remedies import Merge, Prepare, Remake
from mindcorpus.storage.files import hash_file
from mindcorpus.storage.kinds import CARD, CROISSANT, KINDS, MANIFEST
from mindcorpus.storage.manifest import read_manifest
from mindcorpus.storage.status import OUTDATED, base_of
from mindcorpus.storage.store import Store


@dataclass(frozen=True)
class ParcelFile:
    """A file of a parcel."""

    path: str
    """Within the artifact, and where it is sent to."""
    file: Path
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Parcel:
    """An artifact that was checked; its files stay until the push is over."""

    kind: str
    build: str
    manifest: Mapping[str, Any]
    files: tuple[ParcelFile, ...]
    """The manifest is the last of them."""

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(file.bytes for file in self.files)


@contextmanager
def packed(
    store: Store, kind: str, report: Reporter, cancel: Cancellation, *, public: bool
) -> Iterator[Parcel]:
    """Check the current artifact of a kind, every byte of it, and keep it until the block ends.

    Raises `SettingsError` for a kind that is none, `NoCorpusError`, `ArtifactError` for an export
    of another corpus, or one of an earlier release, `CorruptArtifactError`, and `LicenceError` for
    what is to be `public` and may not.
    """
    known = [name for name, each in KINDS.items() if name == "corpus" or each.is_format]
    if kind not in known:
        raise SettingsError(
            f"there is no {kind!r}", field="format", hint=f"There are {', '.join(known)}."
        )
    with store.reading(kind) as folder:
        manifest = read_manifest(folder)
        _refuse_outdated(store, kind, manifest)
        names = {output["path"] for output in manifest["outputs"]}
        if not {CARD, CROISSANT} <= names:
            raise ArtifactError(
                f"the {_called(kind)} was made by an earlier release: it has no Croissant",
                remedy=Remake(),
            )
        if public:
            refuse_what_is_not_to_be_public(kind, manifest)
        yield Parcel(kind, folder.name, manifest, _checked(folder, kind, manifest, report, cancel))


def _refuse_outdated(store: Store, kind: str, manifest: Mapping[str, Any]) -> None:
    if kind == "corpus":
        return
    if not store.corpus_exists():
        raise ArtifactError(
            f"there is no corpus any more that the {_called(kind)} belongs to", remedy=Merge()
        )
    if reason := base_of(store).outdated(manifest):
        raise ArtifactError(f"the {_called(kind)} {OUTDATED[reason]}", remedy=Prepare(kind))


def _checked(
    folder: Path,
    kind: str,
    manifest: Mapping[str, Any],
    report: Reporter,
    cancel: Cancellation,
) -> tuple[ParcelFile, ...]:
    total = sum(output["bytes"] for output in manifest["outputs"])
    tick = checking(kind, total, report, cancel)
    files = []
    for output in manifest["outputs"]:
        path = folder / output["path"]
        if not path.is_file() or hash_file(path, tick)[0] != output["sha256"]:
            raise CorruptArtifactError(
                f"{output['path']} is not what the manifest says: nothing was sent",
                file=str(path),
                remedy=Remake(),
            )
        files.append(ParcelFile(output["path"], path, output["bytes"], output["sha256"]))
    digest, size = hash_file(folder / MANIFEST, lambda _rows, _size: None)
    return (*files, ParcelFile(MANIFEST, folder / MANIFEST, size, digest))


def _called(kind: str) -> str:
    return kind if kind == "corpus" else f"{kind} export"

"""What may be downloaded: the files that users know, found in a manifest, opened once.

A path is never put together from what a client sent: it is looked up among those that the
manifest of an artifact names. What is open stays what it was, also when it is replaced.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Self

from mindcorpus.errors import CorruptArtifactError
from mindcorpus.remedies import Remake
from mindcorpus.storage.kinds import KINDS, MANIFEST
from mindcorpus.storage.manifest import read_manifest
from mindcorpus.storage.store import Store
from web.errors import ArtifactNotFoundError

_MEDIA_TYPES = {
    ".json": "application/json",
    ".csv": "text/csv",
    ".jsonl": "application/jsonl",
    ".parquet": "application/vnd.apache.parquet",
    # `datasets` writes streams, whatever the name.
    ".arrow": "application/vnd.apache.arrow.stream",
    ".md": "text/markdown",
}
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


@dataclass(frozen=True)
class Download:
    """One file: its path as users know it and within its artifact, and what the manifest says."""

    path: str
    inner: str
    bytes: int
    sha256: str
    rows: int | None

    @property
    def media_type(self) -> str:
        """What the file is, for a `Content-Type`."""
        return _MEDIA_TYPES.get(PurePosixPath(self.path).suffix, "application/octet-stream")


class Artifact:
    """One published artifact as it is now: its files, and its folder, held open."""

    def __init__(self, kind: str, folder: Path) -> None:
        """Open a folder; raises `CorruptArtifactError` if its manifest cannot be read."""
        manifest = read_manifest(folder)
        text = (folder / MANIFEST).read_bytes()
        self.digest = hashlib.sha256(text).hexdigest()
        outputs = [
            *manifest["outputs"],
            {"path": MANIFEST, "bytes": len(text), "sha256": self.digest, "rows": 0},
        ]
        files = [
            Download(path, one["path"], one["bytes"], one["sha256"], one["rows"] or None)
            for one in outputs
            for path in known_as(kind, one["path"])
        ]
        self.files = {file.path: file for file in sorted(files, key=lambda file: file.path)}
        self.folder = folder
        self._opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self._let_go: Callable[[], None] = lambda: None

    def keep_until_closed(self, let_go: Callable[[], None]) -> None:
        """Call something when it is closed: it ends what keeps the folder from being removed."""
        self._let_go = let_go

    def below(self, path: str) -> list[Download]:
        """Give the files of a folder, by path; none if it is no folder."""
        return [file for name, file in self.files.items() if name.startswith(f"{path}/")]

    def open(self, file: Download) -> int:
        """Open a file for reading, following no link; raises `CorruptArtifactError`."""
        *folders, name = file.inner.split("/")
        opened = os.dup(self._opened)
        try:
            for folder in folders:
                inside = os.open(folder, _FOLDER, dir_fd=opened)
                os.close(opened)
                opened = inside
            found = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=opened)
        except OSError as error:
            raise _corrupt(file, "cannot be opened") from error
        finally:
            os.close(opened)
        status = os.fstat(found)
        if not stat.S_ISREG(status.st_mode) or status.st_size != file.bytes:
            os.close(found)
            raise _corrupt(file, "is not of the size its manifest says")
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder; what was opened stays open."""
        os.close(self._opened)
        self._let_go()


def _corrupt(file: Download, what: str) -> CorruptArtifactError:
    return CorruptArtifactError(f"{file.path} {what}", remedy=Remake())


def known_as(kind: str, inner: str) -> Iterator[str]:
    """Give the paths under which users know a file of an artifact; none of a kind unknown here."""
    # A worker may know formats that this process does not.
    links = KINDS[kind].links if kind in KINDS else {}
    for name, target in links.items():
        if inner == target:
            yield name
        elif not target:
            yield f"{name}/{inner}"
        elif inner.startswith(f"{target}/"):
            yield name + inner[len(target) :]


def open_artifact(store: Store, kind: str) -> Artifact:
    """Open the artifact of a kind that is published now; until it is closed, it stays.

    Raises `NoCorpusError` if there is none, and `CorruptArtifactError`.
    """
    with ExitStack() as stack:
        artifact = Artifact(kind, stack.enter_context(store.reading(kind)))
        artifact.keep_until_closed(stack.pop_all().close)
        return artifact


def kind_of(path: str) -> str:
    """Give the kind of artifact that a path is of; raises `ArtifactNotFoundError`."""
    name = path.partition("/")[0]
    for kind in KINDS:
        if name in KINDS[kind].links:
            return kind
    raise not_found()


def not_found() -> ArtifactNotFoundError:
    """Make the error for a path under which there is nothing; it does not repeat the path."""
    return ArtifactNotFoundError(
        "there is no such file", hint="GET /api/ai/data/artifacts lists what there is."
    )

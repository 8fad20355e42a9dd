"""What a job published, and whether that is what is there now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import url_for

from mindcorpus.errors import CorruptArtifactError, NoCorpusError
from mindcorpus.storage.kinds import CARD, CROISSANT, LINEAGE, MANIFEST
from mindcorpus.storage.licences import LICENCES
from mindcorpus.storage.manifest import read_manifest
from mindcorpus.storage.store import Store
from web.files.downloads import known_as
from web.services import services
from workers.jobs.job import Job

_BESIDE = (LINEAGE, CROISSANT, MANIFEST, CARD, LICENCES)


@dataclass(frozen=True)
class Published:
    """The files of a job; those that were replaced since have no address."""

    files: list[dict[str, Any]]

    @property
    def replaced(self) -> bool:
        """Whether any of them was replaced since, or is gone."""
        return any(file["url"] is None for file in self.files)


def published_by(job: Job) -> Published:
    """Give the files that a job published, each with the address it is downloaded from."""
    found, now = [], _Now()
    for file in (job.result or {}).get("artifacts", ()):
        path = next(known_as(file["kind"], file["path"]), None)
        if path is not None:
            there = now.sha256(file["kind"], file["path"]) == file["sha256"]
            url = url_for("api.download", path=path) if there else None
            found.append({**file, "path": path, "url": url})
    # Those of folders last: whoever wants them takes the folder as an archive.
    return Published(sorted(found, key=lambda file: (file["path"].count("/"), beside(file))))


def beside(file: Mapping[str, Any]) -> bool:
    """Whether a file holds no records, but tells of those that others hold."""
    return str(file["path"]).endswith(_BESIDE)


class _Now:
    """What is published now; each manifest is read when it is first asked for."""

    def __init__(self) -> None:
        self._store = Store(services().settings.data_dir)
        self._known: dict[str, dict[str, str]] = {}

    def sha256(self, kind: str, path: str) -> str | None:
        """Give the digest of a file; None if there is none."""
        if kind not in self._known:
            self._known[kind] = self._read(kind)
        return self._known[kind].get(path)

    def _read(self, kind: str) -> dict[str, str]:
        try:
            outputs = read_manifest(self._store.folder(kind))["outputs"]
            return {output["path"]: output["sha256"] for output in outputs}
        except (NoCorpusError, CorruptArtifactError, FileNotFoundError, KeyError):
            return {}

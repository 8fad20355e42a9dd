"""Which job published an artifact, kept beside it: for jobs that several processes try in turn."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mindcorpus.errors import ArtifactError
from mindcorpus.privacy import make_folder, write
from mindcorpus.storage.disk import sync
from mindcorpus.storage.kinds import MANIFEST

_FENCES = 50  # remembered, of the jobs that published last
_OUTCOMES = ".outcomes"


@dataclass(frozen=True)
class Publisher:
    """A job that may be tried by several processes; a later try has a greater fence.

    One that wakes up late cannot publish over a later one, nor one over what it published itself.
    """

    job: str
    fence: int


class Publications:
    """Notes on who published what in one folder of artifacts.

    All but `is_ours` is for who holds the folder's lock; `begin` and `outcome` are for publishers.
    """

    def __init__(self, artifacts: Path, publisher: Publisher | None) -> None:
        self._artifacts = artifacts
        self.publisher = publisher

    def is_ours(self, kind: str, folder: str) -> bool:
        """Whether it was our publisher that published this folder, and nobody since."""
        last = self._last(kind)
        ours = self.publisher is not None and last.get("job") == self.publisher.job
        return ours and last.get("folder") == folder

    def begin(self, kind: str, path: Path) -> None:
        """Note that our publisher's try has begun; `path` is the artifact's, for messages.

        Raises `ArtifactError` if a later try of its job has begun.
        """
        last = self._last(kind)
        self._note(kind, path, last.get("job"), last.get("folder"))

    def publish(self, kind: str, path: Path, folder: str) -> None:
        """Note that our publisher, if there is one, publishes this folder; raises as `begin`."""
        if self.publisher is not None:
            self._note(kind, path, self.publisher.job, folder)

    def _last(self, kind: str) -> dict[str, Any]:
        try:
            last: dict[str, Any] = json.loads((self._artifacts / f".{kind}.publisher").read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return last

    def _note(self, kind: str, path: Path, job: str | None, folder: str | None) -> None:
        """Note by which job a folder is published, and this try among those of its job."""
        assert self.publisher is not None
        ours, fence = self.publisher.job, self.publisher.fence
        fences: dict[str, int] = self._last(kind).get("fences", {})
        # Of its own tries alone: which of two jobs was claimed first says nothing.
        if fences.pop(ours, 0) > fence:
            raise ArtifactError(
                f"a later try makes {path.name} meanwhile", file=str(path), hint="Nothing is to do."
            )
        fences = dict([*fences.items(), (ours, fence)][-_FENCES:])
        note = self._artifacts / f".{kind}.publisher"
        draft = note.with_suffix(".draft")
        write(draft, json.dumps({"job": job, "folder": folder, "fences": fences}).encode())
        sync(draft)
        draft.replace(note)

    # What was published and is replaced since

    def outcome(self, kind: str) -> dict[str, Any] | None:
        """Give the manifest of what our publisher published, where somebody replaced it."""
        assert self.publisher is not None
        try:
            found: dict[str, Any] = json.loads(self._outcome(kind, self.publisher.job).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return found

    def keep_outcome(self, kind: str, old: Path) -> None:
        """Keep the manifest of what is about to be replaced, if it is a job that published it."""
        last = self._last(kind)
        if last.get("job") is None or last.get("folder") != old.name:
            return
        path = self._outcome(kind, last["job"])
        make_folder(path.parent)
        draft = path.with_suffix(".draft")
        with suppress(FileNotFoundError):  # a manifest that somebody removed
            write(draft, (old / MANIFEST).read_bytes())
            sync(draft)
            draft.replace(path)
        kept = sorted(path.parent.glob(f"{kind}-*.json"), key=lambda each: each.stat().st_mtime_ns)
        for oldest in kept[:-_FENCES]:
            oldest.unlink()

    def sweep(self) -> None:
        """Remove what was half kept by a process that was killed."""
        for draft in (self._artifacts / _OUTCOMES).glob("*.draft"):
            draft.unlink()

    def _outcome(self, kind: str, job: str) -> Path:
        return self._artifacts / _OUTCOMES / f"{kind}-{job}.json"

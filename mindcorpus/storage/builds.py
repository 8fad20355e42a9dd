"""Builds: the folders in which artifacts were published, the current one of a kind and those kept.

A build that was replaced is kept by a symbolic link of its own, `.kept.<build>`, whose time tells
since when. Whatever sweeps artifacts leaves alone what any link beside them points to.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mindcorpus.errors import CorruptArtifactError, NoBuildError
from mindcorpus.storage.kinds import KINDS, MANIFEST
from mindcorpus.storage.manifest import read_manifest

_NAME = re.compile(r"([a-z0-9_-]+)-([0-9a-f]{16})(-[0-9a-f]{8})?")
_KEPT = ".kept."


def kind_of_build(name: str) -> str | None:
    """Give the kind of artifact of which a folder of this name may be a build; None: of none."""
    found = _NAME.fullmatch(name)
    return found[1] if found is not None and found[1] in KINDS else None


def _content(name: str) -> str:
    """Give what is the same of two builds with the same content."""
    found = _NAME.fullmatch(name)
    return found[2] if found is not None else name


@dataclass(frozen=True)
class KeptBuild:
    """A build that was replaced and can be brought back."""

    id: str
    kind: str
    folder: Path
    replaced: float
    """When it was, in seconds since 1970."""

    def as_dict(self) -> dict[str, Any]:
        """Tell of it as JSON values; a damaged one has no rows and bytes."""
        told: dict[str, Any] = {"build": self.id, "rows": None, "bytes": None, "built": None}
        try:
            manifest = read_manifest(self.folder)
            built = (self.folder / MANIFEST).stat().st_mtime
        except (CorruptArtifactError, FileNotFoundError):
            pass
        else:
            told |= {"rows": manifest["rows"], "bytes": size_told(manifest), "built": moment(built)}
        return {**told, "replaced": moment(self.replaced)}


def size_told(manifest: dict[str, Any]) -> int:
    """Add up the bytes that a manifest tells of."""
    return sum(output["bytes"] for output in manifest["outputs"])


def moment(seconds: float) -> str:
    """Give a time of a file as text."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


class Builds:
    """The builds in one folder of artifacts; what changes them is for who holds its lock."""

    def __init__(self, artifacts: Path) -> None:
        self._artifacts = artifacts

    def current(self, kind: str) -> str | None:
        """Give the current build of a kind; None if there is none."""
        link = self._artifacts / kind
        return os.readlink(link) if link.is_symlink() else None

    def kept(self, kind: str) -> list[KeptBuild]:
        """Give the builds of a kind that were replaced and are kept, the last one first."""
        found = []
        current = self.current(kind)
        for link in self._artifacts.glob(f"{_KEPT}{kind}-*"):
            name = link.name.removeprefix(_KEPT)
            folder = self._artifacts / name
            if kind_of_build(name) == kind and name != current and folder.is_dir():
                try:
                    since = link.lstat().st_mtime_ns
                except FileNotFoundError:  # given up just now
                    continue
                found.append((since, KeptBuild(name, kind, folder, since / 1e9)))
        return [build for _, build in sorted(found, key=lambda each: each[0], reverse=True)]

    def stays(self, name: str) -> bool:
        """Whether a build is the current one of its kind, or kept."""
        kind = kind_of_build(name)
        current = kind is not None and name == self.current(kind)
        return current or (self._artifacts / f"{_KEPT}{name}").is_symlink()

    def find(self, kind: str, build: str | None) -> KeptBuild:
        """Give a kept build by its name, by default the last that was replaced.

        Raises `NoBuildError`.
        """
        kept = self.kept(kind)
        for each in kept:
            if build in (None, each.id):
                return each
        names = ", ".join(each.id for each in kept)
        none = "MINDCORPUS_KEEP_BUILDS says how many are kept when they are replaced."
        hint = f"Kept are: {names}." if names else none
        if build is None:
            raise NoBuildError(f"no earlier build of {kind} is kept", hint=hint)
        raise NoBuildError(f"no build of {kind} is kept under that name", hint=hint)

    def keep(self, name: str) -> None:
        """Keep the current build, which is about to be replaced."""
        link = self._artifacts / f"{_KEPT}{name}"
        link.unlink(missing_ok=True)  # its time is when it was replaced, not when first
        link.symlink_to(name)

    def give_up(self, name: str) -> None:
        """Keep a build no more: it goes with the next sweep, unless it is the current one."""
        (self._artifacts / f"{_KEPT}{name}").unlink(missing_ok=True)

    def surplus(self, kind: str, count: int) -> list[KeptBuild]:
        """Give what is kept beyond so many, and what the current build holds as well."""
        current = self.current(kind)
        kept = self.kept(kind)
        same = [each for each in kept if current and _content(each.id) == _content(current)]
        others = [each for each in kept if each not in same]
        return [*others[count:], *same]

    def clear_links(self) -> None:
        """Remove links that keep nothing: left by who was killed, or of a folder that is gone."""
        current = {self.current(kind) for kind in KINDS}
        for link in self._artifacts.glob(f"{_KEPT}*"):
            name = link.name.removeprefix(_KEPT)
            if link.is_symlink() and (name in current or not (self._artifacts / name).is_dir()):
                link.unlink()

    def unwanted(self, held: frozenset[str]) -> list[Path]:
        """Give the folders that no link points to and nobody uses.

        Only what has a name of our making: a folder called `artifacts` may hold other things too.
        """
        linked = {os.readlink(link) for link in self._artifacts.iterdir() if link.is_symlink()}
        return [
            folder
            for folder in self._artifacts.iterdir()
            if kind_of_build(folder.name)
            and not folder.is_symlink()
            and folder.name not in linked | held
        ]

"""The manifest: what an artifact is, from what it was made and how to prove it; and the proof.

Written last, so that an artifact with a manifest is a whole one. It holds no time of day and no
path of the machine: the same inputs give the same manifest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mindcorpus.errors import CorruptArtifactError
from mindcorpus.remedies import Remake
from mindcorpus.storage.files import HashedFile, Written, hash_file
from mindcorpus.storage.kinds import MANIFEST
from mindcorpus.storage.row_counts import is_accounted_for, left_out

SCHEMA_VERSION = 1


def write_text(path: Path, text: str) -> Written:
    """Write a small file of an artifact."""
    with HashedFile(path) as file:
        file.write(text.encode())
    return file.written


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write an artifact's manifest into its folder."""
    write_text(folder / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read an artifact's manifest; raises `CorruptArtifactError` if it is not one."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text("utf-8"))
        version = manifest["schema_version"]
    except (OSError, ValueError, KeyError, TypeError):
        raise CorruptArtifactError(
            "the manifest cannot be read", file=str(path), remedy=Remake()
        ) from None
    if version != SCHEMA_VERSION:
        raise CorruptArtifactError(
            f"the manifest has schema version {version}, this mindcorpus reads {SCHEMA_VERSION}",
            file=str(path),
            hint="Use the mindcorpus that wrote it, or",
            remedy=Remake(),
        )
    assert isinstance(manifest, dict)
    return manifest


def sections_of(manifest: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Give the records of each kind that an artifact holds: its sections, or itself.

    An artifact of an earlier release tells of no sections.
    """
    found: Sequence[Mapping[str, Any]] = manifest.get("sections") or [manifest]
    return found


def describe(outputs: Iterable[Written], folder: Path) -> list[dict[str, Any]]:
    """Give the manifest's entries of the files in an artifact's folder."""
    return [
        {
            "path": output.path.relative_to(folder).as_posix(),
            "bytes": output.bytes,
            "sha256": output.sha256,
            "rows": output.rows,
        }
        for output in outputs
    ]


def amounts_of(manifests: Iterable[Mapping[str, Any]]) -> tuple[int, int]:
    """Give the rows that artifacts of the same rows hold, and the bytes of all their files."""
    rows = size = 0
    for manifest in manifests:
        held = manifest["rows"] if "rows" in manifest else manifest["statistics"]["records"]
        rows = max(rows, held)
        size += sum(output["bytes"] for output in manifest["outputs"])
    return rows, size


def require_files(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Raise `CorruptArtifactError` unless all files of an artifact are there, each of its size.

    That costs nothing; `find_damage` reads them.
    """
    for output in manifest["outputs"]:
        path = folder / output["path"]
        if not path.is_file() or path.stat().st_size != output["bytes"]:
            raise CorruptArtifactError(
                f"{output['path']} is not there, or not of the size its manifest says",
                file=str(path),
                remedy=Remake(),
            )


def find_damage(folder: Path, tick: Callable[[int, int], None]) -> list[dict[str, str]]:
    """Recompute an artifact's checksums and sums; give what is wrong as {path, problem}."""
    manifest = read_manifest(folder)
    problems: list[dict[str, str]] = []
    named = {MANIFEST}
    for output in manifest["outputs"]:
        path = folder / output["path"]
        named.add(output["path"])
        if not path.is_file():
            problems.append({"path": output["path"], "problem": "is missing"})
        elif (size := path.stat().st_size) != output["bytes"]:
            problem = f"has {size} bytes, the manifest says {output['bytes']}"
            problems.append({"path": output["path"], "problem": problem})
        elif hash_file(path, tick)[0] != output["sha256"]:
            problems.append(
                {"path": output["path"], "problem": "has other bytes than the manifest says"}
            )
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in named:
            problems.append({"path": name, "problem": "is not in the manifest"})
    for source in manifest["sources"]:
        if not is_accounted_for(source):
            counted = source["kept"] + sum(each.rows for each in left_out(source))
            problem = f"{source['name']}: {source['read']} rows read, {counted} accounted for"
            problems.append({"path": MANIFEST, "problem": problem})
    return problems

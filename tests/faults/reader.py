"""A reader that watches all the while: whatever it opens by the known paths must be whole.

As a process, `python reader.py DATA_DIR`, it prints what it found torn, a line each, and a full
stop for each round of looks.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from pathlib import Path

from mindcorpus.storage.kinds import KINDS, MANIFEST

Seen = dict[Path, tuple[int, int, int]]


def look(data_dir: Path, seen: Seen | None = None) -> list[str]:
    """Give what is torn among the artifacts that are published just now.

    A file that did not change since it was `seen` is not read again.
    """
    torn = []
    for kind, known in KINDS.items():
        for name in known.links:
            torn += _look_at(kind, data_dir, name, {} if seen is None else seen)
    return torn


def _look_at(kind: str, data_dir: Path, name: str, seen: Seen) -> list[str]:
    """Compare what lies behind a known path with the manifest beside it."""
    try:
        target = (data_dir / name).resolve(strict=True)
    except FileNotFoundError:
        # Not published yet. A link to nowhere is only seen where a folder is being replaced.
        return []
    home = data_dir.resolve() / "artifacts"
    if not target.is_relative_to(home):
        return []  # moved out of sight while it was looked for
    folder = home / target.relative_to(home).parts[0]
    try:
        described = json.loads((folder / MANIFEST).read_bytes())["outputs"]
        outputs = {folder / output["path"]: output["sha256"] for output in described}
    except (OSError, ValueError) as error:
        return _unless_gone(folder, f"{kind}: its manifest cannot be read: {type(error).__name__}")
    found = []
    for file, sha256 in outputs.items():
        if target != file and target not in file.parents:
            continue
        try:
            with file.open("rb") as opened:
                status = os.fstat(opened.fileno())
                version = (status.st_ino, status.st_mtime_ns, status.st_size)
                if seen.get(file) == version:
                    continue
                if hashlib.file_digest(opened, "sha256").hexdigest() == sha256:
                    seen[file] = version
                else:
                    found += _unless_gone(folder, f"{kind}: {file.name} is not what was made")
        except OSError as error:
            found += _unless_gone(folder, f"{kind}: {file.name}: {type(error).__name__}")
    return found


def _unless_gone(folder: Path, problem: str) -> list[str]:
    """Excuse what was replaced while it was read: a whole one has taken its place."""
    return [problem] if folder.exists() else []


def main() -> None:
    """Watch until killed."""
    os.nice(5)
    data_dir, seen = Path(sys.argv[1]), Seen()
    while True:
        for problem in look(data_dir, seen):
            sys.stdout.write(f"{problem}\n")
        sys.stdout.write(".\n")
        sys.stdout.flush()
        time.sleep(0.02)


if __name__ == "__main__":
    main()

"""The code that workers run, with one change: a moment made longer, or a safeguard taken out."""

from __future__ import annotations

import shutil
from pathlib import Path

from cluster import ROOT


def mutated(folder: Path, file: str, code: str, instead: str) -> Path:
    """Copy the code into a folder with one change; gives the folder, for `Cluster(code=…)`."""
    for package in ("mindcorpus", "workers"):
        shutil.copytree(
            ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    path = folder / file
    text = path.read_text()
    assert text.count(code) == 1, f"{file} has changed: the mutant does not apply"
    path.write_text(text.replace(code, instead))
    return folder

"""mindcorpus through its Python API, merge and both formats: `python -m bench.mindcorpus_job`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench import ours
from mindcorpus.sources.catalog import load_catalog


def source_folders(corpus: Path) -> dict[str, Path]:
    """Give the folder in a generated corpus of each source of the catalogue, by its name."""
    return {
        source.name: corpus / (source.path or f"datasets/{source.repository}")
        for source in load_catalog()
    }


def fields(corpus: Path, out: Path) -> dict[str, Any]:
    """Give what is asked of a merge."""
    del out
    paths = {name: str(folder) for name, folder in source_folders(corpus).items()}
    # Whole sessions, as the other contestants write them: 8,000 characters would be a quarter.
    return {"paths": paths, "options": {"Psych-101.max_chars": "0"}}


if __name__ == "__main__":
    ours.main("bench.mindcorpus_job", __doc__, fields)

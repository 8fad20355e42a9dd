"""mindcorpus through its Python API, merge and both formats: `python -m bench.mindcorpus_job`."""

from __future__ import annotations

import argparse
from pathlib import Path

from mindcorpus import merge_all_datasets, prepare_all_formats
from mindcorpus.sources.catalog import load_catalog


def source_folders(corpus: Path) -> dict[str, Path]:
    """Give the folder in a generated corpus of each source of the catalogue, by its name."""
    return {
        source.name: corpus / (source.path or f"datasets/{source.repository}")
        for source in load_catalog()
    }


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(prog="python -m bench.mindcorpus_job", description=__doc__)
    parser.add_argument("corpus", type=Path, metavar="IN")
    parser.add_argument("out", type=Path, metavar="OUT")
    given = parser.parse_args()
    # Whole sessions, as the other contestants write them: 8,000 characters would be a quarter.
    options = {"Psych-101.max_chars": "0"}
    merge_all_datasets(
        data_dir=given.out, paths=source_folders(given.corpus), options=options, force=True
    )
    prepare_all_formats(data_dir=given.out, force=True)


if __name__ == "__main__":
    main()

"""mindcorpus through its Python API, merge and both formats: `python -m bench.mindcorpus_job`."""

from __future__ import annotations

from pathlib import Path

from bench.contestant import in_and_out
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
    corpus, out = in_and_out("bench.mindcorpus_job", __doc__)
    # Whole sessions, as the other contestants write them: 8,000 characters would be a quarter.
    options = {"Psych-101.max_chars": "0"}
    merge_all_datasets(data_dir=out, paths=source_folders(corpus), options=options, force=True)
    prepare_all_formats(data_dir=out, force=True)


if __name__ == "__main__":
    main()

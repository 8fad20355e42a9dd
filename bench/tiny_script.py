"""The pandas script one would write today for tiny rows: `python -m bench.tiny_script IN OUT`."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from bench.pandas_script import as_record, prepare_huggingface, prepare_openai, save
from bench.tiny import FILE


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(prog="python -m bench.tiny_script", description=__doc__)
    parser.add_argument("corpus", type=Path, metavar="IN")
    parser.add_argument("out", type=Path, metavar="OUT")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    frame = pd.read_json(given.corpus / FILE, lines=True)
    frame = frame.rename(columns={"q": "input", "a": "response"})
    merged = save(as_record(frame, "Tiny", "counseling", []), given.out)
    prepare_openai(merged, given.out)
    prepare_huggingface(merged, given.out)


if __name__ == "__main__":
    main()

"""Decompressing alone: the limit of compressed input. `python -m bench.unpack IN OUT`."""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

_PIECE = 1024 * 1024


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(prog="python -m bench.unpack", description=__doc__)
    parser.add_argument("corpus", type=Path, metavar="IN")
    parser.add_argument("out", type=Path, metavar="OUT")
    given = parser.parse_args()
    for path in sorted(given.corpus.glob("*.gz")):
        with gzip.open(path) as packed, (given.out / path.stem).open("wb") as file:
            while piece := packed.read(_PIECE):
                file.write(piece)


if __name__ == "__main__":
    main()

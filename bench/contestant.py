"""How every contestant is called: with the folder of a corpus, and one for what it writes."""

from __future__ import annotations

import argparse
from pathlib import Path


def arguments(program: str, description: str | None) -> argparse.ArgumentParser:
    """Give a parser of the two folders, `corpus` and `out`."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    parser.add_argument("corpus", type=Path, metavar="IN")
    parser.add_argument("out", type=Path, metavar="OUT")
    return parser


def in_and_out(program: str, description: str | None) -> tuple[Path, Path]:
    """Read the two folders from the command line; the second is made."""
    given = arguments(program, description).parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    return given.corpus, given.out

"""`python -m bench.service [--only A,B] [--seconds N] [--size 200MB] [--jobs N] [--json FILE]`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from bench.generate import parse_size
from bench.service.api import RefusedError
from bench.service.plan import SECTIONS, Plan, prepare
from bench.service.report import markdown
from bench.service.run import play
from bench.service.stack import ROOT, StackError

_DATA = ROOT / "bench" / "data"


def _sections(text: str) -> tuple[str, ...]:
    chosen = text.split(",")
    if unknown := [name for name in chosen if name not in SECTIONS]:
        raise argparse.ArgumentTypeError(f"no section {unknown[0]!r}: {', '.join(SECTIONS)}")
    return tuple(chosen)


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(prog="python -m bench.service", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each load, 20 by default")
    parser.add_argument("--size", default="200MB", metavar="200MB", help="1MB to 10GB")
    parser.add_argument(
        "--only", type=_sections, default=SECTIONS, metavar="A,B", help=", ".join(SECTIONS)
    )
    parser.add_argument("--jobs", type=int, default=2_000, help="of `memory`, 2000 by default")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where all figures go, too")
    given = parser.parse_args()
    try:
        size = parse_size(given.size)
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))
    if given.seconds <= 0:
        parser.error("--seconds must be more than 0")
    if given.jobs < 10:
        parser.error("--jobs must be 10 or more")
    plan = Plan(
        _DATA / given.size, _DATA / "service", given.seconds, jobs=given.jobs, only=given.only
    )
    try:
        prepare(plan, size)
        results = play(plan)
    except (StackError, RefusedError) as error:
        parser.exit(1, f"{error}\n")
    print(f"{markdown(results)}\n\n{given.size}, {given.seconds:g} s each. {results.machine}")
    if given.json is not None:
        written = {"size": given.size, **asdict(results)}
        given.json.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

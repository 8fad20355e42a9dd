"""What the jobs of mindcorpus share: merge and both formats, apart or built in one go."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.contestant import arguments
from mindcorpus import MergeRequest, PrepareRequest, Settings, build, merge, prepare


def main(
    program: str, description: str | None, fields: Callable[[Path, Path], dict[str, Any]]
) -> None:
    """Run as a program; `fields` gives those of the merge for the folders IN and OUT."""
    parser = arguments(program, description)
    parser.add_argument("--build", action="store_true", help="Build both in one go.")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    corpus = MergeRequest.of(**fields(given.corpus, given.out), force=True)
    formats, settings = PrepareRequest.of(force=True), Settings.load(data_dir=given.out)
    if given.build:
        build(corpus, formats, settings)
    else:
        merge(corpus, settings)
        prepare(formats, settings)

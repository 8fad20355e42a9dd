"""The long runs, one after the other: `make soak`. Each has a slice of its own in `make test`.

How long they are is said by `MINDCORPUS_SOAK_…`, which the tests themselves read. What each gave
is told again at the end; the exit code is 1 if one failed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]


class Run(NamedTuple):
    """One long run: what pytest is to run, and how the line begins that tells what it gave."""

    name: str
    tests: str
    told: str


RUNS = (
    Run("jobs under faults at random", "tests/faults/test_soak.py::test_soak", "soak: "),
    Run("broken files and bombs", "tests/library/test_broken_files.py", "broken files: "),
    Run("requests at random, over HTTP", "tests/faults/test_fuzz.py", "fuzz: "),
    Run("the API against its document", "tests/service/test_schemathesis.py", "schemathesis: "),
)


def play(run: Run) -> tuple[bool, list[str]]:
    """Do one run, showing what it prints; gives whether it passed, and what tells of it."""
    _say(f"--- {run.name}\n")
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", "--quiet", "--tb=short", "-n0", run.tests]
    told: list[str] = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            _say(line)
            if line.startswith(run.told):
                told.append(line.rstrip())
    passed = running.returncode == 0
    how = "passed" if passed else "FAILED"
    return passed, [f"{run.name}: {how}, {time.monotonic() - began:.0f} s", *told]


def main() -> int:
    """Do all runs, also where one fails; gives the exit code."""
    results = [play(run) for run in RUNS]
    _say("---\n")
    for _, lines in results:
        _say("\n  ".join(lines) + "\n")
    return 0 if all(passed for passed, _ in results) else 1


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

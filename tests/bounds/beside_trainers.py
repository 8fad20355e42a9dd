"""Which version of each trainer a resolver gives beside mindcorpus: `python tests/bounds/…`.

Where it is an older one than without mindcorpus, our bounds are in a trainer's way: exit code 1.
Nothing is installed; uv asks the package index.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
#: What is asked for, and the oldest Python that all of its last version runs with.
TRAINERS = {
    "llamafactory": "3.11",
    "ms-swift": "3.11",
    "unsloth": "3.11",
    "trl": "3.11",
    "axolotl": "3.12",
}
OURS = ("datasets", "huggingface-hub", "pandas", "pyarrow", "numpy")


class Beside(NamedTuple):
    """A trainer: its version without and with mindcorpus, and what both then share."""

    trainer: str
    python: str
    alone: str
    beside: str
    shared: tuple[str, ...]


def resolved(wanted: Sequence[str], python: str, *files: Path) -> dict[str, str]:
    """Give the version of everything that a resolver chooses for what is wanted."""
    done = subprocess.run(
        [
            *(str(UV), "pip", "compile", "--quiet", "--no-config", "--no-header", "--no-annotate"),
            *("--python-version", python, "-", *map(str, files)),
        ],
        input="\n".join(wanted),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        _say(done.stderr)
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", done.stdout, re.MULTILINE))


def beside(trainer: str, python: str) -> Beside:
    """Ask for a trainer without a version, once without and once with mindcorpus."""
    alone = resolved([trainer], python)
    both = resolved([trainer], python, ROOT / "pyproject.toml")
    shared = tuple(both.get(name, "-") for name in OURS)
    return Beside(trainer, python, alone.get(trainer, "-"), both.get(trainer, "-"), shared)


def main() -> None:
    """Print the table, as it stands in docs/installing.md."""
    found = [beside(trainer, python) for trainer, python in TRAINERS.items()]
    heads = ("trainer", "Python", "alone", "beside mindcorpus", *OURS)
    _say(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}\n")
    for each in found:
        _say(f"| {' | '.join((*each[:4], *each.shared))} |\n")
    sys.exit(any(each.beside != each.alone or each.beside == "-" for each in found))


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    main()

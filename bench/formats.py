"""Several formats in one prepare: five against two, in turn, on one corpus that is merged before.

`python -m bench.formats --size 200MB --rounds 3`; with `--make` and `--out` it is a contestant.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

from bench.generate import generate, parse_size
from bench.measure import Measured, RunFailedError, run
from bench.mindcorpus_job import source_folders
from bench.report import machine, ratio, table
from mindcorpus import merge_all_datasets, prepare_for

_ROOT = Path(__file__).parent.parent
_DATA = _ROOT / "bench" / "data"
#: Formats of lines that others share, of lines of their own, and of no lines at all.
CONTESTANTS: Mapping[str, tuple[str, ...]] = {
    "five": ("openai", "huggingface", "chat", "trl-dpo", "llama-factory"),
    "two": ("openai", "huggingface"),
}


def merged(size: str) -> Path:
    """Make a corpus of a size and merge it, once; give the data folder."""
    corpus, data = _DATA / size, _DATA / f"formats-{size}"
    if not corpus.exists():
        _DATA.mkdir(exist_ok=True)
        generate(corpus, parse_size(size))
    options = {"Psych-101.max_chars": "0"}
    merge_all_datasets(data_dir=data, paths=source_folders(corpus), options=options, force=True)
    return data


def play(data: Path, rounds: int) -> tuple[dict[str, list[Measured]], dict[str, Measured]]:
    """Run both in turn; gives the timed runs, and those that were looked at for their memory.

    Round 0 looks and is not timed. It decides the split as well, which all others find.
    """
    runs: dict[str, list[Measured]] = {name: [] for name in CONTESTANTS}
    memory: dict[str, Measured] = {}
    for number in range(rounds + 1):
        names = list(CONTESTANTS)
        for name in names if number % 2 else reversed(names):
            # Nobody pays for what another left to be written.
            os.sync()
            command = [sys.executable, "-m", "bench.formats", "--out", str(data), "--make"]
            measured = run([*command, *CONTESTANTS[name]], _ROOT, look=number == 0)
            if number == 0:
                memory[name] = measured
            else:
                runs[name].append(measured)
            print(f"round {number}: {name} {measured.wall:.2f} s", file=sys.stderr)
    return runs, memory


def markdown(
    size: str, runs: Mapping[str, Sequence[Measured]], memory: Mapping[str, Measured]
) -> str:
    """Give the table: medians with least and most, and the ratios of five formats to two."""
    lines = table(f"{size}: five formats in one prepare, and two", runs, memory)
    cpu = median(one.cpu / other.cpu for one, other in zip(runs["five"], runs["two"], strict=True))
    peaks = memory["five"].peak / memory["two"].peak
    lines.append(f"| five / two | {ratio(runs, 'five', 'two'):.3f} | | {cpu:.3f} | {peaks:.3f} | |")
    return "\n".join(lines)


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(prog="python -m bench.formats", description=__doc__)
    parser.add_argument("--size", metavar="200MB", default="200MB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--make", nargs="+", metavar="FORMAT", help="prepare these, and no more")
    parser.add_argument("--out", type=Path, help="the data folder that they are made in")
    given = parser.parse_args()
    if given.make:
        prepare_for(given.make, given.out, force=True)
        return
    try:
        data = merged(given.size)
        runs, memory = play(data, given.rounds)
    except RunFailedError as error:
        parser.exit(1, f"{error}\n")
    finally:
        shutil.rmtree(_DATA / f"formats-{given.size}", ignore_errors=True)
    print(f"{markdown(given.size, runs, memory)}\n\n{machine()}")
    told = {name: [asdict(each) for each in measured] for name, measured in runs.items()}
    memory_told = {name: asdict(each) for name, each in memory.items()}
    path = _DATA / f"results-formats-{given.size}.json"
    path.write_text(json.dumps({"runs": told, "memory": memory_told}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()

"""The paired runner: all contestants in turn, on one corpus, in one run, and their ratios.

`python -m bench.run --size 20MB --rounds 3 [--corpus tiny] [--only mindcorpus pandas copy]`
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from bench import chats, tiny
from bench.agreement import differences, read_pairs
from bench.generate import generate, parse_size
from bench.measure import Measured, RunFailedError, run
from bench.plain_copy import sizes
from bench.report import machine, markdown

_ROOT = Path(__file__).parent.parent
_DATA = _ROOT / "bench" / "data"


@dataclass(frozen=True)
class Corpus:
    """What is merged: how it is made, and the module of each contestant on it."""

    generate: Callable[[Path, int], int]
    modules: Mapping[str, str]


def _ours(module: str) -> dict[str, str]:
    """Give the contestants of one of our jobs: merge and then prepare, and build."""
    return {"mindcorpus": module, "build": module}


_CHATS = {**_ours("chat_job"), "datasets": "chat_script"}
CORPORA: Mapping[str, Corpus] = {
    "sources": Corpus(
        generate, {**_ours("mindcorpus_job"), "pandas": "pandas_script", "copy": "plain_copy"}
    ),
    "tiny": Corpus(
        tiny.generate, {**_ours("tiny_job"), "pandas": "tiny_script", "copy": "plain_copy"}
    ),
    "chats": Corpus(chats.generate, {**_CHATS, "copy": "plain_copy"}),
    "chats.gz": Corpus(chats.generate_compressed, {**_CHATS, "unpack": "unpack"}),
}
CONTESTANTS = tuple(dict.fromkeys(name for each in CORPORA.values() for name in each.modules))
#: The scripts whose results are compared with those of mindcorpus.
_SCRIPTS = ("pandas", "datasets")
# The script's peak at 200 MB was 12 times the corpus.
_PANDAS_MEMORY = 16
# The outputs of one contestant, and the corpus, were 6 times the corpus at most.
_DISK = 8
_LARGEST_COMPARED = 200_000_000


class BenchError(Exception):
    """The bench cannot go on; the message says why."""


def _without_pandas_if_it_does_not_fit(chosen: list[str], size: int) -> list[str]:
    needed, free = _PANDAS_MEMORY * size, psutil.virtual_memory().available
    if "pandas" in chosen and needed > free:
        print(
            f"pandas is left out: it needs up to {_PANDAS_MEMORY} times the corpus in memory,"
            f" {needed / 1e9:.0f} GB; {free / 1e9:.0f} GB are free."
        )
        return [name for name in chosen if name != "pandas"]
    return chosen


class Bench:
    """One corpus and the runs on it."""

    def __init__(self, corpus: str, name: str, size: int) -> None:
        self._of = CORPORA[corpus]
        self._size = size
        name = name if corpus == "sources" else f"{corpus}-{name}"
        self._corpus = _DATA / name
        self._out = _DATA / f"out-{name}"
        self._like = _DATA / f"like-{name}"
        self.results: dict[str, list[Measured]] = {}
        self.memory: dict[str, Measured] = {}
        self.agreement = "not compared"
        """Whether mindcorpus and the script made the same records, or how they differ."""

    def clean_up(self) -> None:
        """Delete the last contestant's outputs."""
        shutil.rmtree(self._out, ignore_errors=True)

    def prepare(self) -> None:
        """Make the corpus if there is none, and read it once: no contestant finds a cold cache."""
        _DATA.mkdir(exist_ok=True)
        if not self._corpus.exists():
            self._of.generate(self._corpus, self._size)
        if shutil.disk_usage(_DATA).free < _DISK * self._size:
            raise BenchError(f"{_DISK * self._size / 1e9:.1f} GB of disk are needed")
        for name in sizes(self._corpus):
            with (self._corpus / name).open("rb") as file:
                while file.read(1 << 20):
                    pass

    def play(self, rounds: int, chosen: list[str]) -> None:
        """Run the contestants alternately; who begins moves on with each round.

        Round 0 looks at memory and is not timed: looking holds a run up.
        """
        pairs = {}
        for number in range(rounds + 1):
            first = number % len(chosen)
            for name in (*chosen[first:], *chosen[:first]):
                measured = self._run(name, look=number == 0)
                if number == 0:
                    self.memory[name] = measured
                    shown = f"{measured.peak / 1e6:.0f} MB"
                else:
                    self.results.setdefault(name, []).append(measured)
                    shown = f"{measured.wall:.2f} s"
                print(f"round {number}: {name} {shown}", file=sys.stderr)
                if name == "mindcorpus" and number == 0:
                    self._remember_sizes()
                compared = name in ("mindcorpus", *_SCRIPTS)
                if compared and number == 0 and self._size <= _LARGEST_COMPARED:
                    pairs[name] = read_pairs(self._out)
        if len(pairs) == 2:
            wrong = differences(*pairs.values())
            self.agreement = wrong or f"agree: {pairs['mindcorpus'].rows:,} records"

    @property
    def disagrees(self) -> bool:
        """Whether the results of mindcorpus and the script were compared and differ."""
        return not self.agreement.startswith(("agree", "not"))

    def _run(self, name: str, *, look: bool) -> Measured:
        self.clean_up()
        self._out.mkdir()
        # Nobody pays for what another left to be written.
        os.sync()
        module = f"bench.{self._of.modules[name]}"
        command = [sys.executable, "-m", module, str(self._corpus), str(self._out)]
        if name == "build":
            command.append("--build")
        if name == "copy":
            if not self._like.exists():
                raise BenchError("the copy needs a run of mindcorpus of this size before it")
            command += ["--like", str(self._like)]
        return run(command, _ROOT, look=look)

    def _remember_sizes(self) -> None:
        """Keep what mindcorpus wrote as empty files of the same sizes."""
        shutil.rmtree(self._like, ignore_errors=True)
        for name, size in sizes(self._out).items():
            path = self._like / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            os.truncate(path, size)

    def bytes(self) -> dict[str, int]:
        """Give the bytes that were read and those that mindcorpus wrote."""
        return {
            "read": sum(sizes(self._corpus).values()),
            "written": sum(sizes(self._like).values()),
        }


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("--size", required=True, metavar="20MB", help="1MB to 10GB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--corpus", choices=list(CORPORA), default="sources")
    parser.add_argument("--only", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    given = parser.parse_args()
    try:
        size = parse_size(given.size)
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))
    chosen = [name for name in CORPORA[given.corpus].modules if name in given.only]
    chosen = _without_pandas_if_it_does_not_fit(chosen, size)
    if not chosen or given.rounds < 1:
        parser.error("nothing is left to run")
    bench = Bench(given.corpus, given.size, size)
    try:
        bench.prepare()
        bench.play(given.rounds, chosen)
    except (BenchError, RunFailedError) as error:
        parser.exit(1, f"{error}\n")
    finally:
        bench.clean_up()
    print(markdown(given.size, bench.bytes(), bench.results, bench.memory))
    print(f"\nMerged records of mindcorpus and the script: {bench.agreement}.\n\n{machine()}")
    written = {
        "size": given.size,
        "bytes": bench.bytes(),
        "machine": machine(),
        "agreement": bench.agreement,
        "memory": {name: asdict(run) for name, run in bench.memory.items()},
        "runs": {name: [asdict(run) for run in runs] for name, runs in bench.results.items()},
    }
    of = "" if given.corpus == "sources" else f"{given.corpus}-"
    path = _DATA / f"results-{of}{given.size}.json"
    path.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    if bench.disagrees:
        parser.exit(1)


if __name__ == "__main__":
    main()

"""A synthetic corpus in the seven sources' own layouts, deterministic by size and seed."""

from __future__ import annotations

import argparse
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from bench import sources
from bench.sessions import sessions

_PIECE = 1024 * 1024
_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9}
_FEWEST, _MOST = 10**6, 10**10


def parse_size(text: str) -> int:
    """Give the bytes of a size such as 20MB, or raise `argparse.ArgumentTypeError`."""
    found = re.fullmatch(r"(\d+)(KB|MB|GB)", text)
    size = int(found[1]) * _UNITS[found[2]] if found else 0
    if not _FEWEST <= size <= _MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size from 1MB to 10GB")
    return size


@dataclass(frozen=True)
class _Shape:
    """One file of the corpus: its share of the bytes, its rows, and what frames them."""

    path: str
    share: float
    rows: Callable[[Random, int], Iterator[bytes]]
    head: bytes = b""
    between: bytes = b""
    tail: bytes = b""


_HUB = "datasets"
# The first file has 95 % of the bytes; the others share the rest as the real files do.
_SHAPES = (
    _Shape(f"{_HUB}/marcelbinz/Psych-101/prompts_training.jsonl", 0.95, sessions),
    _Shape(
        f"{_HUB}/HumanLLMs/Human-Like-DPO-Dataset/data.json",
        0.0117,
        sources.preferences,
        head=b"[\n",
        between=b",\n",
        tail=b"\n]",
    ),
    _Shape(
        f"{_HUB}/Amod/mental_health_counseling_conversations/combined_dataset.json",
        0.0020,
        sources.counselling,
    ),
    _Shape(
        f"{_HUB}/ShenLab/MentalChat16K/Interview_Data_6K.csv",
        0.0054,
        sources.chats,
        head=sources.CHAT_HEADER,
    ),
    _Shape(
        f"{_HUB}/ShenLab/MentalChat16K/Synthetic_Data_10K.csv",
        0.0126,
        sources.chats,
        head=sources.CHAT_HEADER,
    ),
    _Shape("raw/RedditESS/comments.csv", 0.0105, sources.threads, head=sources.THREADS_HEADER),
    _Shape(f"{_HUB}/PomboLabs/TRACE/data/splits/train.jsonl", 0.0067, sources.programmes),
    _Shape(
        f"{_HUB}/hugginglearners/reddit-depression-cleaned/depression_dataset_reddit_cleaned.csv",
        0.0011,
        sources.posts,
        head=sources.POSTS_HEADER,
    ),
)


def generate(folder: Path, size: int, seed: int = 42) -> int:
    """Write a corpus of about `size` bytes to a new folder and give its exact number of bytes.

    The bytes depend on `size` and `seed` alone. Raises `FileExistsError` if the folder exists.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} exists")
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    total = sum(
        _fill(unfinished / shape.path, int(size * shape.share), shape, seed) for shape in _SHAPES
    )
    unfinished.rename(folder)
    return total


def generate_file(path: Path, rows: Iterator[bytes], size: int) -> int:
    """Write rows, as many as fit into `size` bytes, to a file in a new folder; give their bytes.

    Raises `FileExistsError` if the folder exists.
    """
    path.parent.mkdir(parents=True)
    written = 0
    with path.open("wb", buffering=_PIECE) as file:
        for row in rows:
            if written + len(row) > size:
                break
            written += file.write(row)
    return written


def _fill(path: Path, budget: int, shape: _Shape, seed: int) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = shape.rows(Random(f"{seed} {shape.path}"), budget)
    pending = bytearray(shape.head + next(rows))
    written = 0
    with path.open("wb", buffering=0) as file:
        while written + len(pending) + len(shape.tail) < budget:
            pending += shape.between
            pending += next(rows)
            if len(pending) >= _PIECE:
                written += file.write(pending)
                pending.clear()
        pending += shape.tail
        written += file.write(pending)
    return written


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(prog="python -m bench.generate", description=__doc__)
    parser.add_argument(
        "--size", type=parse_size, required=True, metavar="20MB", help="1MB to 10GB"
    )
    parser.add_argument("--out", type=Path, required=True, help="a folder that does not exist")
    parser.add_argument("--seed", type=int, default=42)
    given = parser.parse_args()
    start = time.perf_counter()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    try:
        total = generate(given.out, given.size, given.seed)
    except FileExistsError as error:
        parser.error(str(error))
    seconds = time.perf_counter() - start
    print(f"{given.out}: {total:,} bytes in {seconds:.1f} s, {total / seconds / 1e6:.0f} MB/s")


if __name__ == "__main__":
    main()

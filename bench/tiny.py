"""Tiny rows, some 60 bytes a line: ten million of them are 600 MB. Half are beyond ASCII."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

from bench.generate import generate_file
from bench.prose import BEYOND_ASCII, Prose

FILE = "tiny.jsonl"
_WORDS = 5000
_REPEATED = 0.02


def rows(random: Random) -> Iterator[bytes]:
    """Give lines without end; one in fifty is the line before it, again."""
    prose = Prose(random)
    phrases = [json.dumps(prose.name(2), ensure_ascii=False)[1:-1] for _ in range(_WORDS)]
    number, line = 0, b""
    while True:
        if not (line and random.random() < _REPEATED):
            number += 1
            said = random.choice(BEYOND_ASCII) if number % 2 else "so"
            asked, answer = random.choice(phrases), random.choice(phrases)
            line = f'{{"q": "{asked} {number}?", "a": "{answer} {said}"}}\n'.encode()
        yield line


def generate(folder: Path, size: int, seed: int = 42) -> int:
    """Write the file into a new folder, as `generate_file` does; size and seed say its bytes."""
    return generate_file(folder / FILE, rows(Random(f"{seed} tiny")), size)

"""Chats of twenty turns, a line each: half of the bytes in turns with text beyond ASCII."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

from bench.generate import generate_file
from bench.prose import Prose

FILE = "chats.jsonl"
TURNS = 20
_ROLES = ("user", "assistant")
_REPEATED = 0.02
_PIECE = 1024 * 1024


def rows(random: Random) -> Iterator[bytes]:
    """Give lines without end; one in fifty is the line before it, again."""
    prose = Prose(random)
    line = b""
    while True:
        if not (line and prose.chance(_REPEATED)):
            turns = [{"role": _ROLES[at % 2], "content": _content(prose)} for at in range(TURNS)]
            line = json.dumps({"messages": turns}, ensure_ascii=False).encode() + b"\n"
        yield line


def _content(prose: Prose) -> str:
    text = prose.text(2, 6)
    return f"{text} {prose.beyond_ascii()} {prose.text(1, 2)}" if prose.chance(0.5) else text


def generate(folder: Path, size: int, seed: int = 42) -> int:
    """Write the file into a new folder, as `generate_file` does; size and seed say its bytes."""
    return generate_file(folder / FILE, rows(Random(f"{seed} chats")), size)


def generate_compressed(folder: Path, size: int, seed: int = 42) -> int:
    """Write the same file, compressed with gzip; gives the bytes that it decompresses to."""
    written = generate(folder, size, seed)
    plain = folder / FILE
    with (
        plain.open("rb") as source,
        (folder / f"{FILE}.gz").open("wb") as target,
        # No time and no name in its head: the same bytes each time.
        gzip.GzipFile("", "wb", fileobj=target, mtime=0) as packed,
    ):
        while piece := source.read(_PIECE):
            packed.write(piece)
    plain.unlink()
    return written

"""Small facts that are kept for later runs, as bytes that tell whether they are still whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import xxhash

_PIECE = 512 * 1024


def seal(values: Any) -> bytes:
    """Give JSON values as a line, and behind it a line with its checksum."""
    line = json.dumps(values, sort_keys=True).encode()
    return line + b"\n" + _sum_of(line)


def unseal(content: bytes) -> Any:
    """Give what was sealed; raises `ValueError` if it is no longer what it was."""
    line, _, end = content.partition(b"\n")
    if end != _sum_of(line):
        raise ValueError("the content has another checksum than it says")
    return json.loads(line)


def quick_sum(path: Path) -> str:
    """Give a checksum of a file that finds damage, at the speed of memory; no proof of origin."""
    digest = xxhash.xxh3_128()
    buffer = bytearray(_PIECE)
    with path.open("rb", buffering=0) as file, memoryview(buffer) as view:
        while count := file.readinto(buffer):
            digest.update(view[:count])
    return digest.hexdigest()


def _sum_of(line: bytes) -> bytes:
    return xxhash.xxh3_128_hexdigest(line).encode() + b"\n"

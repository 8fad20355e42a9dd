"""Whether two merged files hold the same records: their number, and a digest of all pairs.

The corpus is made so that the results agree exactly: no two rows differ in blanks alone, every
last mark is closed and filled, no text holds what a catalogue entry cuts or drops.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

MERGED = "merged_mental_health_dataset.json"


@dataclass(frozen=True)
class Pairs:
    """The (input, response) pairs of a merged file."""

    rows: int
    rows_by_source: dict[str, int]
    digest: str
    """Of the sorted hashes of the pairs, so that the order of the rows does not matter."""


def read_pairs(folder: Path) -> Pairs:
    """Read the merged JSON array of an output folder, whole: for corpora that fit into memory."""
    hashes: list[bytes] = []
    rows_by_source: dict[str, int] = {}
    with (folder / MERGED).open(encoding="utf-8") as file:
        for record in json.load(file):
            pair = f"{record['input']}\0{record['response']}".encode()
            hashes.append(hashlib.blake2b(pair, digest_size=16).digest())
            rows_by_source[record["source"]] = rows_by_source.get(record["source"], 0) + 1
    digest = hashlib.blake2b(b"".join(sorted(hashes)), digest_size=16).hexdigest()
    return Pairs(len(hashes), rows_by_source, digest)


def differences(one: Pairs, other: Pairs) -> str:
    """Say in a sentence how two results differ; "" if they agree."""
    if one.rows != other.rows:
        names = sorted({*one.rows_by_source, *other.rows_by_source})
        counts = (
            f"{name} {one.rows_by_source.get(name, 0)} and {other.rows_by_source.get(name, 0)}"
            for name in names
            if one.rows_by_source.get(name) != other.rows_by_source.get(name)
        )
        return f"{one.rows:,} and {other.rows:,} records: {', '.join(counts)}"
    return "" if one.digest == other.digest else f"both {one.rows:,} records, but other texts"

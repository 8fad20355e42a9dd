"""Files read as a merge reads them, shard after shard; and where the sample and real slices lie."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import mindcorpus
from mindcorpus.errors import MindcorpusError
from mindcorpus.sources.adapters import Adapter, Kept
from mindcorpus.sources.budgets import Budget, Meter
from mindcorpus.sources.catalog import Source
from mindcorpus.sources.file_formats import SUFFIXES
from mindcorpus.sources.readers import Drop, Row, plan_shards, read_rows

ENOUGH = Budget(1 << 40, "file_limit_gb")
SAMPLE = Path(mindcorpus.__file__).parent / "sample"
SHARED = Path(__file__).parents[3] / "shared"
HUB = SHARED / "hub" / "datasets"
needs_hub = pytest.mark.skipif(
    not HUB.is_dir(), reason="the real slices, shared/hub beside the project, are not here"
)


def read(path: Path, format_: str = "") -> list[Row | Drop]:
    """Read a whole file; rows are numbered within it, and `tick` heard of each of them."""
    found: list[Row | Drop] = []
    heard = 0

    def tick(rows: int, size: int) -> None:
        nonlocal heard
        assert size >= 0
        heard += rows

    for shard in plan_shards(path, path.name, format_ or SUFFIXES[path.suffix]):
        first = len(found)
        for row in read_rows(shard, tick, Meter(ENOUGH, path.name)):
            assert row.number == len(found) - first
            found.append(row._replace(number=len(found)))
        assert heard == len(found)
    return found


def read_bytes(data: bytes, format_: str) -> list[Row | Drop]:
    """Read a file of these bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        path.write_bytes(data)
        return read(path, format_)


def values(rows: Iterable[Row | Drop]) -> list[Any]:
    """Give the values of rows, all of which must be there."""
    found = []
    for row in rows:
        assert isinstance(row, Row), row
        found.append(row.value)
    return found


def reasons(outcomes: Iterable[Row | Kept | Drop]) -> Counter[str]:
    """Count drops by reason."""
    return Counter(outcome.reason for outcome in outcomes if isinstance(outcome, Drop))


def dropped(outcomes: Iterable[Kept | Drop]) -> dict[int, str]:
    """Give the reason of each dropped row."""
    return {outcome.number: outcome.reason for outcome in outcomes if isinstance(outcome, Drop)}


def kept(outcomes: Iterable[Kept | Drop]) -> list[Kept]:
    """Give the records."""
    return [outcome for outcome in outcomes if isinstance(outcome, Kept)]


def adapt(adapter: Adapter, *rows: Any) -> list[Kept | Drop]:
    """Give what becomes of raw rows."""
    return list(adapter(Row(number, row) for number, row in enumerate(rows)))


def adapt_file(source: Source, home: Path, file: int = 0) -> list[Kept | Drop]:
    """Give what becomes of the rows of one of a source's files."""
    chosen = source.files[file]
    return list(source.build_adapter()(read(home / chosen.path, chosen.read_as or "")))


def words_of(outcomes: Iterable[Row | Kept | Drop] | MindcorpusError) -> str:
    """Give all that a log would hold of these drops, or of this error."""
    if isinstance(outcomes, MindcorpusError):
        return " ".join(map(str, (outcomes, outcomes.hint, outcomes.as_dict())))
    return " ".join(str(outcome) for outcome in outcomes if isinstance(outcome, Drop))

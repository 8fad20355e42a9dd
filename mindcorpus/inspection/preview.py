"""What a merge would make of a file's first rows: its own reader, adapter and row stages say."""

from __future__ import annotations

import itertools
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from mindcorpus.corpus import turns
from mindcorpus.corpus.lineage import read_changes
from mindcorpus.inspection.beginning import Ready
from mindcorpus.inspection.limits import (
    LEAST_BYTES,
    LOOK_BYTES,
    LOOK_ROWS,
    PEEK_BYTES,
    PEEK_ROWS,
    SLACK_BYTES,
)
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.choice import choose_stages
from mindcorpus.merging.open_files import part_job
from mindcorpus.merging.parts import build_part
from mindcorpus.progress import Cancellation
from mindcorpus.settings import Settings
from mindcorpus.sources.adapters import Adapter, Kept
from mindcorpus.sources.budgets import Budgets, Meter
from mindcorpus.sources.catalog import Source
from mindcorpus.sources.files import FetchedFile
from mindcorpus.sources.readers import Drop, Row, Shard, read_rows

SHOWN = 5
#: Characters of a text, and turns, that are shown where what is shown must be short.
CUT = 5_000
TURNS = 50


@dataclass(frozen=True)
class Shown:
    """A record as it would become, with what it was made of."""

    row: int
    input: str
    response: str
    rejected_response: str
    tags: tuple[str, ...]
    changed: tuple[str, ...]
    messages: tuple[dict[str, Any], ...]
    """The turns of a conversation; none where input and response say all."""

    def cut(self) -> Shown:
        """Give the same with only the beginnings of texts, and of a conversation."""
        turns_ = tuple(
            {name: value[:CUT] if isinstance(value, str) else value for name, value in turn.items()}
            for turn in self.messages[:TURNS]
        )
        return replace(
            self,
            input=self.input[:CUT],
            response=self.response[:CUT],
            rejected_response=self.rejected_response[:CUT],
            messages=turns_,
        )


@dataclass(frozen=True)
class Preview:
    """What became of the rows that were looked at."""

    rows: int
    whole: bool
    """Whether these are all rows of the file."""
    bytes: int
    """Of the file as it is read, unpacked and in UTF-8, which they took."""
    kept: int
    dropped: Mapping[str, int]
    """Rows by reason, the most frequent first."""
    examples: Mapping[str, int]
    """The first row of each reason."""
    changed: Mapping[str, int]
    records: tuple[Shown, ...]


class _Few:
    """The first rows of a shard, for an adapter or to be looked at; it tells how far it came."""

    def __init__(self, rows: int, least: int, most: int, cancel: Cancellation) -> None:
        self._enough = rows
        self._least = least
        self._most = most
        self._cancel = cancel
        self.bytes = 0
        self.rows = 0
        self.whole = True

    def tick(self, _rows: int, size: int) -> None:
        """Hear of bytes that were read."""
        self._cancel.check()
        self.bytes += size

    def take(self, rows: Iterable[Row | Drop]) -> Iterator[Row | Drop]:
        """Give rows as long as there may be more."""
        for row in rows:
            small = self.bytes < self._least and self.rows < 10 * self._enough
            if (self.rows >= self._enough and not small) or self.bytes >= self._most:
                self.whole = False
                return
            self.rows += 1
            yield row


@dataclass(frozen=True)
class _First:
    """An adapter that is shown the first rows alone."""

    adapter: Adapter
    few: _Few

    # So that nobody misses the rows that are left out.
    whole_file: ClassVar[bool] = True
    selects: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, rows: Iterable[Row | Drop]) -> Iterator[Kept | Drop]:
        return self.adapter(self.few.take(rows))


def peek(shard: Shard, settings: Settings, cancel: Cancellation) -> list[Any]:
    """Give the first raw rows of a shard that can be read; raises `DataError`."""
    few = _Few(PEEK_ROWS, 0, PEEK_BYTES, cancel)
    meter = Meter(Budgets.of(settings).of_file(shard.path.stat().st_size), shard.file)
    rows = few.take(read_rows(shard, few.tick, meter))
    return [row.value for row in rows if isinstance(row, Row)]


def count_rows(path: Path) -> int:
    """Count the rows of a Parquet file, which says it of itself."""
    return int(pq.read_metadata(path).num_rows)


def preview(
    source: Source,
    file: FetchedFile,
    ready: Ready,
    shards: Sequence[Shard],
    settings: Settings,
    cancel: Cancellation,
) -> Preview:
    """Make records of a file's first rows, as a merge makes them; raises `DataError`.

    Duplicates are not looked for: they are of all sources together.
    """
    stages = choose_stages(MergeRequest()).of_records
    budget = Budgets.of(settings).of_file(file.size)
    most = LOOK_BYTES
    if not ready.whole:
        # Its end is cut off, and is no row.
        most = min(most, max(1, ready.path.stat().st_size - SLACK_BYTES))
    few = _Few(LOOK_ROWS, LEAST_BYTES, most, cancel)
    with tempfile.TemporaryDirectory(prefix="mindcorpus-") as scratch:
        job = part_job(source, file, shards, 0, stages, budget, Path(scratch) / "part")
        # The same job but for how much it is shown.
        job = replace(job, adapter=_First(job.adapter, few))
        part = build_part(job, few.tick)
        index = pq.read_table(part.index, columns=["row", "reason", "changed"])
        rows = index.column("row").to_pylist()
        reasons = index.column("reason").to_pylist()
        changed = index.column("changed").to_pylist()
        kept = [at for at, reason in enumerate(reasons) if reason is None]
        records = tuple(
            Shown(row=rows[at], changed=_words(changed[at]), **record)
            for at, record in zip(kept, _records(part.records), strict=False)
        )
    examples: dict[str, int] = {}
    for row, reason in zip(rows, reasons, strict=True):
        if reason is not None:
            examples.setdefault(reason, row)
    return Preview(
        rows=len(rows),
        whole=few.whole and ready.whole and len(shards) == 1,
        bytes=few.bytes,
        kept=part.kept,
        dropped=dict(Counter(filter(None, reasons)).most_common()),
        examples=examples,
        changed=dict(Counter(word for each in changed for word in _words(each)).most_common()),
        records=records,
    )


def _words(changed: str | None) -> tuple[str, ...]:
    return tuple(read_changes(changed)) if changed else ()


def _records(path: Path) -> Iterator[dict[str, Any]]:
    with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as stream:
        yield from itertools.islice(_each(stream), SHOWN)


def _each(stream: Any) -> Iterator[dict[str, Any]]:
    for batch in stream:
        first = batch.slice(0, SHOWN)
        chats = turns.turns_of(first.column("messages"))
        flat = first.select(["input", "response", "rejected_response", "tags"]).to_pylist()
        for record, chat in zip(flat, chats, strict=True):
            said = [
                {name: value for name, value in turn._asdict().items() if value is not None}
                for turn in chat or ()
            ]
            tags = tuple(orjson.loads(record["tags"]))
            yield {**record, "tags": tags, "messages": tuple(said)}

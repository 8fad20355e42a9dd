"""A source's file made ready, cut into shards, and each of these told how it becomes a part."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from mindcorpus.errors import DataError
from mindcorpus.merging.parts import PartJob
from mindcorpus.sources.auto_adapter import seen
from mindcorpus.sources.budgets import Budget, Meter
from mindcorpus.sources.catalog import Source
from mindcorpus.sources.files import FetchedFile, verify
from mindcorpus.sources.layouts import FIRST_ROWS, Layout
from mindcorpus.sources.readers import Shard, plan_shards, read_rows, readable
from mindcorpus.sources.readers.prepare import Prepared, prepare
from mindcorpus.stages.base import RecordStage


@dataclass(frozen=True)
class PrepareJob:
    """A file to make ready, where a copy of it may be written, and what was guessed before."""

    source: Source
    file: FetchedFile
    budget: Budget
    target: Path
    encodings: Mapping[str, str]


def prepare_file(job: PrepareJob, tick: Callable[[int, int], None]) -> Prepared:
    """Make a file ready to be cut; raises `DataError`, and `WrongBytesError` as `verify` does."""
    file = job.file

    def guess_of() -> str:
        sha256 = file.sha256 or verify(file, job.source.name, lambda _size: tick(0, 0)).sha256
        return job.encodings.get(sha256, "")

    reading = job.source.reading(file.path)
    try:
        with readable(file.path):
            return prepare(
                file.local,
                file.path,
                reading,
                job.budget,
                job.target,
                guess_of,
                lambda: tick(0, 0),
            )
    except DataError:
        # A file that was damaged in the cache is to be fetched again, not mended.
        if file.expected or file.expected_git:
            verify(file, job.source.name, lambda _size: tick(0, 0))
        raise


def shards_of(source: Source, file: FetchedFile, prepared: Prepared, copy: Path) -> list[Shard]:
    """Cut a source's file into shards; how depends on the file alone. Raises `DataError`.

    `copy` is what was prepared in its place, if something was.
    """
    return plan_shards(
        copy if prepared.copied else file.local,
        file.path,
        prepared.format,
        source.reading(file.path),
        has_marks=prepared.has_marks,
        size_of_file=file.size if prepared.copied else None,
    )


def part_job(
    source: Source,
    file: FetchedFile,
    shards: Sequence[Shard],
    number: int,
    stages: tuple[RecordStage, ...],
    budget: Budget,
    target: Path,
) -> PartJob:
    """Tell how one of a file's shards is made into a part at `target` (a path without ending).

    Raises `DataError` where its file's layout should be seen, and is none that is known.
    """
    entry = next((entry for entry in source.files if entry.path == file.path), None)
    tags = (*source.tags, *(entry.tags if entry else ()))
    layout = _layout_of(source, file, shards[0], budget)
    said = "" if layout is None else json.dumps(layout.as_dict(), sort_keys=True)
    adapter = source.build_adapter(layout)
    return PartJob(
        shards[number], source.name, source.type, tags, adapter, stages, budget, target, said
    )


def _layout_of(source: Source, file: FetchedFile, first: Shard, budget: Budget) -> Layout | None:
    """Tell a file's layout by its first rows, for an entry that does not say it.

    All its shards are read by it, whatever they begin with.
    """
    if source.adapter != "auto":
        return None
    rows = read_rows(first, lambda *_: None, Meter(budget, file.path))
    with contextlib.closing(rows):
        return seen(list(islice(rows, FIRST_ROWS)), file.path)

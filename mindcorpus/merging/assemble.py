"""Parts to a corpus: which records stay, each part's place in every file, the files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mindcorpus.corpus.encoding import CSV_HEADER, JSON_END
from mindcorpus.corpus.kin import Kin
from mindcorpus.corpus.lineage import LineageJob, write_lineage
from mindcorpus.corpus.row_facts import Flags
from mindcorpus.corpus.verdicts import Verdicts
from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import Task
from mindcorpus.merging.part_set import PartSet
from mindcorpus.merging.parts import Part
from mindcorpus.merging.statistics import StatisticsJob, compute_statistics
from mindcorpus.merging.write import WriteJob, write_part
from mindcorpus.progress import Progress
from mindcorpus.stages.base import CorpusStage, Indexes, find_firsts, read_column
from mindcorpus.storage.files import Written, lay_out
from mindcorpus.storage.kinds import CORPUS
from mindcorpus.storage.ordered_hash import SharedFile
from mindcorpus.storage.staging import Staging

#: Beyond what is known to be written: manifests, and what a file system needs for itself.
_MARGIN = 16 * 1024 * 1024


@dataclass(frozen=True)
class _Planned:
    """What of a part goes into the corpus, and how many bytes of the merged files it takes."""

    number: int
    kept: int
    stays: bytes | None
    json_bytes: int
    csv_bytes: int


def _planned(parts: Sequence[Part], stays: Flags) -> Iterator[_Planned]:
    first = 0
    for number, part in enumerate(parts):
        mine = stays[first : first + part.kept]
        first += part.kept
        json_bytes, csv_bytes = (
            int(read_column(part.index, column, np.int64)[mine].sum())
            for column in ("json_bytes", "csv_bytes")
        )
        mask = None if mine.all() else mine.tobytes()
        yield _Planned(number, int(mine.sum()), mask, json_bytes, csv_bytes)


def _bytes_of(part: Part) -> int:
    return part.records.stat().st_size + part.index.stat().st_size


def _is_in(folder: Path, part: Part) -> bool:
    return part.records.is_relative_to(folder)


def _kin(parts: Sequence[Part], indexes: Indexes, stays: Flags) -> Kin:
    """Find which records that stay are kin; where there can be none, nothing is read."""
    kin = Kin.none(indexes.count)
    if any(part.pairs for part in parts):
        kin = replace(kin, answer=find_firsts(indexes, stays, ("answer_key", "key")))
    if any(part.conversations for part in parts):
        columns = ("opening_key", "answer_key", "key")
        kin = replace(kin, opening=find_firsts(indexes, stays, columns))
    return kin


@dataclass(frozen=True)
class CorpusPlan:
    """Who writes what of a corpus, and where; no array of its rows, which workers would inherit."""

    statistics: Task
    lineage: Task
    writes: tuple[WriteJob, ...]
    """One for each part of the corpus."""
    json: SharedFile
    csv: SharedFile

    @property
    def rows(self) -> int:
        """How many records the corpus has."""
        return sum(job.rows for job in self.writes)

    @property
    def text(self) -> int:
        """Bytes of them, as they are counted while they are written."""
        return sum(job.csv.size for job in self.writes)

    @property
    def parts(self) -> list[tuple[Path, int]]:
        """The Parquet files, each with its rows."""
        return [(job.parquet, job.rows) for job in self.writes]


def plan_corpus(
    part_set: PartSet,
    stages: Sequence[CorpusStage],
    staging: Staging,
    context: JobContext,
    room: Callable[[int], bool],
) -> CorpusPlan:
    """Find out which records stay, and lay the corpus out in the staging area.

    `room` tells whether so many bytes can be written beside the parts. If they cannot, those that
    were made in this staging area are removed as they are written. Raises `DataError` for a corpus
    that is larger than a merge may write.
    """
    origins, parts = part_set.origins, part_set.parts
    count = sum(part.kept for part in parts)
    context.report(Progress("deduplicate", rows=count))
    indexes = Indexes([part.index for part in parts], count, context.cancel.check, staging.scratch)
    verdicts = Verdicts.none(count)
    for stage in stages:
        verdicts = stage.judge(indexes, verdicts)
    saved = verdicts.save(staging.scratch)
    kin = _kin(parts, indexes, verdicts.stays).save(staging.scratch)

    planned = [part for part in _planned(parts, verdicts.stays) if part.kept]
    # As many bytes as the indexes say, not one more, go into these files; Parquet takes less.
    size = sum(part.json_bytes + part.csv_bytes for part in planned)
    part_set.budgets.check_job(size, "what the merge writes")
    # Parquet takes about what the parts take, which are compressed as lightly.
    beside = sum(_bytes_of(parts[part.number]) for part in planned)
    keeps = room(size + beside + _MARGIN)
    output = staging.output
    json_path, csv_path = output / f"{CORPUS}.json", output / f"{CORPUS}.csv"
    json_regions = lay_out(json_path, b"", [part.json_bytes for part in planned], JSON_END)
    csv_regions = lay_out(csv_path, CSV_HEADER, [part.csv_bytes for part in planned], b"")
    lineage = LineageJob(tuple(origins), saved, kin, output / f"{CORPUS}.lineage.parquet")
    statistics = StatisticsJob(tuple(origins), saved, staging.scratch)
    folder = output / f"{CORPUS}.parquet"
    folder.mkdir()
    return CorpusPlan(
        Task(compute_statistics, statistics, heavy=True),
        Task(write_lineage, lineage),
        tuple(
            WriteJob(
                records=parts[part.number].records,
                stays=part.stays,
                rows=part.kept,
                source=origins[part.number].source,
                type=origins[part.number].type,
                first=number == 0,
                parquet=folder / f"part-{number:05d}.parquet",
                json=json_regions[number],
                csv=csv_regions[number],
                keep=keeps or not _is_in(staging.scratch, parts[part.number]),
            )
            for number, part in enumerate(planned)
        ),
        SharedFile(json_path, tuple(json_regions)),
        SharedFile(csv_path, tuple(csv_regions)),
    )


WrittenCorpus = tuple[dict[str, Any], list[Written]]
"""The statistics of a corpus, and its files."""


def write_corpus(plan: CorpusPlan, context: JobContext) -> WrittenCorpus:
    """Write a corpus as it was planned; give its statistics and its files."""
    first = [plan.statistics, plan.lineage]
    tasks = [*first, *(Task(write_part, job) for job in plan.writes)]
    items = ["statistics", "lineage", *["JSON, CSV and Parquet"] * len(plan.writes)]
    with plan.json.follow() as json_seal, plan.csv.follow() as csv_seal:

        def finished(task: int, _result: Any) -> None:
            if task >= len(first):
                json_seal.complete(task - len(first))
                csv_seal.complete(task - len(first))

        results = context.do_all("write", tasks, items, plan.text, finished, plan.rows)
    statistics, lineage, *parquet = results
    sealed = [json_seal.written(plan.rows), csv_seal.written(plan.rows)]
    return statistics, [*sealed, *parquet, lineage]

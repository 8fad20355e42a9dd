"""Parts to a corpus: which records stay, each part's place in every file, the files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from mindcorpus.storage.files import Region, Written, lay_out
from mindcorpus.storage.kinds import CORPUS
from mindcorpus.storage.ordered_hash import OrderedHash
from mindcorpus.storage.staging import Staging


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


def _kin(parts: Sequence[Part], indexes: Indexes, stays: Flags) -> Kin:
    """Find which records that stay are kin; where there can be none, nothing is read."""
    kin = Kin.none(indexes.count)
    if any(part.pairs for part in parts):
        kin = replace(kin, answer=find_firsts(indexes, stays, ("answer_key", "key")))
    if any(part.conversations for part in parts):
        columns = ("opening_key", "answer_key", "key")
        kin = replace(kin, opening=find_firsts(indexes, stays, columns))
    return kin


def assemble(
    part_set: PartSet,
    stages: Sequence[CorpusStage],
    staging: Staging,
    context: JobContext,
    *,
    keep_parts: bool = False,
) -> tuple[dict[str, Any], list[Written]]:
    """Write the corpus into the staging area; give its statistics and its files.

    Parts are removed as they are written, unless they are to be kept.
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
    json_path, csv_path = staging.output / f"{CORPUS}.json", staging.output / f"{CORPUS}.csv"
    json_regions = lay_out(json_path, b"", [part.json_bytes for part in planned], JSON_END)
    csv_regions = lay_out(csv_path, CSV_HEADER, [part.csv_bytes for part in planned], b"")
    lineage_path = staging.output / f"{CORPUS}.lineage.parquet"
    first = [
        Task(compute_statistics, StatisticsJob(tuple(origins), saved, staging.scratch), heavy=True),
        Task(write_lineage, LineageJob(tuple(origins), saved, kin, lineage_path)),
    ]
    tasks = [
        *first,
        *_write_tasks(
            planned, part_set, staging.output, json_regions, csv_regions, keep=keep_parts
        ),
    ]
    items = ["statistics", "lineage", *["JSON, CSV and Parquet"] * len(planned)]
    with (
        OrderedHash(json_path, json_regions) as json_seal,
        OrderedHash(csv_path, csv_regions) as csv_seal,
    ):

        def finished(task: int, _result: Any) -> None:
            if task >= len(first):
                json_seal.complete(task - len(first))
                csv_seal.complete(task - len(first))

        text = sum(part.csv_bytes for part in planned)
        rows = sum(part.kept for part in planned)
        statistics, lineage, *parquet = context.do_all("write", tasks, items, text, finished, rows)
    return statistics, [json_seal.written(rows), csv_seal.written(rows), *parquet, lineage]


def _write_tasks(
    planned: Sequence[_Planned],
    part_set: PartSet,
    output: Path,
    json_regions: Sequence[Region],
    csv_regions: Sequence[Region],
    *,
    keep: bool,
) -> Iterator[Task]:
    folder = output / f"{CORPUS}.parquet"
    folder.mkdir()
    for number, part in enumerate(planned):
        origin = part_set.origins[part.number]
        job = WriteJob(
            records=part_set.parts[part.number].records,
            stays=part.stays,
            source=origin.source,
            type=origin.type,
            first=number == 0,
            parquet=folder / f"part-{number:05d}.parquet",
            json=json_regions[number],
            csv=csv_regions[number],
            keep=keep,
        )
        yield Task(write_part, job)

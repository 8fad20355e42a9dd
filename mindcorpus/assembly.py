"""Parts to a corpus: the duplicates among them, each part's place in every file, the files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mindcorpus.artifacts import CORPUS, Staging
from mindcorpus.crew import Task
from mindcorpus.deduplication import Numbers, find_twins, read_column
from mindcorpus.encoding import CSV_HEADER, JSON_END
from mindcorpus.harvest import Harvest
from mindcorpus.hashing import Region, Written, lay_out
from mindcorpus.lineage import LineageJob, write_lineage
from mindcorpus.parts import Part
from mindcorpus.progress import Progress
from mindcorpus.sealing import Sealing
from mindcorpus.statistics import StatisticsJob, compute_statistics
from mindcorpus.work import Work
from mindcorpus.writing import WriteJob, write_part


@dataclass(frozen=True)
class _Planned:
    """What of a part goes into the corpus, and how many bytes of the merged files it takes."""

    number: int
    kept: int
    stays: bytes | None
    json_bytes: int
    csv_bytes: int


def _planned(parts: Sequence[Part], twins: Numbers) -> Iterator[_Planned]:
    first = 0
    for number, part in enumerate(parts):
        stays = twins[first : first + part.kept] < 0
        first += part.kept
        json_bytes, csv_bytes = (
            int(read_column(part.index, column, np.int64)[stays].sum())
            for column in ("json_bytes", "csv_bytes")
        )
        mask = None if stays.all() else stays.tobytes()
        yield _Planned(number, int(stays.sum()), mask, json_bytes, csv_bytes)


def assemble(
    harvest: Harvest, staging: Staging, work: Work, *, keep_parts: bool = False
) -> tuple[dict[str, Any], list[Written]]:
    """Write the corpus into the staging area; give its statistics and its files.

    Parts are removed as they are written, unless they are to be kept.
    """
    origins, parts = harvest.origins, harvest.parts
    count = sum(part.kept for part in parts)
    work.report(Progress("deduplicate", rows=count))
    twins = find_twins([part.index for part in parts], count, work.cancel.check)
    twins_path = staging.scratch / "twins.npy"
    np.save(twins_path, twins)

    planned = [part for part in _planned(parts, twins) if part.kept]
    json_path, csv_path = staging.output / f"{CORPUS}.json", staging.output / f"{CORPUS}.csv"
    json_regions = lay_out(json_path, b"", [part.json_bytes for part in planned], JSON_END)
    csv_regions = lay_out(csv_path, CSV_HEADER, [part.csv_bytes for part in planned], b"")
    lineage_path = staging.output / f"{CORPUS}.lineage.parquet"
    first = [
        Task(compute_statistics, StatisticsJob(tuple(origins), twins_path), heavy=True),
        Task(write_lineage, LineageJob(tuple(origins), twins_path, lineage_path)),
    ]
    tasks = [
        *first,
        *_write_tasks(planned, harvest, staging.output, json_regions, csv_regions, keep=keep_parts),
    ]
    items = ["statistics", "lineage", *["JSON, CSV and Parquet"] * len(planned)]
    with (
        Sealing(json_path, json_regions) as json_seal,
        Sealing(csv_path, csv_regions) as csv_seal,
    ):

        def finished(task: int) -> None:
            if task >= len(first):
                json_seal.complete(task - len(first))
                csv_seal.complete(task - len(first))

        text = sum(part.csv_bytes for part in planned)
        rows = sum(part.kept for part in planned)
        statistics, lineage, *parquet = work.do_all("write", tasks, items, text, finished, rows)
    return statistics, [json_seal.written(rows), csv_seal.written(rows), *parquet, lineage]


def _write_tasks(
    planned: Sequence[_Planned],
    harvest: Harvest,
    output: Path,
    json_regions: Sequence[Region],
    csv_regions: Sequence[Region],
    *,
    keep: bool,
) -> Iterator[Task]:
    folder = output / f"{CORPUS}.parquet"
    folder.mkdir()
    for number, part in enumerate(planned):
        origin = harvest.origins[part.number]
        job = WriteJob(
            records=harvest.parts[part.number].records,
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

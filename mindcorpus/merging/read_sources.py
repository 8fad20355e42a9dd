"""Every source's files to parts, in one process or a pool: which shards, and which failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mindcorpus.errors import DataError, MindcorpusError, WrongBytesError
from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import Task
from mindcorpus.merging.loss import LossPolicy
from mindcorpus.merging.part_set import FileParts, PartSet
from mindcorpus.merging.parts import Part, PartJob, build_part
from mindcorpus.sources.budgets import Budget, Budgets
from mindcorpus.sources.catalog import SUFFIXES, Catalog, Source
from mindcorpus.sources.fetching import FetchedSources
from mindcorpus.sources.files import Fetched, FetchedFile, remove_damaged, verify
from mindcorpus.sources.readers import Shard, plan_shards
from mindcorpus.stages.base import RecordStage


@dataclass(frozen=True)
class _Shards:
    """Where a file's parts stand in the list of all results."""

    fetched: Fetched
    file: FetchedFile
    tasks: range
    check: int | None
    """The task that hashes the file, if it was not hashed when it was fetched."""


def shards_of(source: Source, file: FetchedFile) -> list[Shard]:
    """Cut a source's file into shards; how depends on the file alone. Raises `DataError`."""
    entry = next((entry for entry in source.files if entry.path == file.path), None)
    read_as = entry.read_as if entry else SUFFIXES[file.local.suffix.lower()]
    return plan_shards(file.local, file.path, read_as)


def part_job(
    source: Source,
    file: FetchedFile,
    shard: Shard,
    stages: tuple[RecordStage, ...],
    budget: Budget,
    target: Path,
) -> PartJob:
    """Tell how a shard is made into a part at `target` (a path without ending)."""
    entry = next((entry for entry in source.files if entry.path == file.path), None)
    tags = (*source.tags, *(entry.tags if entry else ()))
    adapter = source.build_adapter()
    return PartJob(shard, source.name, source.type, tags, adapter, stages, budget, target)


def read_sources(
    catalog: Catalog,
    fetched_sources: FetchedSources,
    stages: tuple[RecordStage, ...],
    budgets: Budgets,
    losses: LossPolicy,
    scratch: Path,
    context: JobContext,
) -> PartSet:
    """Read all files; a source that fails does not keep the others from being read.

    Raises `DataError` as soon as all together decode to more than a merge may.
    """
    found = PartSet(catalog, budgets, losses)
    for name, error in fetched_sources.failures.items():
        found.fail(name, error)
    tasks: list[Task] = []
    items: list[str] = []
    files: list[list[_Shards]] = []
    for fetched in fetched_sources.fetched:
        try:
            source = catalog[fetched.source]
            planned, made = _plan(source, fetched, stages, budgets, len(tasks), scratch)
        except DataError as error:
            # All of a source or nothing: half of one would look like a whole one.
            found.fail(fetched.source, error)
            continue
        files.append(planned)
        tasks += made
        items += [fetched.source] * len(made)
    size = sum(each.file.size for planned in files for each in planned)
    spent = 0

    def finished(_task: int, result: Part | FetchedFile) -> None:
        nonlocal spent
        spent += result.spent if isinstance(result, Part) else 0
        budgets.check_job(spent)

    results = context.try_all("read", tasks, items, size, finished)
    for each in (each for planned in files for each in planned):
        # Only now: while others ran, one of them might have been about to open it.
        if each.check is not None and isinstance(results[each.check], WrongBytesError):
            remove_damaged(each.file)
    for planned in files:
        fetched = planned[0].fetched
        try:
            parts = [_parts(each, results) for each in planned]
        except MindcorpusError as error:
            found.fail(fetched.source, error)
            continue
        found.accept(replace(fetched, files=tuple(file for file, _ in parts)), parts)
    return found


def _plan(
    source: Source,
    fetched: Fetched,
    stages: tuple[RecordStage, ...],
    budgets: Budgets,
    first: int,
    scratch: Path,
) -> tuple[list[_Shards], list[Task]]:
    planned: list[_Shards] = []
    tasks: list[Task] = []
    for file in fetched.files:
        began = first + len(tasks)
        cut = shards_of(source, file)
        budget = budgets.of_shard(file.size, len(cut))
        for number, shard in enumerate(cut):
            target = scratch / f"part-{began + number:05d}"
            job = part_job(source, file, shard, stages, budget, target)
            tasks.append(Task(build_part, job))
        shards = range(began, first + len(tasks))
        check = None
        if not file.sha256:
            check = first + len(tasks)
            tasks.append(Task(_verify, (file, source.name)))
        planned.append(_Shards(fetched, file, shards, check))
    return planned, tasks


def _verify(what: tuple[FetchedFile, str], tick: Callable[[int, int], None]) -> FetchedFile:
    file, source = what
    return verify(file, source, lambda _size: tick(0, 0))


def _parts(file: _Shards, results: Sequence[Any]) -> FileParts:
    """Give a file's parts in order; raise the first error any of its tasks met."""
    checked = file.file
    if file.check is not None:
        checked = results[file.check]
        if isinstance(checked, MindcorpusError):
            raise checked
    found: list[Part] = []
    for at in file.tasks:
        part = results[at]
        if isinstance(part, MindcorpusError):
            part.row = None if part.row is None else part.row + sum(each.rows for each in found)
            raise part
        found.append(part)
    return checked, found

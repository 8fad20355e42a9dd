"""Every source's files to parts, in one process or a pool: which shards, and which failed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from mindcorpus.errors import DataError, MindcorpusError, WrongBytesError
from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import Task, WorkerPool
from mindcorpus.merging.loss import LossPolicy
from mindcorpus.merging.part_set import FileParts, PartSet
from mindcorpus.merging.parts import Part, PartJob, build_part
from mindcorpus.sources.auto_adapter import seen
from mindcorpus.sources.budgets import Budget, Budgets, Meter
from mindcorpus.sources.catalog import Catalog, Source
from mindcorpus.sources.fetching import FetchedSources
from mindcorpus.sources.files import Fetched, FetchedFile, remove_damaged, verify
from mindcorpus.sources.layouts import FIRST_ROWS, Layout
from mindcorpus.sources.readers import Shard, plan_shards, read_rows, readable
from mindcorpus.sources.readers.prepare import Prepared, prepare
from mindcorpus.stages.base import RecordStage


@dataclass(frozen=True)
class _Shards:
    """Where a file's parts stand in the list of all results."""

    fetched: Fetched
    file: FetchedFile
    tasks: range
    check: int | None
    """The task that hashes the file, if it was not hashed when it was fetched."""


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


def read_sources(
    catalog: Catalog,
    fetched_sources: FetchedSources,
    stages: tuple[RecordStage, ...],
    budgets: Budgets,
    losses: LossPolicy,
    encodings: Mapping[str, str],
    scratch: Path,
    context: JobContext,
) -> PartSet:
    """Read all files; a source that fails does not keep the others from being read.

    `encodings` are those that were guessed before, by the checksums of files.
    Raises `DataError` as soon as all together decode to more than a merge may.
    """
    found = PartSet(catalog, budgets, losses)
    for name, error in fetched_sources.failures.items():
        found.fail(name, error)
    tasks: list[Task] = []
    items: list[str] = []
    files: list[list[_Shards]] = []
    ready = _prepare_all(catalog, fetched_sources, budgets, encodings, scratch, context)
    for fetched in fetched_sources.fetched:
        try:
            source = catalog[fetched.source]
            of_source = ready[fetched.source]
            planned, made = _plan(source, fetched, of_source, stages, budgets, len(tasks), scratch)
        except (DataError, WrongBytesError) as error:
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


#: From so many bytes on looking at the files is work for several processes.
_MUCH = 32 * 1024 * 1024
_Ready = list[tuple[Path, Prepared | MindcorpusError]]


def _prepare_all(
    catalog: Catalog,
    fetched_sources: FetchedSources,
    budgets: Budgets,
    encodings: Mapping[str, str],
    scratch: Path,
    context: JobContext,
) -> dict[str, _Ready]:
    """Make all files ready; gives by source the place of each one's copy, and what came of it."""
    jobs: list[PrepareJob] = []
    for fetched in fetched_sources.fetched:
        for file in fetched.files:
            target = scratch / f"plain-{len(jobs):05d}"
            budget = budgets.of_file(file.size)
            jobs.append(PrepareJob(catalog[fetched.source], file, budget, target, encodings))
    spent = 0

    def finished(_task: int, result: Prepared) -> None:
        nonlocal spent
        spent += result.spent
        budgets.check_job(spent, "what the sources unpack to")

    size = sum(job.file.size for job in jobs)
    here = replace(context, pool=WorkerPool(1)) if size < _MUCH else context
    tasks = [Task(prepare_file, job) for job in jobs]
    results = here.try_all("read", tasks, [job.source.name for job in jobs], size, finished)
    found: dict[str, _Ready] = {fetched.source: [] for fetched in fetched_sources.fetched}
    for job, result in zip(jobs, results, strict=True):
        if isinstance(result, WrongBytesError):
            remove_damaged(job.file)
        found[job.source.name].append((job.target, result))
    return found


def _plan(
    source: Source,
    fetched: Fetched,
    ready: _Ready,
    stages: tuple[RecordStage, ...],
    budgets: Budgets,
    first: int,
    scratch: Path,
) -> tuple[list[_Shards], list[Task]]:
    planned: list[_Shards] = []
    tasks: list[Task] = []
    for each, (copy, prepared) in zip(fetched.files, ready, strict=True):
        if isinstance(prepared, MindcorpusError):
            raise prepared
        file = replace(each, guessed=prepared.encoding if prepared.guessed else "")
        began = first + len(tasks)
        cut = shards_of(source, file, prepared, copy)
        budget = budgets.of_shard(file.size, len(cut))
        for number in range(len(cut)):
            target = scratch / f"part-{began + number:05d}"
            job = part_job(source, file, cut, number, stages, budget, target)
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

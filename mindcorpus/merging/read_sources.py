"""Every source's files to parts, in one process or a pool: which shards, and which failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mindcorpus.errors import DataError, MindcorpusError, WrongBytesError
from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import Task
from mindcorpus.merging.cuts import Cut
from mindcorpus.merging.known_files import Known, KnownFile
from mindcorpus.merging.loss import LossPolicy
from mindcorpus.merging.open_files import PrepareJob, part_job, prepare_file, shards_of
from mindcorpus.merging.part_cache import TARGET, BuiltPart, build_kept
from mindcorpus.merging.part_set import PartSet
from mindcorpus.merging.parts import Part
from mindcorpus.sources.budgets import Budgets
from mindcorpus.sources.catalog import Catalog
from mindcorpus.sources.fetching import FetchedSources
from mindcorpus.sources.files import FetchedFile, changed_meanwhile, remove_damaged, verify
from mindcorpus.sources.readers.prepare import Prepared
from mindcorpus.stages.base import RecordStage

Stored = Mapping[str, Part]
"""Parts that are there, whole, by name."""


@dataclass(frozen=True)
class _Planned:
    """Where a file's parts come from: they are there, or a task makes them."""

    known: KnownFile
    cut: Cut
    parts: tuple[Part | int, ...]
    """Those that are there, and the numbers of the tasks that make the others."""
    check: int | None
    """The task that hashes the file, if it was not hashed before."""

    @property
    def reads(self) -> bool:
        """Whether anything of the file is read."""
        return any(isinstance(part, int) for part in self.parts)


@dataclass(frozen=True)
class ReadFile:
    """A file whose parts are all there, made now or before."""

    known: KnownFile
    file: FetchedFile
    """With its checksum."""
    cut: Cut
    parts: tuple[Part, ...]
    built: Mapping[int, BuiltPart]
    """Those that were made now, by the numbers of their shards."""
    is_same: bool
    """Whether it is as it was found: else its checksum may not be that of what was read."""


def read_sources(
    catalog: Catalog,
    fetched_sources: FetchedSources,
    known: Known,
    stored: Stored,
    stages: tuple[RecordStage, ...],
    budgets: Budgets,
    losses: LossPolicy,
    encodings: Mapping[str, str],
    scratch: Path,
    context: JobContext,
) -> tuple[PartSet, list[ReadFile]]:
    """Read all files that are not there as parts; a source that fails does not keep the others.

    `encodings` are those that were guessed before, by the checksums of files. Also gives all files
    whose parts are there in the end. Raises `DataError` as soon as all together decode to more than
    a merge may.
    """
    found = PartSet(catalog, budgets, losses)
    for name, error in fetched_sources.failures.items():
        found.fail(name, error)
    ready = _prepare_all(known, stored, budgets, encodings, scratch, context)
    tasks: list[Task] = []
    items: list[str] = []
    files: dict[str, list[_Planned]] = {}
    for name, of_source in known.items():
        try:
            planned, made = _plan(
                of_source, ready[name], stored, stages, budgets, len(tasks), scratch
            )
        except (DataError, WrongBytesError) as error:
            # All of a source or nothing: half of one would look like a whole one.
            found.fail(name, error)
            continue
        files[name] = planned
        tasks += made
        items += [name] * len(made)
    every = [each for planned in files.values() for each in planned]
    size = sum(each.known.file.size for each in every if each.reads)
    there = (part for each in every for part in each.parts if isinstance(part, Part))
    spent = sum(part.spent for part in there)
    budgets.check_job(spent)

    def finished(_task: int, result: BuiltPart | FetchedFile) -> None:
        nonlocal spent
        spent += result.part.spent if isinstance(result, BuiltPart) else 0
        budgets.check_job(spent)

    results = context.try_all("read", tasks, items, size, finished)
    for each in every:
        # Only now: while others ran, one of them might have been about to open it.
        if each.check is not None and isinstance(results[each.check], WrongBytesError):
            remove_damaged(each.known.file)
    return found, _accept_all(found, fetched_sources, files, results)


def _accept_all(
    found: PartSet,
    fetched_sources: FetchedSources,
    files: Mapping[str, Sequence[_Planned]],
    results: Sequence[Any],
) -> list[ReadFile]:
    """Take what came of all sources, in their order; gives the files whose parts are there."""
    whole: list[ReadFile] = []
    for fetched in fetched_sources.fetched:
        if fetched.source not in files:
            continue
        before = len(whole)
        try:
            # Of a source that fails, the files before the one that does stay in the list.
            whole += (_read(each, results) for each in files[fetched.source])
        except MindcorpusError as error:
            found.fail(fetched.source, error)
            continue
        read = whole[before:]
        mine = replace(fetched, files=tuple(each.file for each in read))
        found.accept(mine, [(each.file, each.parts) for each in read])
    return whole


_Ready = list[tuple[Path, Prepared | MindcorpusError | None]]


def _prepare_all(
    known: Known,
    stored: Stored,
    budgets: Budgets,
    encodings: Mapping[str, str],
    scratch: Path,
    context: JobContext,
) -> dict[str, _Ready]:
    """Make files ready; gives by source the place of each one's copy, and what came of it.

    That is None where it is known how the file was cut, and nothing is read of a copy of it.
    """
    jobs: list[PrepareJob] = []
    places: list[tuple[str, int]] = []
    found: dict[str, _Ready] = {}
    spent = 0
    for name, files in known.items():
        found[name] = []
        for at, each in enumerate(files):
            target = scratch / f"plain-{len(jobs):05d}"
            found[name].append((target, None))
            if each.cut is not None and not (each.cut.prepared.copied and _lacks(each, stored)):
                spent += each.cut.prepared.spent
                continue
            budget = budgets.of_file(each.file.size)
            jobs.append(PrepareJob(each.source, each.file, budget, target, encodings))
            places.append((name, at))

    def finished(_task: int, result: Prepared) -> None:
        nonlocal spent
        spent += result.spent
        budgets.check_job(spent, "what the sources unpack to")

    budgets.check_job(spent, "what the sources unpack to")
    size = sum(job.file.size for job in jobs)
    tasks = [Task(prepare_file, job) for job in jobs]
    items = [job.source.name for job in jobs]
    results = context.for_bytes(size).try_all("read", tasks, items, size, finished)
    for (name, at), job, result in zip(places, jobs, results, strict=True):
        if isinstance(result, WrongBytesError):
            remove_damaged(job.file)
        found[name][at] = (job.target, result)
    return found


def _lacks(known: KnownFile, stored: Stored) -> bool:
    return any(name not in stored for name in known.parts)


def _plan(
    files: Sequence[KnownFile],
    ready: _Ready,
    stored: Stored,
    stages: tuple[RecordStage, ...],
    budgets: Budgets,
    first: int,
    scratch: Path,
) -> tuple[list[_Planned], list[Task]]:
    planned: list[_Planned] = []
    tasks: list[Task] = []
    for known, (copy, prepared) in zip(files, ready, strict=True):
        if isinstance(prepared, MindcorpusError):
            raise prepared
        file = known.file
        cut = known.cut
        if cut is None:
            assert prepared is not None, "a file that is not cut yet was made ready"
            file = replace(file, guessed=prepared.encoding if prepared.guessed else "")
            cut = Cut.of(prepared, shards_of(known.source, file, prepared, copy))
        shards = cut.at(copy if cut.prepared.copied else file.local)
        budget = budgets.of_shard(file.size, len(shards))
        parts: list[Part | int] = []
        for number in range(len(shards)):
            name = known.parts[number] if known.parts else ""
            if name in stored:
                parts.append(stored[name])
                continue
            at = first + len(tasks)
            target = scratch / f"part-{at:05d}" / TARGET
            job = part_job(known.source, file, shards, number, stages, budget, target)
            tasks.append(Task(build_kept, job))
            parts.append(at)
        check = None
        if not file.sha256:
            check = first + len(tasks)
            tasks.append(Task(_verify, (file, known.source.name)))
        planned.append(_Planned(replace(known, file=file), cut, tuple(parts), check))
    return planned, tasks


def _verify(what: tuple[FetchedFile, str], tick: Callable[[int, int], None]) -> FetchedFile:
    file, source = what
    return verify(file, source, lambda _size: tick(0, 0))


def _read(planned: _Planned, results: Sequence[Any]) -> ReadFile:
    """Give a file with its parts in order; raise the first error any of its tasks met."""
    known, file = planned.known, planned.known.file
    if planned.check is not None:
        file = results[planned.check]
        if isinstance(file, MindcorpusError):
            raise file
    parts: list[Part] = []
    built: dict[int, BuiltPart] = {}
    for number, place in enumerate(planned.parts):
        if isinstance(place, Part):
            parts.append(place)
            continue
        result = results[place]
        if isinstance(result, MindcorpusError):
            if result.row is not None:
                result.row += sum(each.rows for each in parts)
            raise result
        built[number] = result
        parts.append(result.part)
    seen, local = known.seen, known.file.local
    if planned.reads and planned.check is None and seen and not seen.is_unwritten(local):
        # Its parts would be of other bytes than it was hashed with.
        raise changed_meanwhile(known.source.name, file.path)
    is_same = seen is not None and (not planned.reads or seen.holds(local))
    return ReadFile(known, file, planned.cut, tuple(parts), built, is_same)

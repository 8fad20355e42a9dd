"""Every source's files to parts: which shards, which failed, what exactly was read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mindcorpus.artifacts import Staging
from mindcorpus.catalog import SUFFIXES, Catalog, Source
from mindcorpus.crew import Task
from mindcorpus.errors import DataError, MindcorpusError, WrongBytesError
from mindcorpus.fetched import Fetched, FetchedFile, remove_damaged, verify
from mindcorpus.gathering import Gathered
from mindcorpus.lineage import PartOrigin
from mindcorpus.parts import Part, PartJob, build_part
from mindcorpus.reading import plan_shards
from mindcorpus.work import Work


@dataclass(frozen=True)
class _Shards:
    """Where a file's parts stand in the list of all parts."""

    source: Source
    fetched: Fetched
    file: FetchedFile
    tasks: range
    check: int | None
    """The task that hashes the file, if it was not hashed when it was fetched."""


class Harvest:
    """What was read: all parts in catalogue order, the files they came from, and what failed."""

    def __init__(self, catalog: Catalog, gathered: Gathered, staging: Staging) -> None:
        self._catalog = catalog
        self._gathered = gathered
        self._staging = staging
        self.origins: list[PartOrigin] = []
        self.parts: list[Part] = []
        self.inputs: dict[str, Fetched] = {}
        """The sources that were read, with the checksums of their files."""
        self.failures: dict[str, MindcorpusError] = dict(gathered.failures)

    def read(self, work: Work) -> None:
        """Read all files; a source that fails does not keep the others from being read."""
        tasks: list[Task] = []
        items: list[str] = []
        files: list[_Shards] = []
        for fetched in self._gathered.fetched:
            try:
                planned, made = self._plan(fetched, len(tasks))
            except DataError as error:
                # All of a source or nothing: half of one would look like a whole one.
                self._fail(fetched.source, error)
                continue
            files += planned
            tasks += made
            items += [fetched.source] * len(made)
        size = sum(file.file.size for file in files)
        results = work.try_all("read", tasks, items, size)
        for file in files:
            # Only now: while others ran, one of them might have been about to open it.
            if file.check is not None and isinstance(results[file.check], WrongBytesError):
                remove_damaged(file.file)
        for source_files in _by_source(files):
            try:
                found = _parts(source_files, results)
            except MindcorpusError as error:
                self._fail(source_files[0].source.name, error)
                continue
            self._accept(source_files, results)
            for origin, part in found:
                self.origins.append(origin)
                self.parts.append(part)

    def _plan(self, fetched: Fetched, first: int) -> tuple[list[_Shards], list[Task]]:
        source = self._catalog[fetched.source]
        planned: list[_Shards] = []
        tasks: list[Task] = []
        for file in fetched.files:
            shards, made = self._tasks(source, fetched, file, first + len(tasks))
            planned.append(shards)
            tasks += made
        return planned, tasks

    def _tasks(
        self, source: Source, fetched: Fetched, file: FetchedFile, first: int
    ) -> tuple[_Shards, list[Task]]:
        entry = next((entry for entry in source.files if entry.path == file.path), None)
        tasks = []
        tags = (*source.tags, *(entry.tags if entry else ()))
        adapter = source.build_adapter()
        read_as = entry.read_as if entry else SUFFIXES[file.local.suffix.lower()]
        for number, shard in enumerate(plan_shards(file.local, file.path, read_as)):
            target = self._staging.scratch / f"part-{first + number:05d}"
            job = PartJob(shard, source.name, source.type, tags, adapter, target)
            tasks.append(Task(build_part, job))
        shards = range(first, first + len(tasks))
        check = None
        if not file.sha256:
            check = first + len(tasks)
            tasks.append(Task(_verify, (file, source.name)))
        return _Shards(source, fetched, file, shards, check), tasks

    def _fail(self, source: str, error: MindcorpusError) -> None:
        error.source = error.source or source
        self.failures.setdefault(source, error)

    def _accept(self, files: Sequence[_Shards], results: Sequence[Any]) -> None:
        fetched = files[0].fetched
        checked = tuple(
            results[file.check] if file.check is not None else file.file for file in files
        )
        self.inputs[fetched.source] = replace(fetched, files=checked)


def _verify(what: tuple[FetchedFile, str], tick: Callable[[int, int], None]) -> FetchedFile:
    file, source = what
    return verify(file, source, lambda _size: tick(0, 0))


def _by_source(files: Sequence[_Shards]) -> list[list[_Shards]]:
    grouped: dict[str, list[_Shards]] = {}
    for file in files:
        grouped.setdefault(file.source.name, []).append(file)
    return list(grouped.values())


def _parts(files: Sequence[_Shards], results: Sequence[Any]) -> list[tuple[PartOrigin, Part]]:
    """Give the parts of one source in order; raise the first error any of its tasks met."""
    found: list[tuple[PartOrigin, Part]] = []
    for file in files:
        if file.check is not None and isinstance(results[file.check], MindcorpusError):
            raise results[file.check]
        first_row = 0
        for at in file.tasks:
            part = results[at]
            if isinstance(part, MindcorpusError):
                part.row = None if part.row is None else part.row + first_row
                raise part
            origin = PartOrigin(
                index=part.index,
                kept=part.kept,
                source=file.source.name,
                type=file.source.type,
                file=file.file.path,
                revision=file.fetched.revision or file.fetched.origin,
                licence=file.source.licence.id,
                first_row=first_row,
            )
            found.append((origin, part))
            first_row += part.rows
    if not any(part.kept for _, part in found):
        raise _nothing_kept(files[0].source, [part for _, part in found])
    return found


def _nothing_kept(source: Source, parts: Sequence[Part]) -> DataError:
    units = sum(part.units for part in parts)
    first = next((part.first_drop for part in parts if part.first_drop), None)
    if first is None:
        return DataError("the files hold no rows", source=source.name)
    evidence = f": {first.evidence}" if first.evidence else ""
    return DataError(
        f"none of its {units} rows gives a record; the first: {first.reason}{evidence}",
        source=source.name,
        row=first.number,
        hint="Check that the file is the source's, and the columns its catalogue entry names.",
    )

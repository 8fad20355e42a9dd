"""A merge in steps that any process can take, on any host that sees the data folder.

First `find_files`, once for each source; then `make_parts`, for each bundle of its shards; then
`merge_parts`, once. Between the steps travel plain JSON values. The result is the same, to the
byte, as that of `merge`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mindcorpus.errors import DataError, MindcorpusError, WrongBytesError, storage_errors
from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import WorkerPool
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.choice import choose_sources, choose_stages
from mindcorpus.merging.loss import LossPolicy
from mindcorpus.merging.merge import MergeResult, corpus_result, publish_corpus, write_locks
from mindcorpus.merging.part_cache import PartCache, name_of, part_key
from mindcorpus.merging.part_set import PartSet
from mindcorpus.merging.parts import Part, build_part
from mindcorpus.merging.plain_copies import PlainCopies
from mindcorpus.merging.read_sources import part_job, shards_of
from mindcorpus.merging.shards import ShardRef, SourceFiles
from mindcorpus.progress import (
    MERGE,
    Cancellation,
    Progress,
    Reporter,
    Tick,
    WholeJob,
    piece,
    silent,
    written,
)
from mindcorpus.settings import Settings
from mindcorpus.sources.budgets import Budget, Budgets
from mindcorpus.sources.catalog import Source
from mindcorpus.sources.fetching import LOCK, fetch_again, try_fetch
from mindcorpus.sources.files import FetchedFile, remove_damaged, verify
from mindcorpus.sources.hosts import HostVerdicts
from mindcorpus.sources.lock import SourcesLock
from mindcorpus.sources.readers import Shard
from mindcorpus.sources.readers.prepare import Prepared
from mindcorpus.stages.base import RecordStage
from mindcorpus.storage.manifest import amounts_of
from mindcorpus.storage.publishers import Publisher
from mindcorpus.storage.store import Store


def find_files(
    request: MergeRequest,
    name: str,
    settings: Settings,
    report: Reporter,
    cancel: Cancellation,
    hosts: HostVerdicts | None = None,
) -> SourceFiles | None:
    """Bring a source's files here, check them and cut them; None if it is absent.

    `hosts` is what other steps of the merge found out about the servers that it asks. Raises a
    `FetchError`, `DataError` or `SettingsError` of that source, and `CancelledError`.
    """
    source, stages = choose_sources(request, settings)[name], choose_stages(request).of_records
    fetching = piece(report, 0.0, 0.5)
    fetched = try_fetch(source, request, settings, fetching, cancel, hosts or HostVerdicts())
    if fetched is None:
        return None
    check = _Check(name, sum(file.size for file in fetched.files), piece(report, 0.5, 1.0), cancel)
    # Before they are hashed: a change meanwhile shows in the step that reads them.
    stamps = tuple(file.local.stat().st_mtime_ns for file in fetched.files)
    files = tuple(check(file) for file in fetched.files)
    copies = _copies(source, settings, cancel)
    shards = []
    with _blaming(name):
        prepared = copies.prepare(files)
        files = tuple(
            replace(file, guessed=each.encoding if each.guessed else "")
            for file, each in zip(files, prepared, strict=True)
        )
        for at, (file, each) in enumerate(zip(files, prepared, strict=True)):
            for number, shard in enumerate(_shards_of(source, file, each, copies)):
                key = part_key(source, file, shard, stages, each.encoding)
                shards.append(ShardRef(at, number, key))
    fetched = replace(fetched, files=files)
    write_locks([fetched], Store.of(settings), new_only=True)
    return SourceFiles(fetched, stamps, tuple(shards), prepared)


def _copies(source: Source, settings: Settings, cancel: Cancellation) -> PlainCopies:
    store = Store.of(settings)
    encodings = SourcesLock.read(store.data_dir / LOCK).encodings
    return PlainCopies(
        store, Budgets.of(settings), source, encodings, lambda _rows, _size: cancel.check()
    )


def _shards_of(
    source: Source, file: FetchedFile, prepared: Prepared, copies: PlainCopies
) -> list[Shard]:
    copy = copies.path(file, prepared) if prepared.copied else file.local
    return shards_of(source, file, prepared, copy)


def make_parts(
    request: MergeRequest,
    found: SourceFiles,
    shards: Sequence[ShardRef],
    settings: Settings,
    report: Reporter,
    cancel: Cancellation,
    hosts: HostVerdicts | None = None,
) -> list[Part]:
    """Give the parts of some shards of a source, made now if they are not there yet.

    Raises as `find_files`.
    """
    catalog, stages = choose_sources(request, settings), choose_stages(request).of_records
    source = catalog[found.fetched.source]
    store = Store.of(settings)
    stored, budgets = PartCache(store), Budgets.of(settings)
    reading = _Reading(source.name, found.size, report, cancel)
    parts: list[Part] = []
    local: dict[int, _Opened] = {}
    names = [name_of(shard.key, source, stages) for shard in shards]
    copies = _copies(source, settings, cancel)
    used = [
        copies.name(found.fetched.files[at], found.prepared[at].encoding)
        for at in sorted({shard.file for shard in shards})
        if found.prepared[at].copied
    ]
    with store.using([*names, *used]):
        for shard, name in zip(shards, names, strict=True):
            reading.begin_shard(found.size_of(shard))
            part = stored.find(name)
            if part is None:
                if not local:
                    known = hosts or HostVerdicts()
                    local = _open(
                        source, request, found, shards, copies, settings, report, cancel, known
                    )
                opened = local[shard.file]
                budget = budgets.of_shard(opened.file.size, len(opened.shards))
                build = _Build(source, stages, opened, shard.number, budget, reading.tick)
                with _blaming(source.name, first=shard.number == 0):
                    part = stored.make(name, build)
            parts.append(part)
            budgets.check_job(sum(each.spent for each in parts))
            reading.end_shard(part.rows_read)
    return parts


def merge_parts(
    request: MergeRequest,
    outcomes: Mapping[str, SourceFiles | MindcorpusError | None],
    settings: Settings,
    report: Reporter,
    cancel: Cancellation,
    publisher: Publisher | None = None,
) -> MergeResult:
    """Make a corpus of the parts of all sources and publish it.

    `outcomes` names for each source its files, why it has none, or None if it is absent. Raises
    what `merge` raises; what the publisher published in an earlier try is simply given.
    """
    report = WholeJob(report, MERGE)
    catalog = choose_sources(request, settings)
    store = Store.of(settings, publisher)
    if (published := store.published("corpus")) is not None:
        # Whoever published it may have had no time to write the locks.
        read = [
            outcome.fetched for outcome in outcomes.values() if isinstance(outcome, SourceFiles)
        ]
        write_locks(read, store, new_only=False)
        report(written(*amounts_of([published]), published=True))
        return corpus_result(published, catalog, store)
    store.begin("corpus")
    with storage_errors(settings.data_dir):
        store.refuse_to_overwrite("corpus", force=request.force)
    stages = choose_stages(request).of_records
    used = [
        name_of(shard.key, catalog[outcome.fetched.source], stages)
        for outcome in outcomes.values()
        if isinstance(outcome, SourceFiles)
        for shard in outcome.shards
    ]
    with store.using(used):
        found = PartSet(catalog, Budgets.of(settings), LossPolicy.of(request, settings))
        absent = []
        for name in catalog.names:
            outcome = outcomes[name]
            if outcome is None:
                absent.append(name)
            elif isinstance(outcome, MindcorpusError):
                found.fail(name, outcome)
            else:
                _accept(found, request, outcome, settings, cancel)
        context = JobContext(WorkerPool(settings.workers), report, cancel)
        with store.stage("corpus") as staging, storage_errors(settings.data_dir):
            return publish_corpus(
                request, catalog, found, absent, store, staging, context, keep_parts=True
            )


def _accept(
    found: PartSet,
    request: MergeRequest,
    outcome: SourceFiles,
    settings: Settings,
    cancel: Cancellation,
) -> None:
    parts = make_parts(request, outcome, outcome.shards, settings, silent, cancel)
    by_file: list[list[Part]] = [[] for _ in outcome.fetched.files]
    for shard, part in zip(outcome.shards, parts, strict=True):
        by_file[shard.file].append(part)
    found.accept(outcome.fetched, list(zip(outcome.fetched.files, by_file, strict=True)))


class _Check:
    """Hashes files of a source that nobody has hashed, and reports how far it is with them."""

    def __init__(self, source: str, total: int, report: Reporter, cancel: Cancellation) -> None:
        self._source = source
        self._total = total
        self._report = report
        self._cancel = cancel
        self._done = 0

    def __call__(self, file: FetchedFile) -> FetchedFile:
        """Give a file with its sum; one that is damaged in the cache is removed from it."""
        before = self._done
        try:
            return verify(file, self._source, self._tick)
        except WrongBytesError:
            remove_damaged(file)
            raise
        finally:
            self._done = before + file.size

    def _tick(self, size: int) -> None:
        self._cancel.check()
        self._done += size
        self._report(Progress("fetch", self._source, done=self._done, total=self._total))


@dataclass(frozen=True)
class _Opened:
    """A file on this host, how it is cut, and its size and stamp as it was when it was checked."""

    file: FetchedFile
    shards: list[Shard]
    status: tuple[int, int]

    @property
    def changed(self) -> bool:
        """Whether somebody wrote to it since, or removed it."""
        try:
            return _status(self.file) != self.status
        except FileNotFoundError:
            return True


def _open(
    source: Source,
    request: MergeRequest,
    found: SourceFiles,
    shards: Sequence[ShardRef],
    copies: PlainCopies,
    settings: Settings,
    report: Reporter,
    cancel: Cancellation,
    hosts: HostVerdicts,
) -> dict[int, _Opened]:
    """Find the files of shards on this host, fetched again if it has its own cache."""
    fetched = fetch_again(source, found.fetched, request, settings, report, cancel, hosts)
    by_path = {file.path: file for file in fetched.files}
    opened = {}
    for at in sorted({shard.file for shard in shards}):
        known = found.fetched.files[at]
        here = by_path.get(known.path)
        if here is None:
            raise _changed(source, known)
        status = _status(here)
        if status != (known.size, found.stamps[at]):
            check = _Check(source.name, here.size, report, cancel)
            here = check(replace(here, sha256=""))
            if here.sha256 != known.sha256:
                raise _changed(source, known)
        with _blaming(source.name):
            here = replace(here, sha256=known.sha256, guessed=known.guessed)
            cut = _shards_of(source, here, found.prepared[at], copies)
            opened[at] = _Opened(here, cut, status)
    return opened


def _status(file: FetchedFile) -> tuple[int, int]:
    status = file.local.stat()
    return status.st_size, status.st_mtime_ns


def _changed(source: Source, file: FetchedFile) -> WrongBytesError:
    return WrongBytesError(
        "the file was changed while it was merged",
        source=source.name,
        file=file.path,
        hint="Merge again when nobody writes to it.",
    )


@dataclass(frozen=True)
class _Build:
    source: Source
    stages: tuple[RecordStage, ...]
    opened: _Opened
    number: int
    budget: Budget
    tick: Tick

    def __call__(self, target: Path) -> Part:
        file, shards = self.opened.file, self.opened.shards
        job = part_job(self.source, file, shards, self.number, self.stages, self.budget, target)
        part = build_part(job, self.tick)
        if self.opened.changed:
            # Kept under the name of the bytes that were hashed, it would be found again for days.
            raise _changed(self.source, file)
        return part


class _Reading:
    """Counts what is read of some shards, and reports it."""

    def __init__(self, source: str, total: int, report: Reporter, cancel: Cancellation) -> None:
        self._source = source
        self._total = total
        self._report = report
        self._cancel = cancel
        self._rows = self._done = 0
        self._ended = (0, 0)
        self._shard = 0

    def begin_shard(self, size: int) -> None:
        """Begin with a shard that counts for so many bytes of its source, made now or before."""
        self._ended = (self._rows, self._done)
        self._shard = size

    def tick(self, rows: int, size: int) -> None:
        """Count rows and bytes; raises `CancelledError`."""
        self._cancel.check()
        self._rows += rows
        self._done = min(self._done + size, self._ended[1] + self._shard)
        self._tell()

    def end_shard(self, rows: int) -> None:
        """Count a shard as what it is in the end; raises `CancelledError`."""
        self._cancel.check()
        self._rows = self._ended[0] + rows
        self._done = self._ended[1] + self._shard
        self._tell()

    def _tell(self) -> None:
        self._report(Progress("read", self._source, self._rows, self._done, self._total))


@contextmanager
def _blaming(source: str, *, first: bool = True) -> Iterator[None]:
    """Name the source in its data's errors; of a later shard's row nobody knows the number."""
    try:
        yield
    except DataError as error:
        error.source = error.source or source
        if not first:
            error.row = None
        raise

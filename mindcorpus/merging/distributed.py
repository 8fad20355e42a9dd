"""A merge in steps that any process can take, on any host that sees the data folder.

First `find_files`, once for each source; then `make_parts`, for each bundle of its shards; then
`merge_parts` of `distributed_writing.py`, once, or what that leaves to several. Between the steps
travel plain JSON values. The result is the same, to the byte, as that of `merge`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from mindcorpus.errors import (
    DataError,
    StorageError,
    WrongBytesError,
)
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.choice import choose_sources, choose_stages
from mindcorpus.merging.cuts import Cut, Cuts
from mindcorpus.merging.locking import write_locks
from mindcorpus.merging.open_files import part_job, shards_of
from mindcorpus.merging.part_cache import PartCache, name_of, part_key
from mindcorpus.merging.parts import Part, build_part
from mindcorpus.merging.plain_copies import PlainCopies
from mindcorpus.merging.reading import Reuse
from mindcorpus.merging.shards import ShardRef, SourceFiles
from mindcorpus.progress import (
    Cancellation,
    Progress,
    Reporter,
    Tick,
    piece,
)
from mindcorpus.settings import Settings
from mindcorpus.sources.budgets import Budget, Budgets
from mindcorpus.sources.catalog import Source
from mindcorpus.sources.checksums import Checksums, Seen, note_checksums
from mindcorpus.sources.fetching import LOCK, fetch_again, try_fetch
from mindcorpus.sources.files import FetchedFile, changed_meanwhile, remove_damaged, verify
from mindcorpus.sources.hosts import HostVerdicts
from mindcorpus.sources.lock import SourcesLock
from mindcorpus.sources.readers import Shard
from mindcorpus.sources.readers.prepare import Prepared
from mindcorpus.stages.base import RecordStage
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
    store = Store.of(settings)
    checksums = Checksums.read(store)
    # Before they are hashed: a change meanwhile shows in the step that reads them.
    seen = tuple(Seen.of(file.local) for file in fetched.files)
    files = tuple(
        check(file if request.rehash or file.sha256 else checksums.fill_in(file, each.stamp))
        for file, each in zip(fetched.files, seen, strict=True)
    )
    with _blaming(name):
        cuts = _cut(source, files, seen, checksums, settings, cancel)
    files = tuple(
        replace(file, guessed=cut.prepared.encoding if cut.prepared.guessed else "")
        for file, cut in zip(files, cuts, strict=True)
    )
    shards = tuple(
        ShardRef(at, number, part_key(source, file, shard, stages, cut.prepared.encoding))
        for at, (file, cut) in enumerate(zip(files, cuts, strict=True))
        for number, shard in enumerate(cut.shards)
    )
    fetched = replace(fetched, files=files)
    write_locks([fetched], store, new_only=True)
    stamps = tuple(each.stamp.written_ns for each in seen)
    return SourceFiles(fetched, stamps, shards, tuple(cut.prepared for cut in cuts))


def _cut(
    source: Source,
    files: Sequence[FetchedFile],
    seen: Sequence[Seen],
    checksums: Checksums,
    settings: Settings,
    cancel: Cancellation,
) -> list[Cut]:
    """Cut files whose checksums are known, or find how they were cut, and remember both."""
    store, budgets = Store.of(settings), Budgets.of(settings)
    stored = Cuts(store, SourcesLock.read(store.data_dir / LOCK).encodings)
    found = [stored.find(source, file) for file in files]
    cuts = [cut for cut in found if cut is not None]
    if len(cuts) == len(files):
        budgets.check_job(sum(cut.prepared.spent for cut in cuts), "what the sources unpack to")
    else:
        copies = _copies(source, settings, cancel)
        cuts = [
            Cut.of(prepared, _shards_of(source, file, prepared, copies))
            for file, prepared in zip(files, copies.prepare(files), strict=True)
        ]
    noted = [
        (file, each, cut)
        for file, each, cut, before in zip(files, seen, cuts, found, strict=True)
        if (before is None or checksums.lacks(file, each)) and each.holds(file.local)
    ]
    if noted:
        with suppress(OSError, StorageError), store.stage("part") as staging:
            for file, _, cut in noted:
                stored.keep(source, file, cut, staging.scratch)
            both = [(file, each) for file, each, _ in noted]
            note_checksums(store, both, staging.scratch, store.parts_days)
    return cuts


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


class MadeParts(NamedTuple):
    """The parts of some shards, and how many of them were there."""

    parts: list[Part]
    reuse: Reuse


def make_parts(
    request: MergeRequest,
    found: SourceFiles,
    shards: Sequence[ShardRef],
    settings: Settings,
    report: Reporter,
    cancel: Cancellation,
    hosts: HostVerdicts | None = None,
) -> MadeParts:
    """Give the parts of some shards of a source, made now if they are not there whole.

    Raises as `find_files`.
    """
    catalog, stages = choose_sources(request, settings), choose_stages(request).of_records
    source = catalog[found.fetched.source]
    store = Store.of(settings)
    stored, budgets = PartCache(store), Budgets.of(settings)
    reading = _Reading(source.name, found.size, report, cancel)
    parts: list[Part] = []
    made = 0
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
                made += 1
            parts.append(part)
            budgets.check_job(sum(each.spent for each in parts))
            reading.end_shard(part.rows_read)
    return MadeParts(parts, Reuse(len(parts) - made, made, len(stored.damaged)))


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
            raise changed_meanwhile(source.name, known.path)
        status = _status(here)
        if status != (known.size, found.stamps[at]):
            check = _Check(source.name, here.size, report, cancel)
            here = check(replace(here, sha256=""))
            if here.sha256 != known.sha256:
                raise changed_meanwhile(source.name, known.path)
        with _blaming(source.name):
            here = replace(here, sha256=known.sha256, guessed=known.guessed)
            cut = _shards_of(source, here, found.prepared[at], copies)
            opened[at] = _Opened(here, cut, status)
    return opened


def _status(file: FetchedFile) -> tuple[int, int]:
    status = file.local.stat()
    return status.st_size, status.st_mtime_ns


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
            raise changed_meanwhile(self.source.name, file.path)
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

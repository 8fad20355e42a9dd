"""The sources of a merge, brought here and read, as far as their parts are not there already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace

from mindcorpus.errors import StorageError
from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import Task
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.cuts import Cuts
from mindcorpus.merging.known_files import Known, know_files, names_of_parts
from mindcorpus.merging.locking import write_locks
from mindcorpus.merging.loss import LossPolicy
from mindcorpus.merging.part_cache import PartCache, look_up
from mindcorpus.merging.part_set import PartSet
from mindcorpus.merging.parts import Part
from mindcorpus.merging.read_sources import ReadFile, read_sources
from mindcorpus.merging.recipe import recipe_of
from mindcorpus.settings import Settings
from mindcorpus.sources.budgets import Budgets
from mindcorpus.sources.catalog import Catalog
from mindcorpus.sources.checksums import Checksums, note_checksums
from mindcorpus.sources.fetching import LOCK, FetchedSources, fetch_sources
from mindcorpus.sources.lock import SourcesLock
from mindcorpus.stages.base import RecordStage
from mindcorpus.storage.space import make_room
from mindcorpus.storage.staging import Staging
from mindcorpus.storage.store import Store

#: About how many times the bytes of its sources a merge needs free: for parts, and for the corpus.
_PARTS, _CORPUS = 1, 3


@dataclass(frozen=True)
class Reuse:
    """How many parts a merge used, and where it had them from."""

    reused: int = 0
    """They were there."""
    made: int = 0
    damaged: int = 0
    """Of those that were made: they were there, but damaged."""

    def __add__(self, other: Reuse) -> Reuse:
        """Count other parts as well."""
        return Reuse(
            self.reused + other.reused, self.made + other.made, self.damaged + other.damaged
        )

    def after(self, earlier: Reuse) -> Reuse:
        """Count what an earlier step of the same merge made, where this one finds it there."""
        found = max(0, self.reused - earlier.made)
        return Reuse(found, self.made + earlier.made, self.damaged + earlier.damaged)

    def as_dict(self) -> dict[str, int]:
        """Give JSON values."""
        return {"reused": self.reused, "made": self.made, "damaged": self.damaged}


@dataclass(frozen=True)
class FoundSources:
    """The sources of a merge, before any of them is read."""

    fetched: FetchedSources
    known: Known
    cuts: Cuts
    recipe: str
    """What would be made of them; "" where that is not known before they are read."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for each in self.fetched.fetched for file in each.files)


@dataclass(frozen=True)
class SourcesRead:
    """The sources of a merge, read."""

    found: PartSet
    absent: Sequence[str]
    reuse: Reuse
    recipe: str
    """What is made of them; "" where one is missing, or it is not sure what was read of it."""


def find_sources(
    request: MergeRequest,
    catalog: Catalog,
    stages: Sequence[RecordStage],
    settings: Settings,
    store: Store,
    context: JobContext,
) -> FoundSources:
    """Bring the files of a merge's sources here, and find out what is known of them.

    A source that fails is told in what it gives. Raises `CancelledError`.
    """
    fetched = fetch_sources(request, catalog, settings, context.report, context.cancel)
    # What was fetched for the first time is locked at once: a second try fetches only what is
    # missing. Locks that move are written with the corpus: a failed upgrade changes nothing.
    write_locks(fetched.fetched, store, new_only=True)
    cuts = Cuts(store, SourcesLock.read(store.data_dir / LOCK).encodings)
    checksums = Checksums.read(store)
    known = know_files(
        catalog, fetched.fetched, stages, checksums, cuts, context, rehash=request.rehash
    )
    recipe = ""
    if not fetched.failures and all(each.cut for files in known.values() for each in files):
        files = [
            replace(each, files=tuple(one.file for one in known[each.source]))
            for each in fetched.fetched
        ]
        parts = {name: [part for one in of for part in one.parts] for name, of in known.items()}
        recipe = recipe_of(request, catalog, files, parts, fetched.absent, settings)
    return FoundSources(fetched, known, cuts, recipe)


@contextmanager
def read_all(
    sources: FoundSources,
    request: MergeRequest,
    catalog: Catalog,
    stages: tuple[RecordStage, ...],
    settings: Settings,
    store: Store,
    staging: Staging,
    context: JobContext,
) -> Iterator[SourcesRead]:
    """Read sources into parts, but for parts that are there, which stay as long as the context.

    When it ends without an error, what was made is kept for later merges; where a source failed
    and must not, that is done at once. Raises `DataError` where all together decode to more than a
    merge may, and `CancelledError`.
    """
    cache = PartCache(store)
    names = [name for files in sources.known.values() for each in files for name in each.parts]
    size = sum(each.file.size for files in sources.known.values() for each in files)
    there = cache.names_of(names)
    make_room(store, size * (_CORPUS if len(there) == len(names) > 0 else _PARTS + _CORPUS))
    with store.using(there) if there else nullcontext():
        stored, damaged = _look_up(cache, there, size, context)
        found, files = read_sources(
            catalog,
            sources.fetched,
            sources.known,
            stored,
            stages,
            Budgets.of(settings),
            LossPolicy.of(request, settings),
            sources.cuts.encodings,
            staging.scratch,
            context,
        )
        made = sum(len(each.built) for each in files)
        reuse = Reuse(sum(len(each.parts) for each in files) - made, made, damaged)
        recipe = ""
        # One that was written to meanwhile may be made of other bytes than its checksum says.
        if not found.failures and all(each.is_same for each in files):
            parts: dict[str, list[str]] = {}
            for each in files:
                parts.setdefault(each.known.source.name, []).extend(_names(each, stages))
            recipe = recipe_of(
                request, catalog, found.inputs.values(), parts, sources.fetched.absent, settings
            )
        read = SourcesRead(found, sources.fetched.absent, reuse, recipe)
        if found.failures and not request.allow_missing:
            _keep(files, stages, cache, sources.cuts, store, staging)
            yield read
            return
        yield read
        _keep(files, stages, cache, sources.cuts, store, staging)


def note_again(sources: FoundSources, store: Store, staging: Staging) -> None:
    """Remember the checksums of files that are the same, though they look otherwise now."""
    files = [
        (each.file, each.seen)
        for of_source in sources.known.values()
        for each in of_source
        if each.seen is not None
    ]
    with suppress(OSError, StorageError):
        note_checksums(store, files, staging.scratch, store.parts_days)


def _look_up(
    cache: PartCache, there: Sequence[str], size: int, context: JobContext
) -> tuple[dict[str, Part], int]:
    """Give the parts that are whole, by name, and how many are damaged."""
    tasks = [Task(look_up, cache.folder(name)) for name in there]
    found = context.for_bytes(size).try_all("read", tasks, [""] * len(tasks), 0)
    stored = {name: part for name, part in zip(there, found, strict=True) if isinstance(part, Part)}
    return stored, found.count("damaged")


def _names(file: ReadFile, stages: Sequence[RecordStage]) -> tuple[str, ...]:
    known = file.known
    return known.parts or names_of_parts(known.source, file.file, file.cut, stages)


def _keep(
    files: Sequence[ReadFile],
    stages: Sequence[RecordStage],
    cache: PartCache,
    cuts: Cuts,
    store: Store,
    staging: Staging,
) -> None:
    """Keep what was made for later merges, as far as it can be: nobody's work fails by it."""
    noted = []
    for each in files:
        if not each.is_same or each.known.seen is None:
            continue  # the checksum may not be that of what was read
        noted.append((each.file, each.known.seen))
        names = _names(each, stages)
        with suppress(OSError, StorageError):
            for number, built in each.built.items():
                if built.part.records.exists():  # else it went as it was written, for want of room
                    cache.keep(names[number], built)
            if each.known.cut is None:
                cuts.keep(each.known.source, each.file, each.cut, staging.scratch)
    with suppress(OSError, StorageError):
        note_checksums(store, noted, staging.scratch, store.parts_days)

"""From a catalogue to files on this disk: every source fetched, or its failure noted."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from mindcorpus.errors import (
    FetchError,
    MindcorpusError,
    NotFoundError,
    SettingsError,
    cache_errors,
)
from mindcorpus.job_requests import EVERY, MergeRequest
from mindcorpus.privacy import make_folder
from mindcorpus.progress import Cancellation, Reporter, piece
from mindcorpus.remedies import DropRevision
from mindcorpus.settings import Settings
from mindcorpus.sources.added import refuse_outside
from mindcorpus.sources.catalog import Catalog, Source
from mindcorpus.sources.files import Fetched, fetch_local
from mindcorpus.sources.hosts import HostVerdicts
from mindcorpus.sources.lock import LockedFile, LockedSource, SourcesLock

SAMPLE = Path(__file__).parents[1] / "sample"
LOCK = "sources.lock"


@dataclass(frozen=True)
class FetchedSources:
    """The sources' files, in catalogue order, and why others have none."""

    fetched: tuple[Fetched, ...]
    failures: Mapping[str, MindcorpusError]
    absent: tuple[str, ...]
    """Sources without a public home that nobody gave: no failure, but said."""


def fetch_sources(
    request: MergeRequest,
    catalog: Catalog,
    settings: Settings,
    report: Reporter,
    cancel: Cancellation,
) -> FetchedSources:
    """Bring every source's files here; one that fails does not keep the others from being fetched.

    Raises `SettingsError` for a name that no source has.
    """
    for name in (*request.paths, *request.revisions, *(set(request.upgrade) - {EVERY})):
        catalog[name]
    hosts = HostVerdicts()
    fetched: list[Fetched] = []
    failures: dict[str, MindcorpusError] = {}
    absent: list[str] = []
    sizes = known_sizes(catalog, request, settings)
    # Of one that is not known it is as good a guess as any.
    usual = sum(sizes.values()) / len(sizes) if sizes else 1.0
    weights = [max(1.0, sizes.get(source.name, usual)) for source in catalog]
    whole, before = sum(weights), 0.0
    for source, weight in zip(catalog, weights, strict=True):
        cancel.check()
        part = piece(report, before / whole, (before + weight) / whole)
        before += weight
        try:
            found = try_fetch(source, request, settings, part, cancel, hosts)
        except FetchError as error:
            failures[source.name] = error
            continue
        if found is None:
            absent.append(source.name)
        else:
            fetched.append(found)
    return FetchedSources(tuple(fetched), failures, tuple(absent))


def known_sizes(catalog: Catalog, request: MergeRequest, settings: Settings) -> dict[str, int]:
    """Give the bytes of each source that are known before it is fetched: by its lock or its files.

    Asks nobody, and reads no data.
    """
    lock = SourcesLock()
    with suppress(MindcorpusError):  # whoever fetches meets what is wrong with it, and says so
        lock = SourcesLock.read(settings.data_dir / LOCK)
    sizes: dict[str, int] = {}
    for source in catalog:
        home = local_home(source, request, settings)
        if home is None and (locked := lock.sources.get(source.name)):
            sizes[source.name] = sum(file.size for file in locked.files.values())
        elif home is not None:
            with suppress(MindcorpusError, OSError):
                sizes[source.name] = sum(file.size for file in fetch_local(source, home).files)
    return sizes


def try_fetch(
    source: Source,
    request: MergeRequest,
    settings: Settings,
    report: Reporter,
    cancel: Cancellation,
    hosts: HostVerdicts,
) -> Fetched | None:
    """Bring a source's files here; None for one without a public home that nobody gave.

    `hosts` is what the sources of one merge share of the servers they ask.
    Raises a `FetchError`, and `SettingsError` for a revision where there are none.
    """
    lock = SourcesLock.read(settings.data_dir / LOCK)
    try:
        return _fetch(source, request, lock, settings, report, cancel, hosts)
    except NotFoundError:
        if source.absent and source.name not in request.paths and not request.sample:
            return None
        raise


def fetch_again(
    source: Source,
    found: Fetched,
    request: MergeRequest,
    settings: Settings,
    report: Reporter,
    cancel: Cancellation,
    hosts: HostVerdicts,
) -> Fetched:
    """Bring the very files here that were found before, perhaps on another host.

    Raises as `try_fetch`.
    """
    locked = lock_of(found)
    if locked is None:
        return _fetch(source, request, SourcesLock(), settings, report, cancel, hosts)
    from mindcorpus.sources.hub import fetch

    _make_cache(settings)
    return fetch(
        source,
        settings=settings,
        locked=locked,
        revision=found.revision,
        report=report,
        cancel=cancel,
        hosts=hosts,
    )


def _fetch(
    source: Source,
    request: MergeRequest,
    lock: SourcesLock,
    settings: Settings,
    report: Reporter,
    cancel: Cancellation,
    hosts: HostVerdicts,
) -> Fetched:
    name = source.name
    path = request.paths.get(name)
    revision = request.revisions.get(name)
    if revision and (path or source.repository is None):
        raise SettingsError(
            f"{name} has no revisions: it is not read from the hub", remedy=DropRevision()
        )
    home = local_home(source, request, settings)
    if home is not None:
        fetched = fetch_local(source, home)
        if path is None:
            refuse_outside(source, (file.local for file in fetched.files), settings)
        sampled = path is None and request.sample and home == _in_sample(source)
        return replace(fetched, origin="sample") if sampled else fetched
    # Late: the hub's client takes a third of a second to load, and local sources do without.
    from mindcorpus.sources.hub import fetch

    moves = name in request.upgrade or EVERY in request.upgrade
    locked = None if moves else lock.sources.get(name)
    _make_cache(settings)
    return fetch(
        source,
        settings=settings,
        locked=locked,
        revision=revision,
        report=report,
        cancel=cancel,
        hosts=hosts,
    )


def _make_cache(settings: Settings) -> None:
    """Make a cache of our own, closed to others; that of Hugging Face is not ours to close."""
    if settings.cache_dir is not None:
        with cache_errors(settings.cache_dir):
            make_folder(settings.cache_dir)


def local_home(source: Source, request: MergeRequest, settings: Settings) -> Path | None:
    """Give where a source's files are on this host; None for one that is fetched."""
    path = request.paths.get(source.name)
    if path is not None:
        return Path(path).expanduser()
    if request.sample and (home := _in_sample(source)):
        return home
    return None if source.path is None else settings.data_dir / source.path


def _in_sample(source: Source) -> Path | None:
    """Give where the sample holds a source of the project; a user's own are read as ever."""
    if source.repository is not None:
        home = SAMPLE / "datasets" / source.repository
    elif source.path is not None and not Path(source.path).is_absolute():
        home = SAMPLE / source.path
    else:
        return None
    return home if home.exists() else None


def lock_of(fetched: Fetched) -> LockedSource | None:
    """Give the lock entry of a source's files; None for local ones, which are not locked."""
    if fetched.origin in ("local", "sample"):
        return None
    files = {file.path: LockedFile(size=file.size, sha256=file.sha256) for file in fetched.files}
    return LockedSource(
        repository=fetched.origin,
        revision=fetched.revision or "",
        split=fetched.split,
        config=fetched.config,
        files=files,
    )

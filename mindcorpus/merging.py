"""merge(): fetch, read, adapt, clean, de-duplicate, count, write, publish."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mindcorpus.accounts import write_account
from mindcorpus.artifacts import CORPUS, Store
from mindcorpus.assembly import assemble
from mindcorpus.catalog import Catalog, load_catalog
from mindcorpus.crew import Crew
from mindcorpus.errors import PUBLISH_WITHOUT, SettingsError, SourcesError, storage_errors
from mindcorpus.fetched import Fetched
from mindcorpus.gathering import LOCK, gather, lock_of
from mindcorpus.harvest import Harvest
from mindcorpus.progress import Cancellation, Progress, Reporter, silent
from mindcorpus.requests import MergeRequest
from mindcorpus.settings import Settings
from mindcorpus.sources_lock import SourcesLock
from mindcorpus.work import Work


@dataclass(frozen=True)
class MergeResult:
    """A published corpus: where it is and what it holds."""

    manifest: dict[str, Any]
    statistics: dict[str, Any]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    """What a user should know about the sources that were merged, or skipped as absent."""
    missing: tuple[dict[str, Any], ...]
    """Sources that failed and were left out as asked: source, code, reason, hint."""
    json_path: Path
    csv_path: Path
    parquet_path: Path
    lineage_path: Path
    manifest_path: Path


def merge(
    request: MergeRequest,
    settings: Settings,
    report: Reporter = silent,
    cancel: Cancellation | None = None,
) -> MergeResult:
    """Merge the sources a request names into one corpus and publish it.

    The corpus that was there stays whole until the new one is complete. Raises `ExistsError`
    where it may not be replaced, the first failing source's error unless failures are allowed,
    `SettingsError`, `CatalogError`, `StorageError` and `CancelledError`.
    """
    cancel = cancel or Cancellation()
    catalog = _chosen(request)
    store = Store(settings.data_dir)
    with storage_errors(settings.data_dir):
        store.refuse_to_overwrite("corpus", force=request.force)
    work = Work(Crew(settings.workers), report, cancel)
    with store.stage("corpus") as staging, storage_errors(settings.data_dir):
        gathered = gather(request, catalog, settings, report, cancel)
        lock_path = settings.data_dir / LOCK
        # What was fetched for the first time is locked at once: a second try fetches only what is
        # missing. Locks that move are written with the corpus: a failed upgrade changes nothing.
        _lock(gathered.fetched, lock_path, new_only=True)
        harvest = Harvest(catalog, gathered, staging)
        harvest.read(work)
        _refuse(harvest, allow_missing=request.allow_missing)
        statistics, outputs = assemble(harvest, staging, work)
        manifest = write_account(
            request, catalog, harvest, gathered.absent, statistics, outputs, staging
        )
        report(Progress("publish"))
        cancel.check()
        store.publish("corpus", staging.output, staging, force=request.force)
        _lock(harvest.inputs.values(), lock_path, new_only=False)
    notes = [f"{name}: {note}" for name in harvest.inputs if (note := catalog[name].note)]
    return MergeResult(
        manifest=manifest,
        statistics=manifest["statistics"],
        warnings=tuple(manifest["warnings"]),
        notes=(*notes, *(catalog[name].absent for name in gathered.absent)),
        missing=tuple(manifest["missing"]),
        json_path=store.path("corpus", f"{CORPUS}.json"),
        csv_path=store.path("corpus", f"{CORPUS}.csv"),
        parquet_path=store.path("corpus", f"{CORPUS}.parquet"),
        lineage_path=store.path("corpus", f"{CORPUS}.lineage.parquet"),
        manifest_path=store.path("corpus", f"{CORPUS}.manifest.json"),
    )


def _chosen(request: MergeRequest) -> Catalog:
    return (
        load_catalog([Path(file) for file in request.catalogs])
        .with_options(request.options)
        .choose(request.sources, request.exclude, commercial_only=request.commercial_only)
    )


def _lock(fetched: Iterable[Fetched], path: Path, *, new_only: bool) -> None:
    # Read anew: another merge may have locked other sources meanwhile.
    lock = SourcesLock.read(path)
    entries = {
        each.source: entry
        for each in fetched
        if all(file.sha256 for file in each.files) and (entry := lock_of(each))
        if not (new_only and each.source in lock.sources)
    }
    if entries:
        lock.with_sources(entries).write(path)


def _refuse(harvest: Harvest, *, allow_missing: bool) -> None:
    """Raise the first failure, naming the others, unless publishing without them was asked for."""
    if harvest.failures and not allow_missing:
        first, *others = harvest.failures.values()
        if others:
            raise SourcesError((first, *others))
        first.hint = f"{first.hint} {PUBLISH_WITHOUT}".strip()
        raise first
    if not harvest.parts:
        raise SettingsError(
            "no source is left to merge", hint="Look at --source, --exclude and what failed."
        )

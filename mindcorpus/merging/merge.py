"""merge(): fetch, read, adapt, clean, de-duplicate, count, write, publish."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mindcorpus.errors import SettingsError, SourcesError, TooManyLostError, storage_errors
from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import WorkerPool
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.account import write_account
from mindcorpus.merging.assemble import assemble
from mindcorpus.merging.choice import choose_sources, choose_stages, with_added
from mindcorpus.merging.loss import LossPolicy, error_of_several
from mindcorpus.merging.part_set import PartSet
from mindcorpus.merging.read_sources import read_sources
from mindcorpus.notebook_view import table_html
from mindcorpus.progress import MERGE, Cancellation, Reporter, WholeJob, silent, written
from mindcorpus.remedies import AllowMissing, ChooseOthers, with_more
from mindcorpus.settings import Settings
from mindcorpus.sources.budgets import Budgets
from mindcorpus.sources.catalog import Catalog
from mindcorpus.sources.fetching import LOCK, fetch_sources, lock_of
from mindcorpus.sources.files import Fetched
from mindcorpus.sources.hosts import by_host
from mindcorpus.sources.lock import SourcesLock
from mindcorpus.storage.exports import exports_holding
from mindcorpus.storage.kinds import CORPUS
from mindcorpus.storage.manifest import amounts_of, read_manifest
from mindcorpus.storage.space import keep_to_share
from mindcorpus.storage.staging import Staging
from mindcorpus.storage.store import Store

if TYPE_CHECKING:
    import pandas as pd
    from datasets import DatasetDict


@dataclass(frozen=True, repr=False)
class MergeResult:
    """A published corpus: where it is and what it holds."""

    manifest: dict[str, Any]
    statistics: dict[str, Any]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    """What a user should know about the sources that were merged, or skipped as absent."""
    missing: tuple[dict[str, Any], ...]
    """Sources that failed and were left out as asked: source, code, reason, hint."""
    exports_holding: dict[str, list[str]]
    """By format that exists, the sources of which it holds records though the corpus has none."""
    json_path: Path
    csv_path: Path
    parquet_path: Path
    lineage_path: Path
    manifest_path: Path

    def __repr__(self) -> str:
        sources = len(self.manifest["sources"])
        return (
            f"<MergeResult: {self.manifest['rows']:,} records of {sources} "
            f"{'source' if sources == 1 else 'sources'}, {self.json_path}>"
        )

    def _repr_html_(self) -> str:
        return table_html(
            f"Corpus: {self.manifest['rows']:,} records",
            {
                "path": self.json_path,
                "records": self.statistics["by_source"],
                "missing": [each["source"] for each in self.missing],
                "notes": self.notes,
                "warnings": self.warnings,
            },
        )

    def to_datasets(self) -> DatasetDict:
        """Load the corpus with `datasets`, which keeps a copy in its cache.

        It is not split: all of it is `train`, as `datasets` calls what has no parts.
        """
        import datasets

        files = [str(path) for path in sorted(self.parquet_path.iterdir())]
        return datasets.load_dataset("parquet", data_files={"train": files})

    def to_pandas(self) -> pd.DataFrame:
        """Read the corpus into one table, a record a row, as the Parquet files have it."""
        import pandas as pd

        return pd.read_parquet(self.parquet_path)


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
    cancel, report = cancel or Cancellation(), WholeJob(report, MERGE)
    request = with_added(request, settings)
    catalog, stages = choose_sources(request, settings), choose_stages(request)
    store = Store.of(settings)
    with storage_errors(settings.data_dir):
        store.refuse_to_overwrite("corpus", force=request.force)
    with store.stage("corpus") as staging, storage_errors(settings.data_dir):
        fetched_sources = fetch_sources(request, catalog, settings, report, cancel)
        # What was fetched for the first time is locked at once: a second try fetches only what is
        # missing. Locks that move are written with the corpus: a failed upgrade changes nothing.
        write_locks(fetched_sources.fetched, store, new_only=True)
        size = sum(file.size for each in fetched_sources.fetched for file in each.files)
        context = JobContext(WorkerPool(settings.workers_for(size)), report, cancel)
        budgets, losses = Budgets.of(settings), LossPolicy.of(request, settings)
        found = read_sources(
            catalog,
            fetched_sources,
            stages.of_records,
            budgets,
            losses,
            SourcesLock.read(store.data_dir / LOCK).encodings,
            staging.scratch,
            context,
        )
        return publish_corpus(
            request, catalog, found, fetched_sources.absent, store, staging, context
        )


def publish_corpus(
    request: MergeRequest,
    catalog: Catalog,
    found: PartSet,
    absent: Sequence[str],
    store: Store,
    staging: Staging,
    context: JobContext,
    *,
    keep_parts: bool = False,
) -> MergeResult:
    """Make a corpus of what was read and publish it; raises what `merge` raises from there on.

    `absent` are sources without a public home that nobody gave; `keep_parts` leaves the parts
    where they are.
    """
    _refuse(found, allow_missing=request.allow_missing)
    stages = choose_stages(request)
    statistics, outputs = assemble(found, stages.of_corpus, staging, context, keep_parts=keep_parts)
    write_account(request, catalog, found, absent, statistics, outputs, staging)
    # What is told is what was staged: once it is published, another may replace it at any moment.
    manifest = read_manifest(staging.output)
    amounts = amounts_of([manifest])
    context.report(written(*amounts))
    context.cancel.check()
    store.publish("corpus", staging.output, staging, force=request.force)
    write_locks(found.inputs.values(), store, new_only=False)
    keep_to_share(store)
    context.report(written(*amounts, published=True))
    return corpus_result(manifest, catalog, store)


def corpus_result(manifest: dict[str, Any], catalog: Catalog, store: Store) -> MergeResult:
    """Tell what a merge published, by its manifest; `catalog` adds what to know of its sources."""
    names = [source["name"] for source in manifest["sources"]]
    notes = [f"{name}: {note}" for name in names if (note := catalog[name].note)]
    notes += [
        f"{source['name']}: not read: {each['path']} ({each['reason']})"
        for source in manifest["sources"]
        for each in source.get("not_read", [])
    ]
    return MergeResult(
        manifest=manifest,
        statistics=manifest["statistics"],
        warnings=tuple(manifest["warnings"]),
        notes=(*notes, *(catalog[name].absent for name in manifest["absent"])),
        missing=tuple(manifest["missing"]),
        exports_holding=exports_holding(store, manifest),
        json_path=store.path("corpus", f"{CORPUS}.json"),
        csv_path=store.path("corpus", f"{CORPUS}.csv"),
        parquet_path=store.path("corpus", f"{CORPUS}.parquet"),
        lineage_path=store.path("corpus", f"{CORPUS}.lineage.parquet"),
        manifest_path=store.path("corpus", f"{CORPUS}.manifest.json"),
    )


def write_locks(fetched: Iterable[Fetched], store: Store, *, new_only: bool) -> None:
    """Write which commits and files were merged into `sources.lock`, and what was guessed of them.

    `new_only` changes nothing of what stands there.
    """
    fetched = list(fetched)
    encodings = {
        file.sha256: file.guessed for each in fetched for file in each.files if file.guessed
    }
    entries = {
        each.source: entry
        for each in fetched
        if all(file.sha256 for file in each.files) and (entry := lock_of(each))
    }
    path = store.data_dir / LOCK
    with store.locked():
        # Read anew: another merge may have locked other sources meanwhile.
        lock = SourcesLock.read(path)
        entries = {
            name: entry
            for name, entry in entries.items()
            if not (new_only and name in lock.sources) and lock.sources.get(name) != entry
        }
        if entries or not encodings.items() <= lock.encodings.items():
            lock.with_sources(entries, encodings).write(path)
            store.close(path)


def _refuse(found: PartSet, *, allow_missing: bool) -> None:
    """Raise the first failure, naming the others, unless publishing without them was asked for."""
    if found.failures and not allow_missing:
        failures = tuple(found.failures.values())
        lost = [error for error in failures if isinstance(error, TooManyLostError)]
        alike = [error_of_several(lost)] if len(lost) == len(failures) else by_host(failures)
        first, *others = alike
        if others:
            raise SourcesError(failures)
        if found.parts or len(failures) == 1:
            first.remedy = with_more(first.remedy, AllowMissing())
        raise first
    if not found.parts:
        raise SettingsError("no source is left to merge", remedy=ChooseOthers())

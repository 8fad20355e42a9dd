"""merge(): fetch, read, adapt, clean, de-duplicate, count, write, publish."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mindcorpus.errors import SettingsError, SourcesError, TooManyLostError, storage_errors
from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import WorkerPool
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.account import write_account
from mindcorpus.merging.assemble import CorpusPlan, WrittenCorpus, plan_corpus, write_corpus
from mindcorpus.merging.choice import choose_sources, choose_stages, with_added
from mindcorpus.merging.locking import write_locks
from mindcorpus.merging.loss import error_of_several
from mindcorpus.merging.part_set import PartSet
from mindcorpus.merging.reading import (
    FoundSources,
    Reuse,
    SourcesRead,
    find_sources,
    note_again,
    read_all,
)
from mindcorpus.merging.recipe import find_made, note_made
from mindcorpus.notebook_view import table_html
from mindcorpus.progress import MERGE, Cancellation, Reporter, WholeJob, silent, written
from mindcorpus.remedies import AllowMissing, ChooseOthers, with_more
from mindcorpus.settings import Settings
from mindcorpus.sources.catalog import Catalog
from mindcorpus.sources.hosts import by_host
from mindcorpus.storage.exports import exports_holding
from mindcorpus.storage.kinds import CORPUS
from mindcorpus.storage.manifest import amounts_of, read_manifest
from mindcorpus.storage.space import keep_to_share, make_room
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
    unchanged: bool
    """Whether nothing had changed: the corpus is the one that was there."""
    parts: dict[str, int]
    """Of how many parts of sources it is made: `reused`, `made`, and of these how many were there
    but `damaged`."""
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
    context = JobContext(WorkerPool(settings.workers), report, cancel)
    with store.stage("corpus") as staging, storage_errors(settings.data_dir):
        sources = find_sources(request, catalog, stages.of_records, settings, store, context)
        if (there := unchanged(sources, request, catalog, store, staging)) is not None:
            report(written(*amounts_of([there.manifest]), published=True))
            return there
        context = replace(context, pool=WorkerPool(settings.workers_for(sources.size)))
        with read_all(
            sources, request, catalog, stages.of_records, settings, store, staging, context
        ) as read:
            result = publish_corpus(request, catalog, read, store, staging, context)
    keep_to_share(store)
    report(written(*amounts_of([result.manifest]), published=True))
    return result


def unchanged(
    sources: FoundSources,
    request: MergeRequest,
    catalog: Catalog,
    store: Store,
    staging: Staging,
) -> MergeResult | None:
    """Give the corpus that is there if it is what would be made of some sources; else None."""
    if request.rehash or not sources.recipe:
        return None
    manifest = find_made(store, sources.recipe)
    if manifest is None:
        return None
    note_again(sources, store, staging)
    parts = sum(len(each.parts) for files in sources.known.values() for each in files)
    return corpus_result(manifest, catalog, store, Reuse(reused=parts), unchanged=True)


def publish_corpus(
    request: MergeRequest,
    catalog: Catalog,
    read: SourcesRead,
    store: Store,
    staging: Staging,
    context: JobContext,
) -> MergeResult:
    """Make a corpus of what was read and publish it; raises what `merge` raises from there on."""
    plan = plan_read(request, read, store, staging, context)
    files = write_corpus(plan, context)
    return publish_written(request, catalog, read, files, store, staging, context)


def plan_read(
    request: MergeRequest, read: SourcesRead, store: Store, staging: Staging, context: JobContext
) -> CorpusPlan:
    """Plan a corpus of what was read; raises what `merge` raises of sources that failed."""
    refuse_failures(read.found, allow_missing=request.allow_missing)
    stages = choose_stages(request)
    return plan_corpus(
        read.found, stages.of_corpus, staging, context, lambda size: make_room(store, size)
    )


def publish_written(
    request: MergeRequest,
    catalog: Catalog,
    read: SourcesRead,
    files: WrittenCorpus,
    store: Store,
    staging: Staging,
    context: JobContext,
    last: Callable[[], object] = lambda: None,
) -> MergeResult:
    """Publish a corpus that was written as it was planned; raises what `merge` raises then.

    `last` is called when nothing but the publishing is left.
    """
    statistics, outputs = files
    write_account(request, catalog, read.found, read.absent, statistics, outputs, staging)
    manifest = read_manifest(staging.output)
    context.report(written(*amounts_of([manifest])))
    context.cancel.check()
    last()
    # What is told is what was staged: once it is published, another may replace it at any moment.
    publish_staged(request, read, store, staging)
    return corpus_result(manifest, catalog, store, read.reuse)


def publish_staged(
    request: MergeRequest, read: SourcesRead, store: Store, staging: Staging
) -> None:
    """Publish a corpus that is complete in the staging area, and lock what it was made of."""
    folder = store.publish("corpus", staging.output, staging, force=request.force)
    write_locks(read.found.inputs.values(), store, new_only=False)
    if read.recipe:
        note_made(store, read.recipe, folder, staging.scratch)


def corpus_result(
    manifest: dict[str, Any],
    catalog: Catalog,
    store: Store,
    reuse: Reuse,
    *,
    unchanged: bool = False,
) -> MergeResult:
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
        unchanged=unchanged,
        parts=reuse.as_dict(),
        exports_holding=exports_holding(store, manifest),
        json_path=store.path("corpus", f"{CORPUS}.json"),
        csv_path=store.path("corpus", f"{CORPUS}.csv"),
        parquet_path=store.path("corpus", f"{CORPUS}.parquet"),
        lineage_path=store.path("corpus", f"{CORPUS}.lineage.parquet"),
        manifest_path=store.path("corpus", f"{CORPUS}.manifest.json"),
    )


def refuse_failures(found: PartSet, *, allow_missing: bool) -> None:
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

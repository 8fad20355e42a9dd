"""prepare(): make training formats of the corpus, and publish each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import WorkerPool
from mindcorpus.formats.chat_check import Finding
from mindcorpus.formats.registry import names_of
from mindcorpus.job_requests import DEFAULTED, PrepareRequest
from mindcorpus.notebook_view import table_html
from mindcorpus.preparing.beginning import Begun, begun
from mindcorpus.preparing.deciding import (
    publish_split,
    stage_split,
)
from mindcorpus.preparing.loading import load_parts, table_of
from mindcorpus.preparing.making import Making
from mindcorpus.preparing.not_made import not_made
from mindcorpus.preparing.planning import Plan, Wanted
from mindcorpus.progress import (
    PREPARE,
    Cancellation,
    Reporter,
    WholeJob,
    silent,
    written,
)
from mindcorpus.settings import Settings
from mindcorpus.storage.exports import trained_tokens
from mindcorpus.storage.kinds import KINDS
from mindcorpus.storage.manifest import (
    amounts_of,
    read_manifest,
)
from mindcorpus.storage.publishers import Publisher
from mindcorpus.storage.space import keep_to_share
from mindcorpus.storage.staging import Staging
from mindcorpus.storage.store import Store
from mindcorpus.tokens.lengths import cost

if TYPE_CHECKING:
    import pandas as pd
    from datasets import DatasetDict


_Left = TypeVar("_Left")
Leave = Callable[[Begun, Plan, Staging], _Left | None]
"""Hands a plan, and the area that it is staged in, over to others; None: it does not."""


@dataclass(frozen=True, repr=False)
class PrepareResult:
    """A published training format: where it is and what it holds."""

    format: str
    path: Path
    manifest_path: Path
    rows: int
    skipped: dict[str, int]
    """Rows of the corpus that were left out, by reason."""
    changed: dict[str, int]
    """Rows that the format holds without something of theirs, by a word for it."""
    repeats: dict[str, int]
    """Records that are there again, by source, as `mix` asks for."""
    corpus_sha256: str
    """Of which corpus it was made: the sha256 of that one's manifest."""
    warnings: tuple[str, ...]
    split: dict[str, Any] | None
    """The proof of the split, where it is split: parts, share, overlap, by_source, note."""
    findings: tuple[Finding, ...]
    """What a provider's rules find in it."""
    manifest: dict[str, Any]
    folder: Path
    """The build itself: it stays this one, whatever `path` leads to later."""

    def __repr__(self) -> str:
        parts = "".join(f", {name} {count:,}" for name, count in self._parts.items())
        return f"<PrepareResult {self.format}: {self.rows:,} rows{parts}, {self.path}>"

    def _repr_html_(self) -> str:
        return table_html(
            f"{self.manifest.get('title', self.format)}: {self.rows:,} rows",
            {
                "path": self.path,
                "parts": self._parts,
                "left out": self.skipped,
                "changed": self.changed,
                "repeated": self.repeats,
                "warnings": self.warnings,
            },
        )

    @property
    def _parts(self) -> dict[str, int]:
        return (
            {name: each["rows"] for name, each in self.split["parts"].items()} if self.split else {}
        )

    def to_datasets(self, section: str | None = None) -> DatasetDict:
        """Load its parts with `datasets`, as its readers do, which keeps a copy in its cache.

        A format of several sections has them one at a time, the first unless one is named; raises
        `SettingsError` for a section that it has not.
        """
        return load_parts(self.folder, self.manifest, section)

    def to_pandas(self, section: str | None = None) -> pd.DataFrame:
        """Read its records into one table, with the `part` of each; sections as `to_datasets`."""
        return table_of(self.folder, self.manifest, section)

    def training_cost(self, price_per_million: Decimal, epochs: int = 1) -> Decimal:
        """Give what training on it costs at a price for a million tokens, which is yours to know.

        What is trained on is the train part, or, of a format that is one file, all of it; of a
        format of several sections, the first. Raises `SettingsError` for a price below 0, or no
        epoch.
        """
        return cost(trained_tokens(self.manifest), price_per_million, epochs)


def prepare(
    request: PrepareRequest,
    settings: Settings,
    report: Reporter = silent,
    cancel: Cancellation | None = None,
    publisher: Publisher | None = None,
) -> dict[str, PrepareResult]:
    """Make training formats of the corpus and publish each; what was there stays until then.

    It is made of the corpus there is when it begins, also where a merge replaces that meanwhile.
    A format that exists is made anew where it is outdated, with the settings of its own manifest
    unless the request has others; one that is up to date stays. All obey the split of the corpus,
    which is decided once, and anew where the request asks for another.
    Raises `NoCorpusError`, `CorruptArtifactError` for a corpus that is not whole, `ArtifactError`
    where somebody removes it meanwhile, `ExistsError` where a format may not be replaced (all are
    up to date, one would have other settings or was changed by hand, or the split would change),
    `StorageError`, `CancelledError`, and `SettingsError` for names that no format has or that the
    corpus does not hold, and, once the others are published, for a format that cannot be loaded.
    """
    cancel = cancel or Cancellation()
    made = prepare_or_leave(request, settings, report, cancel, publisher, _leave_nothing)
    assert made is not None
    return made


def _leave_nothing(_begin: Begun, _plan: Plan, _staging: Staging) -> None:
    """Leave all of a plan to who made it."""


def prepare_or_leave(
    request: PrepareRequest,
    settings: Settings,
    report: Reporter,
    cancel: Cancellation,
    publisher: Publisher | None,
    leave: Leave[_Left],
) -> dict[str, PrepareResult] | _Left:
    """Do as `prepare`, unless `leave` gives something for a plan, which is then left to others."""
    report = WholeJob(report, PREPARE)
    context = JobContext(WorkerPool(settings.workers), report, cancel)
    request = request.with_defaults(settings.model_dump(include=set(DEFAULTED)))
    store = Store.of(settings, publisher)
    with begun(request, settings, store, context) as begin:
        if begin is None:
            return published_before(request, store, report)
        context = replace(context, pool=WorkerPool(settings.workers_for(begin.size)))
        with store.stage("formats") as staging:
            making = Making(begin.wanted, begin.split, begin.rows, staging)
            plan = begin.plan(making, context)
            if (left := leave(begin, plan, staging)) is not None:
                return left
            folders = making.finish(plan, *making.write(plan, context), begin.source, begin.split)
            published = publish_made(begin, request, folders, store, staging, context)
    return told(begin, published, store)


@dataclass(frozen=True)
class Published:
    """What a prepare published: the manifest of each format, and where those that are new lie."""

    made: dict[str, dict[str, Any]]
    builds: dict[str, Path]


def publish_made(
    begin: Begun,
    request: PrepareRequest,
    folders: Mapping[str, Path],
    store: Store,
    staging: Staging,
    context: JobContext,
) -> Published:
    """Publish formats that are complete in the staging area, and the split before them.

    What this store's publisher published in an earlier try is not published again. Raises as
    `prepare` does then.
    """
    names = names_of(request.format, request.formats)
    earlier = {name: found for name in names if (found := store.published(name)) is not None}
    folders = {name: folder for name, folder in folders.items() if name not in earlier}
    # What is told is what was staged: another may replace it once it is published.
    staged = {name: read_manifest(folder) for name, folder in folders.items()}
    made = {**earlier, **begin.kept, **staged}
    sha256 = begin.source.sha256
    folder = stage_split(staging, begin.split, begin.rows, sha256)
    context.report(written(*amounts_of(made.values())))
    context.cancel.check()
    # First: formats of a split that is not there yet would pass for outdated.
    publish_split(store, folder, begin.split, sha256, staging, begin.known, request)
    builds = publish_formats(store, folders, begin.wanted, staging, force=request.force)
    context.report(written(*amounts_of(made.values()), published=True))
    return Published({name: made[name] for name in names if name in made}, builds)


def told(begin: Begun, published: Published, store: Store) -> dict[str, PrepareResult]:
    """Tell what was published; raises `SettingsError` where some formats could not be made."""
    keep_to_share(store)
    if begin.broken:
        raise not_made(begin.broken, published.made)
    return {
        name: prepare_result(name, manifest, store, published.builds.get(name))
        for name, manifest in published.made.items()
    }


def published_before(
    request: PrepareRequest, store: Store, report: Reporter
) -> dict[str, PrepareResult]:
    """Tell of formats that this store's publisher published in an earlier try."""
    made = {}
    for name in names_of(request.format, request.formats):
        manifest = store.published(name)
        assert manifest is not None, "nothing was left to make"
        made[name] = manifest
    report(written(*amounts_of(made.values()), published=True))
    return {name: prepare_result(name, manifest, store) for name, manifest in made.items()}


def publish_formats(
    store: Store,
    folders: Mapping[str, Path],
    wanted: Mapping[str, Wanted],
    staging: Staging,
    *,
    force: bool,
) -> dict[str, Path]:
    """Publish formats that were staged; give the folder of each by its name."""
    return {
        name: store.publish(name, folder, staging, force=force, replaces=wanted[name].replaces)
        for name, folder in folders.items()
    }


def prepare_result(
    name: str, manifest: dict[str, Any], store: Store, build: Path | None = None
) -> PrepareResult:
    """Tell what was published of a format, by its manifest; `build` is its folder, if known."""
    return PrepareResult(
        format=name,
        path=store.path(name),
        manifest_path=store.data_dir / KINDS[name].manifest,
        rows=manifest["rows"],
        skipped=manifest["skipped"],
        # A format of an earlier release knows no conversations.
        changed=manifest.get("changed", {}),
        repeats=manifest.get("repeats", {}),
        corpus_sha256=manifest["corpus_sha256"],
        warnings=tuple(manifest["warnings"]),
        split=manifest["split"],
        findings=tuple(Finding(**finding) for finding in manifest["findings"]),
        manifest=manifest,
        folder=build or store.folder(name),
    )

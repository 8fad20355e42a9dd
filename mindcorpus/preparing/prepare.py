"""prepare(): make training formats of the corpus, and publish each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mindcorpus.errors import (
    ArtifactError,
    CorruptArtifactError,
    storage_errors,
)
from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import WorkerPool
from mindcorpus.formats.chat_check import Finding
from mindcorpus.formats.registry import names_of
from mindcorpus.job_requests import DEFAULTED, SPLITTING, PrepareRequest
from mindcorpus.notebook_view import table_html
from mindcorpus.preparing.corpus_files import CorpusFiles
from mindcorpus.preparing.corpus_split import SplitSettings, decide, known_split
from mindcorpus.preparing.deciding import (
    choose,
    load_all,
    publish_split,
    refuse_another_split,
    stage_split,
)
from mindcorpus.preparing.loading import load_parts, table_of
from mindcorpus.preparing.making import Making
from mindcorpus.preparing.not_made import not_made
from mindcorpus.preparing.planning import Wanted
from mindcorpus.preparing.standing import default_shares
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
from mindcorpus.storage.kinds import CORPUS, KINDS
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
    cancel, report = cancel or Cancellation(), WholeJob(report, PREPARE)
    defaults = settings.model_dump(include=set(DEFAULTED))
    request, plain = request.with_defaults(defaults), PrepareRequest().with_defaults(defaults)
    names = names_of(request.format, request.formats)
    store = Store.of(settings, publisher)
    with storage_errors(settings.data_dir), store.reading("corpus") as corpus:
        published = {name: store.published(name) for name in names}
        made = {name: manifest for name, manifest in published.items() if manifest is not None}
        missing = [name for name in names if name not in made]
        if not missing:
            report(written(*amounts_of(made.values()), published=True))
            return {name: prepare_result(name, made[name], store) for name in names}
        classes, broken = load_all(missing)
        store.refuse_foreign("split")
        store.begin("split", *classes)
        with _unless_removed(corpus):
            context = JobContext(WorkerPool(settings.workers_for(_size_of(corpus))), report, cancel)
            source = CorpusFiles(corpus)
            known = known_split(store, source.sha256)
            asked = SplitSettings.of(
                request.model_dump(include=set(SPLITTING)),
                {**default_shares(settings), **(known.settings or {})},
            )
            split, rows = known.split, None
            if split is None or split.settings != asked:
                rows = source.read_rows(report)
                split = decide(rows, asked).of_corpus(source.sha256)
                if known.split is not None and split.id != known.split.id:
                    refuse_another_split(store, known.split, force=request.force)
            wanted, kept = choose(store, classes, request, plain, known.base)
            made.update(kept)
            # Not sooner than needed: where nothing is to be made, nothing is read.
            rows = rows or source.read_rows(report)
            cancel.check()
            with store.stage("formats") as staging:
                making = Making(wanted, split, rows, staging)
                plan = making.plan(source.parts(), source.unchangeable(), context, broken)
                folders = making.finish(plan, *making.write(plan, context), source, split)
                # What is told is what was staged: another may replace it once it is published.
                made.update((name, read_manifest(folder)) for name, folder in folders.items())
                folder = stage_split(staging, split, rows, source.sha256)
                report(written(*amounts_of(made.values())))
                cancel.check()
                # First: formats of a split that is not there yet would pass for outdated.
                publish_split(store, folder, split, source.sha256, staging, known, request)
                builds = publish_formats(store, folders, wanted, staging, force=request.force)
                report(written(*amounts_of(made.values()), published=True))
    keep_to_share(store)
    if broken:
        raise not_made(broken, made)
    return {
        name: prepare_result(name, made[name], store, builds.get(name))
        for name in names
        if name in made
    }


def _size_of(corpus: Path) -> int:
    """Give the bytes of all texts of a corpus, or about as many; 0 for one that is not whole."""
    csv = corpus / f"{CORPUS}.csv"
    return csv.stat().st_size if csv.is_file() else 0


@contextmanager
def _unless_removed(corpus: Path) -> Iterator[None]:
    """Tell a corpus that is gone, by a person's hand or an old mindcorpus', from a damaged one."""
    try:
        yield
    except (FileNotFoundError, CorruptArtifactError) as error:
        if corpus.exists() and not isinstance(error, FileNotFoundError):
            raise
        raise ArtifactError(
            "the corpus was removed while formats were made of it", hint="Prepare them again."
        ) from error


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

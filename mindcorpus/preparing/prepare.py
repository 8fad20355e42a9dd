"""prepare(): make training formats of the corpus, and publish each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mindcorpus.errors import ArtifactError, CorruptArtifactError, SettingsError, storage_errors
from mindcorpus.formats.base import Format
from mindcorpus.formats.chat_check import Finding
from mindcorpus.formats.registry import load, names_of
from mindcorpus.job_requests import DEFAULTED, PrepareRequest
from mindcorpus.preparing.making import Making
from mindcorpus.progress import (
    PREPARE,
    Cancellation,
    Reporter,
    WholeJob,
    silent,
    written,
)
from mindcorpus.settings import Settings
from mindcorpus.storage.kinds import KINDS
from mindcorpus.storage.manifest import (
    amounts_of,
    read_manifest,
)
from mindcorpus.storage.publishers import Publisher
from mindcorpus.storage.space import keep_to_share
from mindcorpus.storage.store import Store


@dataclass(frozen=True)
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
    corpus_sha256: str
    """Of which corpus it was made: the sha256 of that one's manifest."""
    warnings: tuple[str, ...]
    split: dict[str, Any] | None
    """The proof of the split, where it is split: parts, share, overlap, by_source, note."""
    findings: tuple[Finding, ...]
    """What a provider's rules find in it."""
    manifest: dict[str, Any]


def prepare(
    request: PrepareRequest,
    settings: Settings,
    report: Reporter = silent,
    cancel: Cancellation | None = None,
    publisher: Publisher | None = None,
) -> dict[str, PrepareResult]:
    """Make training formats of the corpus and publish each; what was there stays until then.

    It is made of the corpus there is when it begins, also where a merge replaces that meanwhile.
    Raises `NoCorpusError`, `CorruptArtifactError` for a corpus that is not whole, `ArtifactError`
    where somebody removes it meanwhile, `ExistsError` where a format may not be replaced,
    `StorageError`, `CancelledError`, and `SettingsError` for names that no format has or that the
    corpus does not hold, and, once the others are published, for a format that cannot be loaded.
    """
    cancel, report = cancel or Cancellation(), WholeJob(report, PREPARE)
    request = request.with_defaults(settings.model_dump(include=set(DEFAULTED)))
    names = names_of(request.format, request.formats)
    store = Store.of(settings, publisher)
    with storage_errors(settings.data_dir), store.reading("corpus") as corpus:
        published = {name: store.published(name) for name in names}
        made = {name: manifest for name, manifest in published.items() if manifest is not None}
        missing = [name for name in names if name not in made]
        if not missing:
            report(written(*amounts_of(made.values()), published=True))
            return {name: _result(name, made[name], store) for name in names}
        classes: dict[str, type[Format]] = {}
        broken: list[SettingsError] = []
        for name in missing:
            try:
                classes[name] = load(name)
            except SettingsError as error:
                # The others are made first: one that is broken keeps nobody's work from being done.
                broken.append(error)
        if not classes:
            raise broken[0]
        missing = [*classes]
        store.begin(*missing)
        for name in missing:
            store.refuse_to_overwrite(name, force=request.force)
        with _unless_removed(corpus):
            making = Making(request, settings.workers, corpus, report, cancel)
            with store.stage("formats") as staging:
                folders = making.run(classes, staging)
                # What is told is what was staged: another may replace it once it is published.
                made.update((name, read_manifest(folder)) for name, folder in folders.items())
                report(written(*amounts_of(made.values())))
                cancel.check()
                for name, folder in folders.items():
                    store.publish(name, folder, staging, force=request.force)
                report(written(*amounts_of(made.values()), published=True))
    keep_to_share(store)
    if broken:
        raise broken[0]
    return {name: _result(name, made[name], store) for name in names}


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


def _result(name: str, manifest: dict[str, Any], store: Store) -> PrepareResult:
    return PrepareResult(
        format=name,
        path=store.path(name),
        manifest_path=store.data_dir / KINDS[name].manifest,
        rows=manifest["rows"],
        skipped=manifest["skipped"],
        # A format of an earlier release knows no conversations.
        changed=manifest.get("changed", {}),
        corpus_sha256=manifest["corpus_sha256"],
        warnings=tuple(manifest["warnings"]),
        split=manifest["split"],
        findings=tuple(Finding(**finding) for finding in manifest["findings"]),
        manifest=manifest,
    )

"""prepare(): choose rows, split them without a leak, write each format, publish."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mindcorpus._version import __version__
from mindcorpus.corpus.row_facts import read_row_facts
from mindcorpus.errors import ArtifactError, CorruptArtifactError, SettingsError, storage_errors
from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import Task, WorkerPool
from mindcorpus.formats.base import Format, Made, SharedFile, Taken
from mindcorpus.formats.chat_rules import Finding
from mindcorpus.formats.registry import FORMATS, load, names_of
from mindcorpus.job_requests import DEFAULTED, PrepareRequest
from mindcorpus.preparing.runs import RunJob, plan_runs, write_run
from mindcorpus.preparing.selection import Choice, Selection, describe_choice, select
from mindcorpus.preparing.split import Split, split_rows
from mindcorpus.progress import (
    PREPARE,
    Cancellation,
    Progress,
    Reporter,
    WholeJob,
    silent,
    written,
)
from mindcorpus.settings import Settings
from mindcorpus.storage.cards import WARNING, format_card
from mindcorpus.storage.kinds import CARD, CORPUS, KINDS, MANIFEST
from mindcorpus.storage.manifest import (
    SCHEMA_VERSION,
    amounts_of,
    describe,
    read_manifest,
    require_files,
    write_manifest,
    write_text,
)
from mindcorpus.storage.ordered_hash import follow
from mindcorpus.storage.publishers import Publisher
from mindcorpus.storage.space import keep_to_share
from mindcorpus.storage.staging import Staging
from mindcorpus.storage.store import Store
from mindcorpus.warning import DataWarning, ranked


@dataclass(frozen=True)
class PrepareResult:
    """A published training format: where it is and what it holds."""

    format: str
    path: Path
    manifest_path: Path
    rows: int
    skipped: dict[str, int]
    """Rows of the corpus that were left out, by reason."""
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
            job = _Prepare(request, settings.workers, corpus, report, cancel)
            with store.stage("formats") as staging:
                folders = job.run(classes, staging)
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
        corpus_sha256=manifest["corpus_sha256"],
        warnings=tuple(manifest["warnings"]),
        split=manifest["split"],
        findings=tuple(Finding(**finding) for finding in manifest["findings"]),
        manifest=manifest,
    )


@dataclass(frozen=True)
class _Plan:
    """Who writes what where: no array, so that workers inherit little."""

    choice: Choice
    proof: dict[str, Any]
    tasks: list[Task]
    files: Mapping[str, Sequence[SharedFile]]
    """Of each format those that all tasks write together, each its own share."""
    text: int
    """Bytes of text the tasks will read."""


class _Prepare:
    """One prepare; what its formats share."""

    def __init__(
        self,
        request: PrepareRequest,
        workers: int,
        corpus: Path,
        report: Reporter,
        cancel: Cancellation,
    ) -> None:
        self.request = request
        self.context = JobContext(WorkerPool(workers), report, cancel)
        self.corpus_manifest = read_manifest(corpus)
        require_files(corpus, self.corpus_manifest)
        self.corpus_sha256 = hashlib.sha256((corpus / MANIFEST).read_bytes()).hexdigest()
        names = (output["path"] for output in self.corpus_manifest["outputs"])
        self.parts = tuple(corpus / name for name in names if name.startswith(f"{CORPUS}.parquet/"))
        self.lineage = corpus / f"{CORPUS}.lineage.parquet"

    def run(self, classes: Mapping[str, type[Format]], staging: Staging) -> dict[str, Path]:
        """Write each format into a folder of its own, with its manifest; give the folders."""
        formats = {
            name: made_by(
                FORMATS[name], self._settings(name), staging.output / name, staging.scratch
            )
            for name, made_by in classes.items()
        }
        plan = self._plan(formats, staging)
        with ExitStack() as stack:
            followers = {
                name: [stack.enter_context(follow(file.path, file.shares)) for file in files]
                for name, files in plan.files.items()
            }

            def finished(task: int, _result: Any) -> None:
                for each in (each for found in followers.values() for each in found):
                    each.complete(task)

            results = self.context.do_all(
                "write",
                plan.tasks,
                [", ".join(formats)] * len(plan.tasks),
                plan.text,
                finished,
                plan.choice.count,
            )
        for at, (name, format_) in enumerate(formats.items()):
            digest = f"{self.corpus_sha256} {sorted(self._shaped(name).items())}"
            made = format_.finish(
                [each.written(plan.choice.count) for each in followers[name]],
                [result[at] for result in results],
                digest,
                plan.proof,
            )
            self._describe(name, format_.folder, plan.choice, made)
        return {name: format_.folder for name, format_ in formats.items()}

    def _plan(self, formats: Mapping[str, Format], staging: Staging) -> _Plan:
        """Choose and split the rows, and lay every file out.

        The arrays, tens of bytes a row, are gone when this returns: workers would inherit them.
        """
        assert self.request.seed is not None
        size = self.lineage.stat().st_size
        self.context.report(Progress("read", CORPUS, total=size))
        selection = select(read_row_facts(self.lineage), self.request, self.request.seed)
        self.context.report(Progress("read", CORPUS, len(selection.taken), size, size))
        split = self._split(selection)
        self.context.cancel.check()
        held_out = np.zeros(len(selection.taken), bool)
        held_out[selection.taken] = split.validation
        taken, validation = staging.scratch / "taken.npy", staging.scratch / "validation.npy"
        np.save(taken, selection.taken)
        np.save(validation, held_out)
        runs, text = plan_runs(self.parts)
        layouts = {}
        for name, format_ in formats.items():
            format_.folder.mkdir()
            layouts[name] = format_.plan(Taken(selection.rows, selection.taken, held_out), runs)
        columns = tuple(format_.columns for format_ in formats.values())
        targets = zip(*(layout.targets for layout in layouts.values()), strict=True)
        return _Plan(
            choice=describe_choice(selection),
            proof=split.proof,
            tasks=[
                Task(write_run, RunJob(run, taken, validation, columns, each))
                for run, each in zip(runs, targets, strict=True)
            ],
            files={name: layout.files for name, layout in layouts.items()},
            text=text,
        )

    def _split(self, selection: Selection) -> Split:
        taken, rows = selection.taken, selection.rows
        assert self.request.validation_share is not None
        assert self.request.seed is not None
        return split_rows(
            rows.input_key[taken],
            rows.source[taken],
            rows.names,
            self.request.validation_share,
            self.request.seed,
        )

    def _describe(self, name: str, folder: Path, choice: Choice, made: Made) -> None:
        """Write a format's card and manifest."""
        sources = {entry["name"]: entry for entry in self.corpus_manifest["sources"]}
        warnings = [
            *choice.warnings,
            *self._source_warnings(choice),
            DataWarning("clinical-use", WARNING),
        ]
        if made.split and made.split["note"]:
            warnings.append(DataWarning("split-share", made.split["note"]))
        manifest: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "kind": name,
            "tool": {"name": "mindcorpus", "version": __version__},
            "settings": self._shaped(name),
            "corpus_sha256": self.corpus_sha256,
            "rows": choice.count,
            "skipped": choice.skipped,
            "sources": [
                {**_without_counts(sources[source]), **counts}
                for source, counts in choice.sources.items()
            ],
            "split": made.split,
            "findings": list(made.findings),
            "finding_counts": dict(made.finding_counts),
            "warnings": ranked(warnings),
            "outputs": describe(sorted(made.outputs, key=lambda output: output.path), folder),
        }
        _assert_rows(manifest)
        card = write_text(folder / CARD, format_card(manifest))
        manifest["outputs"] += describe([card], folder)
        write_manifest(folder, manifest)

    def _source_warnings(self, choice: Choice) -> list[DataWarning]:
        """Pass on what the corpus' manifest says of the sources that are in this format."""
        taken = {name for name, counts in choice.sources.items() if counts["kept"]}
        return [
            DataWarning("licence", entry["licence"]["warning"])
            for entry in self.corpus_manifest["sources"]
            if entry["name"] in taken and entry["licence"]["warning"]
        ]

    def _settings(self, name: str) -> dict[str, Any]:
        """Give the fields of the request that shape a format, beside the selection."""
        return {field: getattr(self.request, field) for field in FORMATS[name].settings}

    def _shaped(self, name: str) -> dict[str, Any]:
        """Give all that shapes a format, beside the corpus."""
        request = self.request
        return {
            "exclude": sorted(request.exclude),
            "types": sorted(request.types),
            "caps": dict(sorted(request.caps.items())),
            "seed": request.seed,
            **self._settings(name),
        }


def _without_counts(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entry[name] for name in ("name", "origin", "revision", "licence")}


def _assert_rows(manifest: Mapping[str, Any]) -> None:
    """Nothing vanishes: each kind of file holds all rows that were chosen, splits together."""
    rows: dict[str, int] = {}
    for output in manifest["outputs"]:
        if output["rows"]:
            suffix = Path(output["path"]).suffix
            rows[suffix] = rows.get(suffix, 0) + output["rows"]
    assert rows
    assert all(count == manifest["rows"] for count in rows.values()), manifest["kind"]

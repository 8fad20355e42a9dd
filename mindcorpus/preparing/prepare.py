"""prepare(): choose rows, split them without a leak, write each format, publish."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mindcorpus.corpus.row_facts import read_row_facts
from mindcorpus.errors import ArtifactError, CorruptArtifactError, SettingsError, storage_errors
from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import Task, WorkerPool
from mindcorpus.formats.base import Format, SharedFile, Taken
from mindcorpus.formats.chat_check import Finding
from mindcorpus.formats.registry import FORMATS, load, names_of
from mindcorpus.job_requests import DEFAULTED, PrepareRequest
from mindcorpus.preparing.carrying import narrow
from mindcorpus.preparing.description import describe_format
from mindcorpus.preparing.runs import RunJob, plan_runs, write_run
from mindcorpus.preparing.selection import Choice, Selection, describe_choice, select
from mindcorpus.preparing.split import Split, prove, split_rows
from mindcorpus.preparing.ties import Ties
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
from mindcorpus.storage.kinds import CORPUS, KINDS, MANIFEST
from mindcorpus.storage.manifest import (
    amounts_of,
    read_manifest,
    require_files,
)
from mindcorpus.storage.ordered_hash import follow
from mindcorpus.storage.publishers import Publisher
from mindcorpus.storage.space import keep_to_share
from mindcorpus.storage.staging import Staging
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
        # A format of an earlier release knows no conversations.
        changed=manifest.get("changed", {}),
        corpus_sha256=manifest["corpus_sha256"],
        warnings=tuple(manifest["warnings"]),
        split=manifest["split"],
        findings=tuple(Finding(**finding) for finding in manifest["findings"]),
        manifest=manifest,
    )


@dataclass(frozen=True)
class _Plan:
    """Who writes what where: no array, so that workers inherit little."""

    count: int
    """Rows that are taken, by whichever format."""
    choices: Mapping[str, Choice]
    """What each format takes of them."""
    proofs: Mapping[str, dict[str, Any]]
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
                plan.count,
            )
        for at, (name, format_) in enumerate(formats.items()):
            digest = f"{self.corpus_sha256} {sorted(self._shaped(name).items())}"
            made = format_.finish(
                [each.written(plan.choices[name].count) for each in followers[name]],
                [result[at] for result in results],
                digest,
                plan.proofs[name],
            )
            describe_format(
                format_.folder,
                {"kind": name, "settings": self._shaped(name), "corpus_sha256": self.corpus_sha256},
                self.corpus_manifest,
                plan.choices[name],
                made,
            )
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
        layouts, choices, proofs, narrowed = {}, {}, {}, {}
        for at, (name, format_) in enumerate(formats.items()):
            mine = narrow(selection, format_.entry, format_.settings)
            proofs[name] = split.proof
            if mine.count < selection.count:
                narrowed[at] = staging.scratch / f"taken-{name}.npy"
                np.save(narrowed[at], mine.taken)
                proofs[name] = self._prove(mine, selection, split)
            choices[name] = describe_choice(mine)
            format_.folder.mkdir()
            sides = held_out & mine.taken
            layouts[name] = format_.plan(Taken(selection.rows, mine.taken, sides), runs)
        columns = tuple(format_.columns for format_ in formats.values())
        targets = zip(*(layout.targets for layout in layouts.values()), strict=True)
        turns = selection.taken & selection.rows.holding("turns")
        return _Plan(
            count=selection.count,
            choices=choices,
            proofs=proofs,
            tasks=[
                Task(
                    write_run,
                    RunJob(
                        run, taken, validation, columns, each, narrowed, bool(run.of(turns).any())
                    ),
                )
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
            Ties.of_rows(rows, taken),
            rows.source[taken],
            rows.names,
            self.request.validation_share,
            self.request.seed,
        )

    def _prove(self, mine: Selection, chosen: Selection, split: Split) -> dict[str, Any]:
        """Prove the split of a format that takes some of the rows: each on its side in all."""
        assert self.request.validation_share is not None
        rows, some = chosen.rows, mine.taken[chosen.taken]
        proof = prove(
            Ties.of_rows(rows, mine.taken),
            split.group[some],
            rows.source[mine.taken],
            rows.names,
            split.validation[some],
            self.request.validation_share,
        )
        if proof["note"]:
            proof["note"] = (
                f"Validation has {proof['share']:.1%} of the rows: a record is on the same side in "
                f"all formats, and this one cannot carry {chosen.count - mine.count:,} of them."
            )
        return proof

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

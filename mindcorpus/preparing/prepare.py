"""prepare(): choose rows, split them without a leak, write each format, publish."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from mindcorpus._version import __version__
from mindcorpus.corpus.row_facts import Numbers, read_row_facts
from mindcorpus.errors import ArtifactError, CorruptArtifactError, storage_errors
from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import Task, WorkerPool
from mindcorpus.formats.chat_rules import CheckReport, Finding, combine
from mindcorpus.formats.huggingface import (
    CSV_HEADER,
    SPLITS,
    CsvRows,
    arrow_name,
    write_layout,
)
from mindcorpus.formats.openai import ChatLines
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing.runs import (
    ChatTarget,
    FolderTarget,
    Run,
    RunJob,
    plan_runs,
    write_run,
)
from mindcorpus.preparing.selection import (
    Choice,
    Selection,
    describe_choice,
    select,
)
from mindcorpus.preparing.split import Split, split_rows
from mindcorpus.progress import Cancellation, Progress, Reporter, silent
from mindcorpus.settings import Settings
from mindcorpus.storage.cards import WARNING, format_card
from mindcorpus.storage.files import Region, Written, lay_out
from mindcorpus.storage.manifest import (
    MANIFEST,
    SCHEMA_VERSION,
    describe,
    read_manifest,
    require_files,
    write_manifest,
    write_text,
)
from mindcorpus.storage.ordered_hash import OrderedHash
from mindcorpus.storage.store import CARD, CORPUS, OPENAI, Publisher, Staging, Store

FORMATS = ("openai", "huggingface")


@dataclass(frozen=True)
class PrepareResult:
    """A published training format: where it is and what it holds."""

    format: str
    path: Path
    manifest_path: Path
    rows: int
    skipped: dict[str, int]
    """Rows of the corpus that were left out, by reason."""
    warnings: tuple[str, ...]
    split: dict[str, Any] | None
    """The proof of the split (huggingface): parts, share, overlap, by_source, note."""
    findings: tuple[Finding, ...]
    """What the provider's rules find (openai)."""
    manifest: dict[str, Any]


def prepare(
    request: PrepareRequest,
    settings: Settings,
    report: Reporter = silent,
    cancel: Cancellation | None = None,
    publisher: Publisher | None = None,
) -> dict[str, PrepareResult]:
    """Make training formats of the corpus and publish each; what was there stays until then.

    Raises `NoCorpusError`, `CorruptArtifactError` for a corpus that is not whole, `ArtifactError`
    where a merge replaces it meanwhile, `ExistsError` where a format may not be replaced,
    `SettingsError` for names the corpus does not hold, `StorageError` and `CancelledError`.
    """
    cancel = cancel or Cancellation()
    formats = FORMATS if request.format == "all" else (request.format,)
    store = Store(settings.data_dir, publisher)
    with storage_errors(settings.data_dir):
        corpus = store.folder("corpus")
        published = {kind: store.published(kind) for kind in formats}
        manifests = {kind: manifest for kind, manifest in published.items() if manifest is not None}
        missing = [kind for kind in formats if kind not in manifests]
        if not missing:
            return {kind: _result(kind, manifests[kind], store) for kind in formats}
        store.begin(*missing)
        for kind in missing:
            store.refuse_to_overwrite(kind, force=request.force)
    with storage_errors(settings.data_dir), _unless_replaced(corpus):
        job = _Prepare(request, settings, corpus, report, cancel)
        with store.stage("formats") as staging:
            folders = {kind: staging.output / kind for kind in missing}
            job.run(folders, staging)
            report(Progress("publish"))
            cancel.check()
            for kind, folder in folders.items():
                # What is told is what was staged: another may replace it once it is published.
                manifests[kind] = read_manifest(folder)
                store.publish(kind, folder, staging, force=request.force)
    return {kind: _result(kind, manifests[kind], store) for kind in formats}


@contextmanager
def _unless_replaced(corpus: Path) -> Iterator[None]:
    """Tell a corpus that a merge replaced meanwhile from one that is damaged."""
    try:
        yield
    except (FileNotFoundError, CorruptArtifactError) as error:
        # One of the same name may have come since, if the same sources were merged again.
        if corpus.exists() and not isinstance(error, FileNotFoundError):
            raise
        raise ArtifactError(
            "the corpus was replaced while formats were made of it", hint="Prepare them again."
        ) from error


def _result(kind: str, manifest: dict[str, Any], store: Store) -> PrepareResult:
    names = {"openai": f"{OPENAI}.manifest.json", "huggingface": None}
    path = store.path(kind)
    manifest_path = store.path(kind, names[kind]) if names[kind] else path / MANIFEST
    findings = tuple(Finding(**finding) for finding in manifest["findings"])
    return PrepareResult(
        format=kind,
        path=path,
        manifest_path=manifest_path,
        rows=manifest["rows"],
        skipped=manifest["skipped"],
        warnings=tuple(manifest["warnings"]),
        split=manifest["split"],
        findings=findings,
        manifest=manifest,
    )


@dataclass(frozen=True)
class _Plan:
    """Who writes what where: no array, so that workers inherit little."""

    choice: Choice
    proof: dict[str, Any]
    tasks: list[Task]
    regions: dict[str, list[Region]]
    """Of the file of each format that all tasks write together, each its own."""
    text: int
    """Bytes of text the tasks will read."""


class _Prepare:
    """One prepare; what its formats share."""

    def __init__(
        self,
        request: PrepareRequest,
        settings: Settings,
        corpus: Path,
        report: Reporter,
        cancel: Cancellation,
    ) -> None:
        self.request = request
        self.settings = settings
        self.context = JobContext(WorkerPool(settings.workers), report, cancel)
        self.corpus_manifest = read_manifest(corpus)
        require_files(corpus, self.corpus_manifest)
        self.corpus_sha256 = hashlib.sha256((corpus / MANIFEST).read_bytes()).hexdigest()
        names = (output["path"] for output in self.corpus_manifest["outputs"])
        self.parts = tuple(corpus / name for name in names if name.startswith(f"{CORPUS}.parquet/"))
        self.lineage = corpus / f"{CORPUS}.lineage.parquet"

    def run(self, folders: Mapping[str, Path], staging: Staging) -> dict[str, dict[str, Any]]:
        """Write each format into its folder, with its manifest; give the manifests."""
        plan = self._plan(folders, staging)
        seals: dict[str, OrderedHash] = {}
        with ExitStack() as stack:
            for kind, regions in plan.regions.items():
                if regions:
                    seals[kind] = stack.enter_context(OrderedHash(regions[0].path, regions))

            def finished(task: int) -> None:
                for seal in seals.values():
                    seal.complete(task)

            items = [self.request.format] * len(plan.tasks)
            results = self.context.do_all(
                "write", plan.tasks, items, plan.text, finished, plan.choice.count
            )
        written = {kind: seal.written(plan.choice.count) for kind, seal in seals.items()}
        manifests = {}
        if folder := folders.get("openai"):
            chat = written["openai"]
            checked = combine([result.checked for result in results], "", chat.bytes)
            manifests["openai"] = self._describe("openai", folder, plan.choice, [chat], checked)
        if folder := folders.get("huggingface"):
            digest = f"{self.corpus_sha256} {sorted(self._settings('huggingface').items())}"
            files = [
                written["huggingface"],
                *(file for result in results for file in result.files),
                *write_layout(folder, len(plan.tasks), digest),
            ]
            manifests["huggingface"] = self._describe(
                "huggingface", folder, plan.choice, files, proof=plan.proof
            )
        return manifests

    def _plan(self, folders: Mapping[str, Path], staging: Staging) -> _Plan:
        """Choose and split the rows, and lay every file out.

        The arrays, tens of bytes a row, are gone when this returns: workers would inherit them.
        """
        selection = select(read_row_facts(self.lineage), self.request, self.settings.seed)
        split = self._split(selection)
        self.context.cancel.check()
        taken, validation = staging.scratch / "taken.npy", staging.scratch / "validation.npy"
        np.save(taken, selection.taken)
        held_out = np.zeros(len(selection.taken), bool)
        held_out[selection.taken] = split.validation
        np.save(validation, held_out)
        runs, text = plan_runs(self.parts)
        chats = self._chat_targets(folders.get("openai"), selection, runs)
        tables = self._folder_targets(folders.get("huggingface"), selection, runs)
        return _Plan(
            choice=describe_choice(selection),
            proof=split.proof,
            tasks=[
                Task(write_run, RunJob(run, taken, validation, chat, table))
                for run, chat, table in zip_longest(runs, chats, tables)
            ],
            regions={
                "openai": [chat.region for chat in chats],
                "huggingface": [table.table for table in tables],
            },
            text=text,
        )

    def _split(self, selection: Selection) -> Split:
        taken, rows = selection.taken, selection.rows
        return split_rows(
            rows.input_key[taken],
            rows.source[taken],
            rows.names,
            self.settings.validation_share,
            self.settings.seed,
        )

    def _chat_targets(
        self, folder: Path | None, selection: Selection, runs: Sequence[Run]
    ) -> list[ChatTarget]:
        if folder is None:
            return []
        folder.mkdir()
        prompt = self.settings.system_prompt
        sizes = ChatLines(prompt).sizes(selection.rows)
        regions = _regions(folder / f"{OPENAI}.jsonl", b"", sizes, selection, runs)
        lines = (1 + int(selection.taken[: run.start].sum()) for run in runs)
        return [
            ChatTarget(region, line, prompt) for region, line in zip(regions, lines, strict=True)
        ]

    def _folder_targets(
        self, folder: Path | None, selection: Selection, runs: Sequence[Run]
    ) -> list[FolderTarget]:
        if folder is None:
            return []
        for name in SPLITS:
            (folder / name).mkdir(parents=True)
        instruction = self.settings.instruction
        sizes = CsvRows(instruction).sizes(selection.rows)
        regions = _regions(folder / "dataset.csv", CSV_HEADER, sizes, selection, runs)
        names = (arrow_name(at, len(runs)) for at in range(len(runs)))
        return [
            FolderTarget(folder / "train" / name, folder / "validation" / name, region, instruction)
            for name, region in zip(names, regions, strict=True)
        ]

    def _describe(
        self,
        kind: str,
        folder: Path,
        choice: Choice,
        outputs: Sequence[Written],
        checked: CheckReport | None = None,
        proof: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        sources = {entry["name"]: entry for entry in self.corpus_manifest["sources"]}
        warnings = [
            *choice.warnings,
            *([proof["note"]] if proof and proof["note"] else []),
            *self._source_warnings(choice),
        ]
        manifest: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "kind": kind,
            "tool": {"name": "mindcorpus", "version": __version__},
            "settings": self._settings(kind),
            "corpus_sha256": self.corpus_sha256,
            "rows": choice.count,
            "skipped": choice.skipped,
            "sources": [
                {**_without_counts(sources[name]), **counts}
                for name, counts in choice.sources.items()
            ],
            "split": proof,
            "findings": [asdict(finding) for finding in checked.findings] if checked else [],
            "finding_counts": checked.counts if checked else {},
            "warnings": [WARNING, *warnings],
            "outputs": describe(sorted(outputs, key=lambda output: output.path), folder),
        }
        _assert_rows(kind, manifest)
        card = write_text(folder / CARD, format_card(manifest))
        manifest["outputs"] += describe([card], folder)
        write_manifest(folder, manifest)
        return manifest

    def _source_warnings(self, choice: Choice) -> list[str]:
        """Pass on what the corpus' manifest says of the sources that are in this format."""
        taken = {name for name, counts in choice.sources.items() if counts["kept"]}
        return [
            entry["licence"]["warning"]
            for entry in self.corpus_manifest["sources"]
            if entry["name"] in taken and entry["licence"]["warning"]
        ]

    def _settings(self, kind: str) -> dict[str, Any]:
        """Give what shapes a format, beside the corpus."""
        request, settings = self.request, self.settings
        shared = {
            "exclude": sorted(request.exclude),
            "types": sorted(request.types),
            "caps": dict(sorted(request.caps.items())),
            "seed": settings.seed,
        }
        if kind == "openai":
            return {**shared, "system_prompt": settings.system_prompt}
        return {
            **shared,
            "instruction": settings.instruction,
            "validation_share": settings.validation_share,
        }


def _regions(
    path: Path, head: bytes, sizes: Numbers, selection: Selection, runs: Sequence[Run]
) -> list[Region]:
    """Lay a file out: each run's share of it, from the sizes of the rows that are taken."""
    taken = selection.taken
    shares = [int(sizes[run.start : run.stop][taken[run.start : run.stop]].sum()) for run in runs]
    return lay_out(path, head, shares, b"")


def _without_counts(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entry[name] for name in ("name", "origin", "revision", "licence")}


def _assert_rows(kind: str, manifest: Mapping[str, Any]) -> None:
    """Nothing vanishes: each output holds all rows that were chosen, splits together."""
    rows: dict[str, int] = {}
    for output in manifest["outputs"]:
        suffix = Path(output["path"]).suffix
        rows[suffix] = rows.get(suffix, 0) + output["rows"]
    written = {".jsonl"} if kind == "openai" else {".arrow", ".csv"}
    assert all(rows[suffix] == manifest["rows"] for suffix in written)

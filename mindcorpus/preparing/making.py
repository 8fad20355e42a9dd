"""The making of formats: rows are chosen and split once for all, and written in one pass."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mindcorpus.corpus.row_facts import read_row_facts
from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import Task, WorkerPool
from mindcorpus.formats.base import Format, SharedFile, Taken
from mindcorpus.formats.registry import FORMATS
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing.carrying import narrow
from mindcorpus.preparing.description import describe_format
from mindcorpus.preparing.runs import RunJob, plan_runs, write_run
from mindcorpus.preparing.selection import Choice, Selection, describe_choice, select
from mindcorpus.preparing.split import Split, prove, split_rows
from mindcorpus.preparing.ties import Ties
from mindcorpus.progress import Cancellation, Progress, Reporter
from mindcorpus.storage.kinds import CORPUS, MANIFEST
from mindcorpus.storage.manifest import read_manifest, require_files
from mindcorpus.storage.ordered_hash import follow
from mindcorpus.storage.staging import Staging


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


class Making:
    """One prepare; what its formats share."""

    def __init__(
        self,
        request: PrepareRequest,
        workers: int,
        corpus: Path,
        report: Reporter,
        cancel: Cancellation,
    ) -> None:
        """Take a request without open fields, and the folder of a corpus; raises as `run` does."""
        self.request = request
        self.context = JobContext(WorkerPool(workers), report, cancel)
        self.corpus_manifest = read_manifest(corpus)
        require_files(corpus, self.corpus_manifest)
        self.corpus_sha256 = hashlib.sha256((corpus / MANIFEST).read_bytes()).hexdigest()
        names = (output["path"] for output in self.corpus_manifest["outputs"])
        self.parts = tuple(corpus / name for name in names if name.startswith(f"{CORPUS}.parquet/"))
        self.lineage = corpus / f"{CORPUS}.lineage.parquet"

    def run(self, classes: Mapping[str, type[Format]], staging: Staging) -> dict[str, Path]:
        """Write each format into a folder of its own, with its manifest; give the folders.

        Raises `SettingsError` for names that the corpus does not hold and where no row is left,
        `CorruptArtifactError`, `CancelledError`.
        """
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

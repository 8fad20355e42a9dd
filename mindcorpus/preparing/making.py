"""The making of formats: rows are chosen for each, and written in one pass over the corpus."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mindcorpus.corpus.row_facts import RowFacts, read_row_facts
from mindcorpus.errors import SettingsError
from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import WorkerPool
from mindcorpus.formats.base import Format, Made, Taken
from mindcorpus.formats.lines import LineFormat
from mindcorpus.formats.registry import FORMATS
from mindcorpus.preparing.corpus_split import CorpusSplit, SplitSettings, decide
from mindcorpus.preparing.cutting import CUT
from mindcorpus.preparing.description import describe_format
from mindcorpus.preparing.export_lineage import located, write_export_lineage
from mindcorpus.preparing.planning import Plan, Planning, Wanted
from mindcorpus.preparing.runs import Cuts, plan_runs
from mindcorpus.preparing.shaping import shaped
from mindcorpus.preparing.token_counts import count_all
from mindcorpus.progress import Cancellation, Progress, Reporter
from mindcorpus.storage.files import Written
from mindcorpus.storage.kinds import CORPUS, MANIFEST
from mindcorpus.storage.manifest import read_manifest, require_files
from mindcorpus.storage.ordered_hash import follow
from mindcorpus.storage.staging import Staging
from mindcorpus.tokens.tokenizer import tokenizer


class Making:
    """One prepare; what its formats share."""

    def __init__(
        self,
        workers: int,
        corpus: Path,
        report: Reporter,
        cancel: Cancellation,
    ) -> None:
        """Take the folder of a corpus; raises `CorruptArtifactError` for one that is not whole."""
        self.context = JobContext(WorkerPool(workers), report, cancel)
        self.corpus_manifest = read_manifest(corpus)
        require_files(corpus, self.corpus_manifest)
        self.corpus_sha256 = hashlib.sha256((corpus / MANIFEST).read_bytes()).hexdigest()
        names = (output["path"] for output in self.corpus_manifest["outputs"])
        self.parts = tuple(corpus / name for name in names if name.startswith(f"{CORPUS}.parquet/"))
        self.lineage = corpus / f"{CORPUS}.lineage.parquet"

    def read_rows(self) -> RowFacts:
        """Read what is known of the corpus' rows."""
        size = self.lineage.stat().st_size
        self.context.report(Progress("read", CORPUS, total=size))
        rows = read_row_facts(self.lineage)
        self.context.report(Progress("read", CORPUS, len(rows.source), size, size))
        return rows

    def split(self, rows: RowFacts, settings: SplitSettings) -> CorpusSplit:
        """Decide the split of the corpus."""
        return decide(rows, settings, self.corpus_sha256)

    def run(
        self,
        wanted: Mapping[str, Wanted],
        split: CorpusSplit,
        rows: RowFacts,
        staging: Staging,
        broken: dict[str, SettingsError],
    ) -> dict[str, Path]:
        """Write each format into a folder of its own, with its manifest; give the folders.

        Of one that cannot be made of these records the error goes to `broken`; the others are made.
        Raises `SettingsError` where none can be, for names that the corpus does not hold,
        `CorruptArtifactError`, `CancelledError`.
        """
        formats = {
            name: each.made_by(
                FORMATS[name],
                {one: getattr(each.request, one) for one in FORMATS[name].settings},
                staging.output / name,
                staging.scratch,
                split.names,
            )
            for name, each in wanted.items()
        }
        runs, text = plan_runs(self.parts)
        specs = {each.request.tokenizer for each in wanted.values() if each.request.tokenizer}
        tokenizers = {spec: tokenizer(spec) for spec in sorted(specs)}
        counted = count_all(self.context, tokenizers, rows, runs, text, staging.scratch)
        planning = Planning(formats, wanted, split, rows, staging, self._unchangeable(), counted)
        self.context.cancel.check()
        plan = planning.plan(runs, text, broken)
        del planning  # its arrays, which workers would inherit
        formats = {name: formats[name] for name in plan.choices}
        with ExitStack() as stack:
            followers = [
                stack.enter_context(follow(file.path, file.shares, file.head, file.tail))
                for file in plan.files
            ]

            def finished(task: int, _result: Any) -> None:
                for each in followers:
                    each.complete(task)

            results = self.context.do_all(
                "write",
                plan.tasks,
                [", ".join(formats)] * len(plan.tasks),
                plan.text,
                finished,
                plan.count,
            )
        written = [each.written(0) for each in followers]
        for name, format_ in formats.items():
            settings = shaped(wanted[name].request, name)
            digest = f"{self.corpus_sha256} {split.id} {sorted(settings.items())}"
            if isinstance(format_, LineFormat):
                made = _finish_lines(format_, plan, written, results, digest)
            else:
                target, files = plan.own[name]
                mine = [result.told[target] for result in results]
                made = format_.finish([written[at] for at in files], mine, digest)
            if name in plan.cut:
                cut = Cuts()
                for result in results:
                    cut.update(result.cut[plan.cut[name]])
                made = _with_cut(made, cut.records)
                plan.choices[name][made.placed[0].section].lengths.update(cut.lengths)
            self._describe(format_, made, settings, plan, split, rows)
        return {name: format_.folder for name, format_ in formats.items()}

    def _describe(
        self,
        format_: Format,
        made: Made,
        settings: Mapping[str, Any],
        plan: Plan,
        split: CorpusSplit,
        rows: RowFacts,
    ) -> None:
        name = format_.entry.name
        taken = {
            section: Taken(rows, np.load(path), split.parts)
            for section, path in plan.saved[name].items()
        }
        lineage = write_export_lineage(format_.folder, made.placed, taken, split)
        made = replace(
            made,
            outputs=[*made.outputs, lineage],
            findings=located(made.findings, made.placed, taken),
        )
        describe_format(
            format_,
            {"kind": name, "settings": settings, "corpus_sha256": self.corpus_sha256},
            self.corpus_manifest,
            plan.choices[name],
            made,
            plan.without.get(name, {}),
        )

    def _unchangeable(self) -> tuple[str, ...]:
        return tuple(
            entry["name"]
            for entry in self.corpus_manifest["sources"]
            if entry["licence"].get("modification") == "forbidden"
        )


def _with_cut(made: Made, cut: Mapping[str, int]) -> Made:
    """Count the records whose last turns were left out for their length."""
    section = made.placed[0].section
    changed = Counter(made.changed.get(section, {}))
    changed.update({(source, CUT): count for source, count in cut.items()})
    return replace(made, changed={**made.changed, section: changed})


def _finish_lines(
    format_: LineFormat,
    plan: Plan,
    written: Sequence[Written],
    results: Sequence[Any],
    digest: str,
) -> Made:
    """Bring a format's files to where they belong, and have it tell what came."""
    files, encoded = [], []
    for link in plan.links[format_.entry.name]:
        target, first = plan.streams[link.stream]
        file = written[first + link.number]
        told = [result.told[target] for result in results]
        rows = sum(rows[link.number] for rows, _ in told) * plan.per_record[link.stream]
        if file.path != link.path:
            link_or_copy(file.path, link.path)
        files.append(replace(file, path=link.path, rows=rows))
        encoded.append([each for _, each in told])
    return format_.finish(files, encoded, digest)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name, or, where the file system knows none, make a copy of it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
        target.chmod(0o600)

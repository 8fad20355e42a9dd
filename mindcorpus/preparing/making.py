"""The making of formats: rows are chosen for each, and written in one pass over the corpus."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mindcorpus.corpus.row_facts import RowFacts
from mindcorpus.errors import SettingsError
from mindcorpus.execution.context import JobContext
from mindcorpus.formats.base import Made, Taken
from mindcorpus.formats.lines import LineFormat
from mindcorpus.formats.registry import FORMATS
from mindcorpus.preparing.corpus_files import CorpusFiles
from mindcorpus.preparing.corpus_split import CorpusSplit
from mindcorpus.preparing.cutting import CUT
from mindcorpus.preparing.description import describe_format
from mindcorpus.preparing.export_lineage import located, write_export_lineage
from mindcorpus.preparing.planning import Plan, Planning, Wanted
from mindcorpus.preparing.runs import Cuts, RunWritten, plan_runs
from mindcorpus.preparing.shaping import shaped
from mindcorpus.preparing.token_counts import count_all
from mindcorpus.storage.files import Written
from mindcorpus.storage.ordered_hash import OrderedCopy, OrderedHash
from mindcorpus.storage.staging import Staging
from mindcorpus.tokens.tokenizer import tokenizer


class Making:
    """Formats that are made together: planned, written by whoever does the tasks, and described."""

    def __init__(
        self,
        wanted: Mapping[str, Wanted],
        split: CorpusSplit,
        rows: RowFacts,
        staging: Staging,
    ) -> None:
        """Take which formats are wanted, of which rows, and where they are staged."""
        self._wanted = wanted
        self._split = split
        self._rows = rows
        self._staging = staging
        self._formats = {
            name: each.made_by(
                FORMATS[name],
                {one: getattr(each.request, one) for one in FORMATS[name].settings},
                staging.output / name,
                staging.scratch,
                split.names,
            )
            for name, each in wanted.items()
        }

    def plan(
        self,
        parts: Sequence[tuple[Path, int]],
        unchangeable: Sequence[str],
        context: JobContext,
        broken: dict[str, SettingsError],
    ) -> Plan:
        """Choose the rows of each format, and lay out its files.

        `parts` are the corpus' Parquet files, each with its rows; `unchangeable` the sources whose
        licence forbids to change a record. Of a format that cannot be made of these records the
        error goes to `broken`; the others are made. Raises `SettingsError` where none can be, and
        for names that the corpus does not hold; `CorruptArtifactError`, `CancelledError`.
        """
        runs = plan_runs(parts, self._rows)
        requests = [each.request for each in self._wanted.values()]
        specs = {request.tokenizer for request in requests if request.tokenizer}
        tokenizers = {spec: tokenizer(spec) for spec in sorted(specs)}
        counted = count_all(context, tokenizers, self._rows, runs, self._staging.scratch)
        planning = Planning(
            self._formats,
            self._wanted,
            self._split,
            self._rows,
            self._staging,
            tuple(unchangeable),
            counted,
        )
        context.cancel.check()
        plan = planning.plan(runs, broken)
        self._formats = {name: self._formats[name] for name in plan.choices}
        return plan

    def write(self, plan: Plan, context: JobContext) -> tuple[list[RunWritten], list[Written]]:
        """Do the tasks of a plan; give what became of each run, and the files that they share."""
        with ExitStack() as stack:
            followers = follow_all(plan, stack)

            def finished(task: int, _result: Any) -> None:
                for each in followers:
                    each.complete(task)

            items = [", ".join(self._formats)] * len(plan.tasks)
            results = context.do_all("write", plan.tasks, items, plan.text, finished, plan.count)
        return results, [each.written(0) for each in followers]

    def finish(
        self,
        plan: Plan,
        results: Sequence[RunWritten],
        written: Sequence[Written],
        corpus: CorpusFiles,
        split: CorpusSplit,
    ) -> dict[str, Path]:
        """Give each format's folder, with its card and manifest: of which corpus, by which split.

        `results` and `written` are what `write` gives.
        """
        formats = {name: self._formats[name] for name in plan.choices}
        for name, format_ in formats.items():
            settings = shaped(self._wanted[name].request, name)
            digest = f"{corpus.sha256} {split.id} {sorted(settings.items())}"
            if isinstance(format_, LineFormat):
                made = _finish_lines(format_, plan, written, results, digest)
            else:
                target, files = plan.own[name]
                mine = [result.told[target] for result in results]
                made = format_.finish([written[at] for at in files], mine, digest)
            choices = plan.choices[name]
            if name in plan.cut:
                cut = Cuts()
                for result in results:
                    cut.update(result.cut[plan.cut[name]])
                made = _with_cut(made, cut.records)
                choices[made.placed[0].section].lengths.update(cut.lengths)
            taken = {
                section: Taken(self._rows, np.load(path), split.parts)
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
                {"kind": name, "settings": settings, "corpus_sha256": corpus.sha256},
                corpus.manifest,
                {
                    section: replace(choice, proof=split.named(choice.proof))
                    for section, choice in choices.items()
                },
                made,
                plan.without.get(name, {}),
            )
        return {name: format_.folder for name, format_ in formats.items()}


def follow_all(plan: Plan, stack: ExitStack) -> list[OrderedHash | OrderedCopy]:
    """Begin to follow behind the writers of a plan's files, until the stack is closed."""
    followers = [file.follow() for file in plan.files]
    for each in followers:
        stack.enter_context(each)
    return followers


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

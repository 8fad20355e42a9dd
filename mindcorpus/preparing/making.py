"""The making of formats: rows are chosen for each, and written in one pass over the corpus."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mindcorpus.corpus.row_facts import RowFacts, read_row_facts
from mindcorpus.errors import SettingsError
from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import Task, WorkerPool
from mindcorpus.formats.base import Format, Layout, Made, Run, SharedFile, Taken, Target
from mindcorpus.formats.lines import LineFormat, Stream
from mindcorpus.formats.registry import FORMATS
from mindcorpus.job_requests import SELECTING, PrepareRequest
from mindcorpus.preparing.carrying import narrow
from mindcorpus.preparing.corpus_split import CorpusSplit, SplitSettings, decide
from mindcorpus.preparing.description import describe_format
from mindcorpus.preparing.export_lineage import located, write_export_lineage
from mindcorpus.preparing.runs import Part, RunJob, plan_runs, write_run
from mindcorpus.preparing.selection import Choice, Known, Selection, describe_choice, select
from mindcorpus.preparing.shaping import shaped
from mindcorpus.progress import Cancellation, Progress, Reporter
from mindcorpus.storage.files import Written
from mindcorpus.storage.kinds import CORPUS, MANIFEST
from mindcorpus.storage.manifest import read_manifest, require_files
from mindcorpus.storage.ordered_hash import follow
from mindcorpus.storage.staging import Staging


@dataclass(frozen=True)
class Wanted:
    """A format that is to be made, and of which records: a request without open fields."""

    made_by: type[Format]
    request: PrepareRequest


@dataclass(frozen=True)
class Link:
    """A file of a format that is equal to one that is written, of a stream: its name, and which."""

    path: Path
    stream: int
    number: int
    """Of the file, among those of the stream."""


@dataclass
class _Plan:
    """Who writes what where: no array of the corpus' rows, so that workers inherit little."""

    count: int
    """Rows that are taken, by whichever format."""
    tasks: list[Task] = field(default_factory=list)
    text: int = 0
    """Bytes of text the tasks will read."""
    files: list[SharedFile] = field(default_factory=list)
    """Those that all tasks write together, each its own share."""
    choices: dict[str, dict[str, Choice]] = field(default_factory=dict)
    """What each format takes, by section."""
    saved: dict[str, dict[str, Path]] = field(default_factory=dict)
    """Where it stands how often each format's sections take each row."""
    own: dict[str, tuple[int, range]] = field(default_factory=dict)
    """Of formats that write for themselves: their target, and their files, by number."""
    links: dict[str, list[Link]] = field(default_factory=dict)
    """Of formats of lines: their files."""
    streams: list[tuple[int, int]] = field(default_factory=list)
    """Of each stream: its target, and its first file."""
    per_record: list[int] = field(default_factory=list)
    """Of each stream: how many lines each record has."""


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
        broken: list[SettingsError],
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
        plan = self._plan(formats, wanted, split, rows, staging, broken)
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
                mine = [result[target] for result in results]
                made = format_.finish([written[at] for at in files], mine, digest)
            self._describe(format_, made, settings, plan, split, rows)
        return {name: format_.folder for name, format_ in formats.items()}

    def _describe(
        self,
        format_: Format,
        made: Made,
        settings: Mapping[str, Any],
        plan: _Plan,
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
        )

    def _plan(
        self,
        formats: Mapping[str, Format],
        wanted: Mapping[str, Wanted],
        split: CorpusSplit,
        rows: RowFacts,
        staging: Staging,
        broken: list[SettingsError],
    ) -> _Plan:
        """Choose the rows of each format, and lay every file out.

        The arrays, tens of bytes a row, are gone when this returns: workers would inherit them.
        """
        planning = _Planning(formats, wanted, split, rows, staging, self._unchangeable())
        self.context.cancel.check()
        runs, text = plan_runs(self.parts)
        return planning.plan(runs, text, broken)

    def _unchangeable(self) -> tuple[str, ...]:
        return tuple(
            entry["name"]
            for entry in self.corpus_manifest["sources"]
            if entry["licence"].get("modification") == "forbidden"
        )


class _Planning:
    """A plan in the making; it holds arrays."""

    def __init__(
        self,
        formats: Mapping[str, Format],
        wanted: Mapping[str, Wanted],
        split: CorpusSplit,
        rows: RowFacts,
        staging: Staging,
        unchangeable: tuple[str, ...],
    ) -> None:
        self._formats = formats
        self._wanted = wanted
        self._split = split
        self._scratch = staging.scratch
        self._known = Known(rows, split.parts, split.settings.seed, None, unchangeable)
        self._chosen: dict[str, Selection] = {}
        self._saved: dict[bytes, Path] = {}

    def plan(self, runs: Sequence[Run], text: int, broken: list[SettingsError]) -> _Plan:
        """Choose, and lay out."""
        rows = self._known.rows
        parts = self._scratch / "parts.npy"
        np.save(parts, self._split.parts)
        plan = _Plan(0, text=text)
        streams: dict[tuple[Any, ...], Stream] = {}
        links: dict[str, list[tuple[Path, tuple[Any, ...], int]]] = {}
        layouts: dict[str, tuple[Layout, Path]] = {}
        any_ = np.zeros(len(rows.source), bool)
        for name, format_ in self._formats.items():
            try:
                selections = dict(self._select(name, format_))
            except SettingsError as error:
                broken.append(error)
                continue
            any_ |= np.any([each.taken for each in selections.values()], axis=0)
            plan.choices[name] = {
                section: describe_choice(each, self._split.prove(rows, each.times))
                for section, each in selections.items()
            }
            plan.saved[name] = {
                section: self._save(each.times) for section, each in selections.items()
            }
            taken = {
                section: Taken(rows, each.times, self._split.parts)
                for section, each in selections.items()
            }
            format_.folder.mkdir()
            if not isinstance(format_, LineFormat):
                (first,) = plan.saved[name].values()
                layouts[name] = format_.plan(taken, runs), first
                continue
            links[name] = []
            for file in format_.files():
                if file.lines.section not in taken:
                    continue
                path = format_.folder / file.name
                path.parent.mkdir(exist_ok=True)
                saved = plan.saved[name][file.lines.section]
                key = (file.lines.encoder, file.lines.arguments, saved)
                stream = streams.setdefault(key, Stream(file.lines, taken[file.lines.section]))
                number = stream.add(path, file, self._scratch, runs)
                links[name].append((path, key, number))
        if not plan.choices:
            raise broken[0]
        self._lay_out(plan, streams, links, layouts, runs, parts, any_)
        return plan

    def _lay_out(
        self,
        plan: _Plan,
        streams: Mapping[tuple[Any, ...], Stream],
        links: Mapping[str, Sequence[tuple[Path, tuple[Any, ...], int]]],
        layouts: Mapping[str, tuple[Layout, Path]],
        runs: Sequence[Run],
        parts: Path,
        any_: Any,
    ) -> None:
        targets: list[tuple[Sequence[Target], Path, tuple[str, ...]]] = []
        for key, stream in streams.items():
            plan.streams.append((len(targets), len(plan.files)))
            plan.per_record.append(stream.lines.encoder.per_record)
            plan.files += stream.files
            targets.append((stream.targets(runs), key[-1], stream.lines.encoder.columns))
        numbers = {key: at for at, key in enumerate(streams)}
        plan.links = {
            name: [Link(path, numbers[key], number) for path, key, number in found]
            for name, found in links.items()
        }
        for name, (layout, saved) in layouts.items():
            files = range(len(plan.files), len(plan.files) + len(layout.files))
            plan.own[name] = len(targets), files
            plan.files += layout.files
            targets.append((layout.targets, saved, self._formats[name].columns))
        choices = tuple(dict.fromkeys(saved for _, saved, _ in targets))
        turns = any_ & self._known.rows.holding("turns")
        plan.count = int(any_.sum())
        plan.tasks = [
            Task(
                write_run,
                RunJob(
                    run,
                    parts,
                    choices,
                    tuple(
                        Part(of_runs[at], choices.index(saved), columns)
                        for of_runs, saved, columns in targets
                    ),
                    bool(run.of(turns).any()),
                ),
            )
            for at, run in enumerate(runs)
        ]

    def _select(self, name: str, format_: Format) -> Iterator[tuple[str, Selection]]:
        """Give what each section of a format takes; one without records is left out.

        Unless it is the first: raises `SettingsError`.
        """
        request = self._wanted[name].request
        for at, section in enumerate(format_.sections):
            try:
                key = f"{section.takes} {_selecting(request)}"
                if key not in self._chosen:
                    self._chosen[key] = select(self._known, request, section.takes)
                yield (
                    section.name,
                    narrow(self._chosen[key], format_.entry, format_.settings, section.takes),
                )
            except SettingsError as error:
                if at == 0 or error.field:
                    raise

    def _save(self, times: Any) -> Path:
        """Write how often each row is taken; the same for selections that are equal."""
        key = hashlib.sha256(times.tobytes()).digest()
        if key not in self._saved:
            self._saved[key] = self._scratch / f"times-{len(self._saved)}.npy"
            np.save(self._saved[key], times)
        return self._saved[key]


def _selecting(request: PrepareRequest) -> str:
    return request.model_dump_json(include=set(SELECTING))


def _finish_lines(
    format_: LineFormat,
    plan: _Plan,
    written: Sequence[Written],
    results: Sequence[Any],
    digest: str,
) -> Made:
    """Bring a format's files to where they belong, and have it tell what came."""
    files, encoded = [], []
    for link in plan.links[format_.entry.name]:
        target, first = plan.streams[link.stream]
        file = written[first + link.number]
        told = [result[target] for result in results]
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

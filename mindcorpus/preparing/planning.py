"""What a prepare is going to do: which rows each format takes, and who writes what where."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mindcorpus.corpus.row_facts import Flags, RowFacts
from mindcorpus.errors import SettingsError
from mindcorpus.execution.worker_pool import Task
from mindcorpus.formats.base import (
    Format,
    Layout,
    OwnLayout,
    Run,
    Taken,
    Takes,
    Target,
)
from mindcorpus.formats.lines import LineFormat, Stream
from mindcorpus.job_requests import SELECTING, PrepareRequest
from mindcorpus.preparing.carrying import narrow
from mindcorpus.preparing.corpus_split import CorpusSplit
from mindcorpus.preparing.cutting import Cut
from mindcorpus.preparing.mixture import Choice, describe_choice
from mindcorpus.preparing.not_made import not_made
from mindcorpus.preparing.part_lengths import PartLengths
from mindcorpus.preparing.runs import Part, Pick, RunJob, write_run
from mindcorpus.preparing.sampling import Known
from mindcorpus.preparing.selection import Selection, select
from mindcorpus.preparing.token_counts import Counted, estimated, prompt_tokens
from mindcorpus.storage.ordered_hash import SharedFile
from mindcorpus.storage.staging import Staging
from mindcorpus.tokens.estimate import Estimate


@dataclass(frozen=True)
class Wanted:
    """A format that is to be made, and of which records: a request without open fields."""

    made_by: type[Format]
    request: PrepareRequest
    replaces: str = ""
    """The build that it may replace, though nobody said so: it is outdated."""


@dataclass(frozen=True)
class Link:
    """A file of a format that is equal to one that is written, of a stream: its name, and which."""

    path: Path
    stream: int
    number: int
    """Of the file, among those of the stream."""


@dataclass
class Plan:
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
    without: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of formats that lack sections for want of records: why, by section."""
    cut: dict[str, int] = field(default_factory=dict)
    """Of formats whose conversations are cut: which of the picks of a run tells how many were."""
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


class Planning:
    """A plan in the making; it holds arrays."""

    def __init__(
        self,
        formats: Mapping[str, Format],
        wanted: Mapping[str, Wanted],
        split: CorpusSplit,
        rows: RowFacts,
        staging: Staging,
        unchangeable: tuple[str, ...],
        counted: Mapping[str, Counted],
    ) -> None:
        self._formats = formats
        self._wanted = wanted
        self._split = split
        self._scratch = staging.scratch
        self._known = Known(rows, split.parts, split.settings.seed, None, unchangeable)
        self._counted = dict(counted)
        self._chosen: dict[str, Selection] = {}
        self._saved: dict[bytes, Path] = {}
        self._proofs: dict[Path, dict[str, Any]] = {}
        self._sums: dict[tuple[Any, ...], PartLengths] = {}
        self._without: dict[str, dict[str, str]] = {}

    def plan(self, runs: Sequence[Run], broken: dict[str, SettingsError]) -> Plan:
        """Choose, and lay out."""
        rows = self._known.rows
        parts = self._scratch / "parts.npy"
        np.save(parts, self._split.parts)
        plan = Plan(0, text=sum(run.text for run in runs), without=self._without)
        streams: dict[tuple[Any, ...], Stream] = {}
        links: dict[str, list[tuple[Path, tuple[Any, ...], int]]] = {}
        layouts: dict[str, tuple[Layout, Path]] = {}
        any_ = np.zeros(len(rows.source), bool)
        for name, format_ in self._formats.items():
            try:
                tokens = self._tokens(name, format_)
                selections = dict(self._select(name, format_, tokens))
            except SettingsError as error:
                broken[name] = error
                continue
            any_ |= np.any([each.taken for each in selections.values()], axis=0)
            plan.saved[name] = {
                section: self._save(each.times) for section, each in selections.items()
            }
            takes = {section.name: section.takes for section in format_.sections}
            plan.choices[name] = {
                section: describe_choice(
                    each,
                    self._proof(plan.saved[name][section], each.times),
                    tokens.tokenizer,
                    self._lengths(
                        name, format_, tokens, plan.saved[name][section], each, takes[section]
                    ),
                )
                for section, each in selections.items()
            }
            taken = {
                section: Taken(rows, each.times, self._split.parts)
                for section, each in selections.items()
            }
            format_.folder.mkdir()
            if isinstance(format_, OwnLayout):
                (first,) = plan.saved[name].values()
                layouts[name] = format_.plan(taken, runs), first
                continue
            assert isinstance(format_, LineFormat)
            links[name] = []
            for file in format_.files():
                section = taken.get(file.lines.section)
                # Trainers and `datasets` fail for a file without a line.
                if section is None or not section.of(file.part).any():
                    continue
                path = format_.folder / file.name
                path.parent.mkdir(exist_ok=True)
                pick = self._pick(name, format_, tokens, plan.saved[name][file.lines.section])
                key = (file.lines.encoder, file.lines.arguments, pick)
                stream = streams.setdefault(key, Stream(file.lines, section, pick.cut is None))
                number = stream.add(path, file, self._scratch, runs)
                links[name].append((path, key, number))
        if not plan.choices:
            raise not_made(broken)
        self._lay_out(plan, streams, links, layouts, runs, parts, any_)
        return plan

    def _lay_out(
        self,
        plan: Plan,
        streams: Mapping[tuple[Any, ...], Stream],
        links: Mapping[str, Sequence[tuple[Path, tuple[Any, ...], int]]],
        layouts: Mapping[str, tuple[Layout, Path]],
        runs: Sequence[Run],
        parts: Path,
        any_: Any,
    ) -> None:
        targets: list[tuple[Sequence[Target], Pick, tuple[str, ...]]] = []
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
            targets.append((layout.targets, Pick(saved), self._formats[name].columns))
        choices = tuple(dict.fromkeys(pick for _, pick, _ in targets))
        plan.cut = {
            name: choices.index(key[-1])
            for name, found in links.items()
            for _, key, _ in found
            if key[-1].cut is not None
        }
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
                        Part(of_runs[at], choices.index(pick), columns)
                        for of_runs, pick, columns in targets
                    ),
                    bool(run.of(turns).any()),
                ),
            )
            for at, run in enumerate(runs)
        ]

    def _select(
        self, name: str, format_: Format, counted: Counted
    ) -> Iterator[tuple[str, Selection]]:
        """Give what each section of a format takes; one without records is left out.

        Unless it is the first: raises `SettingsError`.
        """
        request = self._wanted[name].request
        if "turns" not in format_.entry.carries and request.over_length == "cut-turns":
            # A flat text has no turns that could be left out.
            request = request.model_copy(update={"over_length": "drop"})
        known = replace(
            self._known,
            tokens=counted.tokens,
            any_names=bool(self._wanted[name].replaces),
        )
        for at, section in enumerate(format_.sections):
            if at:
                # A source of a mixture may have answers and no pairs.
                known = replace(known, any_names=True)
            try:
                yield (
                    section.name,
                    narrow(
                        self._selected(known, request, section.takes, format_),
                        format_.entry,
                        format_.settings,
                        section,
                    ),
                )
            except SettingsError as error:
                if at == 0:
                    raise
                self._without.setdefault(name, {})[section.name] = error.title

    def _selected(
        self, known: Known, request: PrepareRequest, takes: Takes, format_: Format
    ) -> Selection:
        """Choose rows, once for all formats that ask for the same."""
        key = f"{takes} {request.model_dump_json(include=set(SELECTING))}"
        if known.any_names:
            key += " as it was"
        if request.max_tokens is not None:
            key += f" {_prompt(format_)}"
        if key not in self._chosen:
            self._chosen[key] = select(known, request, takes)
        return self._chosen[key]

    def _tokens(self, name: str, format_: Format) -> Counted:
        """Give how many tokens rows have as a format writes them."""
        request = self._wanted[name].request
        spec = request.tokenizer or ""
        if spec not in self._counted:
            self._counted[spec] = Counted(Estimate(), estimated(self._known.rows))
        counted, prompt = self._counted[spec], _prompt(format_)
        return counted.with_prompt(*prompt) if prompt else counted

    def _lengths(
        self,
        name: str,
        format_: Format,
        counted: Counted,
        saved: Path,
        selection: Selection,
        takes: Takes,
    ) -> PartLengths:
        """Sum up lengths, once for all formats that take the same rows and count them alike."""
        rows, parts, over = self._known.rows, self._split.parts, self._over(name, format_, counted)
        if over is not None:  # those that are cut are added once they are: to these sums alone
            return counted.lengths(rows, parts, selection.times, takes, over)
        key = saved, takes, self._wanted[name].request.tokenizer, _prompt(format_)
        if key not in self._sums:
            self._sums[key] = counted.lengths(rows, parts, selection.times, takes)
        return self._sums[key]

    def _over(self, name: str, format_: Format, counted: Counted) -> Flags | None:
        """Tell which conversations a format cuts; None: it cuts none."""
        request = self._wanted[name].request
        if request.max_tokens is None or request.over_length != "cut-turns":
            return None
        if "turns" not in format_.entry.carries:
            return None
        over: Flags = counted.tokens.whole > request.max_tokens
        return over

    def _pick(self, name: str, format_: Format, counted: Counted, saved: Path) -> Pick:
        """Say how rows are taken, where conversations may be cut."""
        over = self._over(name, format_, counted)
        if over is None:
            return Pick(saved)
        over = over & (np.load(saved) > 0)
        if not over.any():
            return Pick(saved)
        request = self._wanted[name].request
        assert request.max_tokens is not None
        settings = format_.settings
        return Pick(
            saved,
            self._save(over),
            Cut(
                counted.tokenizer,
                request.max_tokens,
                prompt_tokens(counted.tokenizer, settings["system_prompt"])
                if format_.entry.prompted and settings["system_policy"] != "none"
                else 0,
                settings.get("system_policy", "own"),
            ),
        )

    def _proof(self, saved: Path, times: Any) -> dict[str, Any]:
        """Prove the split of a selection, once for all formats that take the same rows."""
        if saved not in self._proofs:
            self._proofs[saved] = self._split.prove(self._known.rows, times)
        return self._proofs[saved]

    def _save(self, times: Any) -> Path:
        """Write how often each row is taken; the same for selections that are equal."""
        key = hashlib.sha256(times.tobytes()).digest()
        if key not in self._saved:
            self._saved[key] = self._scratch / f"times-{len(self._saved)}.npy"
            np.save(self._saved[key], times)
        return self._saved[key]


def _prompt(format_: Format) -> tuple[str, str] | None:
    """Give the system message that a format adds, and its policy: records count it; None: none."""
    if not format_.entry.prompted:
        return None
    return format_.settings["system_prompt"], format_.settings["system_policy"]

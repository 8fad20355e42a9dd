"""build(): a corpus and its training formats, made together and published one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from mindcorpus.building.write_both import write_all
from mindcorpus.corpus.row_facts import RowFacts, read_row_facts
from mindcorpus.errors import SettingsError, storage_errors
from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import WorkerPool
from mindcorpus.formats.registry import names_of
from mindcorpus.job_requests import DEFAULTED, MergeRequest, PrepareRequest
from mindcorpus.merging.account import write_account
from mindcorpus.merging.assemble import CorpusPlan, plan_corpus, write_corpus
from mindcorpus.merging.choice import choose_sources, choose_stages, with_added
from mindcorpus.merging.merge import MergeResult, corpus_result, publish_staged, refuse_failures
from mindcorpus.merging.reading import find_sources, read_all
from mindcorpus.notebook_view import table_html
from mindcorpus.preparing.beginning import asked_split
from mindcorpus.preparing.corpus_files import CorpusFiles, is_unchangeable
from mindcorpus.preparing.corpus_split import (
    CorpusSplit,
    KnownSplit,
    SplitSettings,
    decide,
    known_split,
)
from mindcorpus.preparing.deciding import choose, load_all, publish_split, stage_split
from mindcorpus.preparing.making import Making
from mindcorpus.preparing.not_made import not_made
from mindcorpus.preparing.planning import Plan, Wanted
from mindcorpus.preparing.prepare import PrepareResult, prepare_result, publish_formats
from mindcorpus.preparing.runs import RunWritten
from mindcorpus.progress import BUILD, Cancellation, Reporter, WholeJob, piece, silent, written
from mindcorpus.settings import Settings
from mindcorpus.storage.files import Written
from mindcorpus.storage.manifest import amounts_of, read_manifest
from mindcorpus.storage.space import keep_to_share, make_room
from mindcorpus.storage.staging import Staging
from mindcorpus.storage.store import Store
from mindcorpus.tokens.tokenizer import tokenizer


@dataclass(frozen=True, repr=False)
class BuildResult:
    """A published corpus, and the formats that were made of it."""

    corpus: MergeResult
    formats: Mapping[str, PrepareResult]
    """By the name of each."""

    def __repr__(self) -> str:
        return f"<BuildResult: {self.corpus!r}, {', '.join(map(repr, self.formats.values()))}>"

    def _repr_html_(self) -> str:
        return table_html(
            f"Corpus: {self.corpus.manifest['rows']:,} records",
            {
                "path": self.corpus.json_path,
                "records": self.corpus.statistics["by_source"],
                **{name: each.rows for name, each in self.formats.items()},
                "warnings": self.corpus.warnings,
            },
        )


def build(
    corpus: MergeRequest,
    formats: PrepareRequest,
    settings: Settings,
    report: Reporter = silent,
    cancel: Cancellation | None = None,
) -> BuildResult:
    """Merge sources into a corpus and prepare formats of it: what `merge`, then `prepare` would.

    The files are those, to the byte, and take less time: each text is encoded once for all of
    them, and the corpus is not read again. Where a tokenizer is to count every record before it is
    known which are taken, one does follow the other. `corpus.force` is meant for both; what is
    there stays until all that is new is complete.
    Raises what `merge` and `prepare` raise, before anything is published; but where formats cannot
    be made of these records, corpus and other formats are published before it is told, and a disk
    that fills up while they are may leave some of them.
    """
    result, broken = build_some(corpus, formats, settings, report, cancel or Cancellation())
    if broken:
        raise not_made(broken, result.formats)
    return result


def build_some(
    corpus: MergeRequest,
    formats: PrepareRequest,
    settings: Settings,
    report: Reporter,
    cancel: Cancellation,
) -> tuple[BuildResult, dict[str, SettingsError]]:
    """Do as `build` does; give beside what was made why formats could not be, by their names."""
    defaults = settings.model_dump(include=set(DEFAULTED))
    asked = formats.model_copy(update={"force": corpus.force}).with_defaults(defaults)
    plain = PrepareRequest().with_defaults(defaults)
    classes, broken = load_all(names_of(asked.format, asked.formats))
    corpus, store = with_added(corpus, settings), Store.of(settings)
    choose_sources(corpus, settings)
    with storage_errors(settings.data_dir):
        store.refuse_to_overwrite("corpus", force=corpus.force)
        store.refuse_foreign("split")
    # Of the corpus that is made nobody knows yet whether it is the one that is there: as of another
    # one all that exists is outdated.
    known = known_split(store, "")
    wanted, _ = choose(store, classes, asked, plain, known.base)
    specs = {each.request.tokenizer for each in wanted.values() if each.request.tokenizer}
    for spec in specs:
        tokenizer(spec)  # one that is not there is told of before anything is read
    context = JobContext(WorkerPool(settings.workers), WholeJob(report, BUILD), cancel)
    result = _make(corpus, asked, wanted, known, settings, context, broken, counted=bool(specs))
    return result, broken


def _make(
    corpus: MergeRequest,
    asked: PrepareRequest,
    wanted: Mapping[str, Wanted],
    known: KnownSplit,
    settings: Settings,
    context: JobContext,
    broken: dict[str, SettingsError],
    *,
    counted: bool,
) -> BuildResult:
    """Read the sources, plan the corpus and its formats, write all of them, and publish them.

    `counted` says that tokens of records are to be counted before it is known which are taken.
    """
    catalog, stages = choose_sources(corpus, settings), choose_stages(corpus)
    store = Store.of(settings)
    splitting = asked_split(asked, settings, known.settings)
    with ExitStack() as stack:
        stack.enter_context(storage_errors(settings.data_dir))
        staging, beside = (stack.enter_context(store.stage(kind)) for kind in ("corpus", "formats"))
        of_records = stages.of_records
        sources = find_sources(corpus, catalog, of_records, settings, store, context)
        context = replace(context, pool=WorkerPool(settings.workers_for(sources.size)))
        read = stack.enter_context(
            read_all(sources, corpus, catalog, of_records, settings, store, staging, context)
        )
        found = read.found
        refuse_failures(found, allow_missing=corpus.allow_missing)
        plan = plan_corpus(
            found,
            stages.of_corpus,
            staging,
            context,
            # Of each format about as much as of the corpus.
            lambda size: make_room(store, size * (1 + len(wanted))),
        )
        licences = {name: catalog[name].licence.model_dump() for name in found.inputs}
        unchangeable = [name for name, each in licences.items() if is_unchangeable(each)]
        write = _write_in_turn if counted else _write_at_once
        all_ = write(plan, _Formats(wanted, splitting, beside, unchangeable, broken), context)
        write_account(corpus, catalog, found, read.absent, all_.statistics, all_.corpus, staging)
        made_of = CorpusFiles(staging.output)
        rows, split, making, chosen = all_.planned
        split = split.of_corpus(made_of.sha256)
        folders = making.finish(chosen, all_.runs, all_.shared, made_of, split)
        folder = stage_split(beside, split, rows, made_of.sha256)
        made = {name: read_manifest(folder) for name, folder in folders.items()}
        amounts = amounts_of([made_of.manifest, *made.values()])
        context.report(written(*amounts))
        context.cancel.check()
        publish_staged(corpus, read, store, staging)
        publish_split(store, folder, split, made_of.sha256, beside, known, asked)
        builds = publish_formats(store, folders, wanted, beside, force=asked.force)
        context.report(written(*amounts, published=True))
    keep_to_share(store)
    return BuildResult(
        corpus_result(made_of.manifest, catalog, store, read.reuse),
        {name: prepare_result(name, made[name], store, builds[name]) for name in made},
    )


class _Planned(NamedTuple):
    """Formats that are planned, and the rows and the split that they are of."""

    rows: RowFacts
    split: CorpusSplit
    making: Making
    plan: Plan


@dataclass(frozen=True)
class _Formats:
    """What the formats are to be, before it is known of which rows."""

    wanted: Mapping[str, Wanted]
    splitting: SplitSettings
    staging: Staging
    unchangeable: Sequence[str]
    broken: dict[str, SettingsError]

    def planned(self, corpus: CorpusPlan, lineage: Path, context: JobContext) -> _Planned:
        """Split the rows that a lineage tells of, and plan who writes what of the formats."""
        rows = read_row_facts(lineage)
        split = decide(rows, self.splitting)
        making = Making(self.wanted, split, rows, self.staging)
        plan = making.plan(corpus.parts, self.unchangeable, context, self.broken)
        return _Planned(rows, split, making, plan)


class _All(NamedTuple):
    """All that was written, of the corpus and of its formats."""

    statistics: dict[str, Any]
    corpus: Sequence[Written]
    planned: _Planned
    runs: Sequence[RunWritten]
    shared: Sequence[Written]


def _write_at_once(corpus: CorpusPlan, formats: _Formats, context: JobContext) -> _All:
    """Write corpus and formats in one pass."""
    # Before the rest: what they tell of each row is what the formats are planned by.
    tables = [corpus.statistics, corpus.lineage]
    statistics, lineage = context.do_all("deduplicate", tables, ["statistics", "lineage"], 0)
    planned = formats.planned(corpus, lineage.path, context)
    files = write_all(corpus, planned.plan, context)
    return _All(statistics, [*files.corpus, lineage], planned, files.runs, files.shared)


def _write_in_turn(corpus: CorpusPlan, formats: _Formats, context: JobContext) -> _All:
    """Write the corpus, and then the formats of it: its records are counted in between."""
    first, second = (
        replace(context, report=piece(context.report, begin, begin + 0.5)) for begin in (0.0, 0.5)
    )
    statistics, outputs = write_corpus(corpus, first)
    planned = formats.planned(corpus, outputs[-1].path, context)
    runs, shared = planned.making.write(planned.plan, second)
    return _All(statistics, outputs, planned, runs, shared)

"""build(): a corpus and its training formats, made together and published one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mindcorpus.building.write_both import write_all
from mindcorpus.corpus.row_facts import read_row_facts
from mindcorpus.errors import SettingsError, storage_errors
from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import WorkerPool
from mindcorpus.formats.registry import names_of, with_formats
from mindcorpus.job_requests import DEFAULTED, SPLITTING, MergeRequest, PrepareRequest
from mindcorpus.merging.account import write_account
from mindcorpus.merging.assemble import plan_corpus
from mindcorpus.merging.choice import choose_sources, choose_stages, with_added
from mindcorpus.merging.merge import (
    MergeResult,
    merge,
    publish_staged,
    refuse_failures,
)
from mindcorpus.merging.reading import find_sources, read_all
from mindcorpus.notebook_view import table_html
from mindcorpus.preparing.corpus_files import CorpusFiles, is_unchangeable
from mindcorpus.preparing.corpus_split import KnownSplit, SplitSettings, decide, known_split
from mindcorpus.preparing.deciding import choose, load_all, publish_split
from mindcorpus.preparing.making import Making
from mindcorpus.preparing.not_made import not_made
from mindcorpus.preparing.planning import Wanted
from mindcorpus.preparing.prepare import PrepareResult, prepare, prepare_result, publish_formats
from mindcorpus.preparing.standing import default_shares
from mindcorpus.progress import (
    BUILD,
    Cancellation,
    Reporter,
    WholeJob,
    piece,
    silent,
    written,
)
from mindcorpus.settings import Settings
from mindcorpus.storage.manifest import amounts_of, read_manifest
from mindcorpus.storage.space import keep_to_share, make_room
from mindcorpus.storage.store import Store

# About what share of a merge and a prepare, one after the other, the first one takes.
_MERGED = 0.7


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
    Raises what `merge` and `prepare` raise; whatever it is, nothing was published then, but where
    a format cannot be made: the corpus is published, as are the other formats.
    """
    cancel = cancel or Cancellation()
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
    if any(each.request.tokenizer for each in wanted.values()):
        result = _one_after_the_other(corpus, wanted, settings, report, cancel)
    else:
        context = JobContext(WorkerPool(settings.workers), WholeJob(report, BUILD), cancel)
        result = _in_one_pass(corpus, asked, wanted, known, settings, context, broken)
    if broken:
        raise not_made(broken, result.formats)
    return result


def _in_one_pass(
    corpus: MergeRequest,
    asked: PrepareRequest,
    wanted: Mapping[str, Wanted],
    known: KnownSplit,
    settings: Settings,
    context: JobContext,
    broken: dict[str, SettingsError],
) -> BuildResult:
    """Read the sources, plan the corpus and its formats, and write all of them at once."""
    catalog, stages = choose_sources(corpus, settings), choose_stages(corpus)
    store = Store.of(settings)
    splitting = SplitSettings.of(
        asked.model_dump(include=set(SPLITTING)),
        {**default_shares(settings), **(known.settings or {})},
    )
    with (
        store.stage("corpus") as staging,
        store.stage("formats") as beside,
        storage_errors(settings.data_dir),
        read_all(
            find_sources(corpus, catalog, stages.of_records, settings, store, context),
            corpus,
            catalog,
            stages.of_records,
            settings,
            store,
            staging,
            context,
        ) as read,
    ):
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
        # Before the rest: what they tell of each row is what the formats are planned by.
        tables = [plan.statistics, plan.lineage]
        statistics, lineage = context.do_all("deduplicate", tables, ["statistics", "lineage"], 0)
        rows = read_row_facts(lineage.path)
        split = decide(rows, splitting)
        making = Making(wanted, split, rows, beside)
        licences = {name: catalog[name].licence.model_dump() for name in found.inputs}
        unchangeable = [name for name, each in licences.items() if is_unchangeable(each)]
        chosen = making.plan(plan.parts, unchangeable, context, broken)
        files = write_all(plan, chosen, context)
        outputs = [*files.corpus, lineage]
        write_account(corpus, catalog, found, read.absent, statistics, outputs, staging)
        made_of = CorpusFiles(staging.output)
        split = split.of_corpus(made_of.sha256)
        folders = making.finish(chosen, files.runs, files.shared, made_of, split)
        made = {name: read_manifest(folder) for name, folder in folders.items()}
        amounts = amounts_of([made_of.manifest, *made.values()])
        context.report(written(*amounts))
        context.cancel.check()
        result = publish_staged(corpus, catalog, read, store, staging)
        publish_split(store, split, rows, made_of.sha256, beside, known, asked)
        builds = publish_formats(store, folders, wanted, beside, force=asked.force)
        context.report(written(*amounts, published=True))
    keep_to_share(store)
    return BuildResult(
        result, {name: prepare_result(name, made[name], store, builds[name]) for name in made}
    )


def _one_after_the_other(
    corpus: MergeRequest,
    wanted: Mapping[str, Wanted],
    settings: Settings,
    report: Reporter,
    cancel: Cancellation,
) -> BuildResult:
    """Merge, then prepare formats that may be replaced: in one pass those with one request."""
    result = merge(corpus, settings, piece(report, 0.0, _MERGED), cancel)
    alike: dict[str, tuple[PrepareRequest, list[str]]] = {}
    for name, each in wanted.items():
        key = each.request.model_dump_json(exclude={"format", "formats", "force"})
        alike.setdefault(key, (each.request, []))[1].append(name)
    made: dict[str, PrepareResult] = {}
    step = (1.0 - _MERGED) / len(alike)
    for at, (request, names) in enumerate(alike.values()):
        asked = with_formats(request.model_copy(update={"force": True}), tuple(names))
        begin = _MERGED + at * step
        made |= prepare(asked, settings, piece(report, begin, begin + step), cancel)
    return BuildResult(result, {name: made[name] for name in wanted})

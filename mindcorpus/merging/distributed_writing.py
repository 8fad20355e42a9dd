"""The end of a merge in steps: the plan of the corpus, its parts written by whoever, and the seal.

A plan that is worth it is left to others (`storage/shared_work.py`); what is small is written at
once. The result is the same, to the byte, as that of `merge`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from mindcorpus.errors import MindcorpusError, storage_errors
from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import Task, WorkerPool
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.assemble import write_corpus
from mindcorpus.merging.choice import choose_sources, choose_stages
from mindcorpus.merging.distributed import MadeParts, make_parts
from mindcorpus.merging.locking import write_locks
from mindcorpus.merging.loss import LossPolicy
from mindcorpus.merging.merge import (
    MergeResult,
    corpus_result,
    plan_read,
    publish_corpus,
    publish_written,
)
from mindcorpus.merging.part_cache import name_of
from mindcorpus.merging.part_set import PartSet
from mindcorpus.merging.parts import Part
from mindcorpus.merging.reading import Reuse, SourcesRead
from mindcorpus.merging.recipe import find_made, recipe_of
from mindcorpus.merging.shards import SourceFiles
from mindcorpus.merging.write import write_part
from mindcorpus.progress import MERGE, Cancellation, Reporter, WholeJob, silent, written
from mindcorpus.settings import Settings
from mindcorpus.sources.budgets import Budgets
from mindcorpus.storage.manifest import amounts_of
from mindcorpus.storage.ordered_hash import SharedFile
from mindcorpus.storage.publishers import Publisher
from mindcorpus.storage.sealing import WrittenParts
from mindcorpus.storage.shared_work import Amounts, SharedWork, Spread, Writers
from mindcorpus.storage.space import keep_to_share
from mindcorpus.storage.staging import Staging
from mindcorpus.storage.store import Store

Outcomes = Mapping[str, SourceFiles | MindcorpusError | None]
"""For each source its files, why it has none, or None if it is absent."""
_NOTHING = Reuse()
_ITEM = "JSON, CSV and Parquet"


def merge_parts(
    request: MergeRequest,
    outcomes: Outcomes,
    settings: Settings,
    report: Reporter,
    cancel: Cancellation,
    publisher: Publisher | None = None,
    earlier: Reuse = _NOTHING,
) -> MergeResult:
    """Make a corpus of the parts of all sources and publish it.

    `earlier` says how many parts the steps before made. Raises what `merge` raises; what the
    publisher published in an earlier try is simply given.
    """
    end = _End(request, outcomes, settings, report, cancel, publisher, earlier)

    def write(staging: Staging) -> MergeResult:
        return publish_corpus(request, end.catalog, end.read(), end.store, staging, end.context)

    made = end.take(write)
    assert isinstance(made, MergeResult)
    return made


def merge_or_spread(
    request: MergeRequest,
    outcomes: Outcomes,
    settings: Settings,
    report: Reporter,
    cancel: Cancellation,
    publisher: Publisher,
    writers: Writers,
    earlier: Reuse = _NOTHING,
) -> MergeResult | Spread:
    """Do as `merge_parts`, or plan the corpus alone and leave it to others, where that is worth it.

    Then each part is to be written, and `seal_parts` called.
    """
    end = _End(request, outcomes, settings, report, cancel, publisher, earlier)

    def write(staging: Staging) -> MergeResult | Spread:
        read = end.read()
        plan = plan_read(request, read, end.store, staging, end.context)
        bundles = writers.bundles([job.csv.size for job in plan.writes])
        if not bundles:
            files = write_corpus(plan, end.context)
            return publish_written(
                request, end.catalog, read, files, end.store, staging, end.context
            )
        cancel.check()
        tasks = [Task(write_part, job) for job in plan.writes]
        # What there is but one of begins first: nothing else need wait for it in the end.
        first = [plan.statistics], [plan.lineage]
        parts = [*first, *(tasks[each.start : each.stop] for each in bundles)]
        state = _State(plan.json, plan.csv, plan.rows, end.parts)
        amounts = Amounts(plan.rows, plan.text, _ITEM, MERGE["write"])
        return SharedWork.hand_over(staging, writers.name, parts, state, amounts, end.names)

    return end.take(write)


def seal_parts(
    request: MergeRequest,
    outcomes: Outcomes,
    parts: WrittenParts,
    settings: Settings,
    report: Reporter,
    cancel: Cancellation,
    publisher: Publisher,
    earlier: Reuse = _NOTHING,
) -> MergeResult:
    """Publish a corpus that others wrote; raises as `merge_parts`, and where that is gone."""
    end = _End(request, outcomes, settings, report, cancel, publisher, earlier)

    def write(staging: Staging) -> MergeResult:
        state, results = parts.gather(staging)
        assert isinstance(state, _State)
        (statistics,), (lineage,), *parquet = results
        sealed = parts.seal([state.json, state.csv], staging, end.context)
        outputs = [
            *(replace(file, rows=state.rows) for file in sealed),
            *(file for part in parquet for file in part),
            lineage,
        ]
        return publish_written(
            request,
            end.catalog,
            end.read(state.parts),
            (statistics, outputs),
            end.store,
            staging,
            end.context,
            # Its files have a second name there, and lose it before anybody notes their state.
            last=lambda: parts.remove(end.store.staging),
        )

    made = end.take(write)
    assert isinstance(made, MergeResult)
    return made


@dataclass(frozen=True)
class _State:
    """What the last step is to know of a plan."""

    json: SharedFile
    csv: SharedFile
    rows: int
    parts: Mapping[str, MadeParts]
    """Of each source: they were read to the last byte to be believed, which is not done twice."""


class _End:
    """What is left of a merge whose sources were found, whoever writes it."""

    def __init__(
        self,
        request: MergeRequest,
        outcomes: Outcomes,
        settings: Settings,
        report: Reporter,
        cancel: Cancellation,
        publisher: Publisher | None,
        earlier: Reuse,
    ) -> None:
        self._request = request
        self._outcomes = outcomes
        self._settings = settings
        self._earlier = earlier
        self.catalog = choose_sources(request, settings)
        self.store = Store.of(settings, publisher)
        self.context = JobContext(WorkerPool(settings.workers), WholeJob(report, MERGE), cancel)
        self.parts: dict[str, MadeParts] = {}
        """Those of each source, once they were read."""
        self._found = [each for each in outcomes.values() if isinstance(each, SourceFiles)]
        stages = choose_stages(request).of_records
        self._names = {
            each.fetched.source: [
                name_of(shard.key, self.catalog[each.fetched.source], stages)
                for shard in each.shards
            ]
            for each in self._found
        }
        self.names = [name for of_source in self._names.values() for name in of_source]
        """Of all parts."""
        self._recipe = ""

    def take(self, write: Callable[[Staging], MergeResult | Spread]) -> MergeResult | Spread:
        """Take it with `write`, unless nothing is left to do."""
        store, report = self.store, self.context.report
        if (published := store.published("corpus")) is not None:
            # Whoever published it may have had no time to write the locks.
            write_locks([each.fetched for each in self._found], store, new_only=False)
            report(written(*amounts_of([published]), published=True))
            reuse = Reuse(reused=len(self.names)).after(self._earlier)
            return corpus_result(published, self.catalog, store, reuse)
        store.begin("corpus")
        with storage_errors(self._settings.data_dir):
            store.refuse_to_overwrite("corpus", force=self._request.force)
        if (there := self._unchanged()) is not None:
            return there
        with (
            store.using(self.names),
            store.stage("corpus") as staging,
            storage_errors(self._settings.data_dir),
        ):
            result = write(staging)
        if isinstance(result, MergeResult):
            keep_to_share(store)
            report(written(*amounts_of([result.manifest]), published=True))
        return result

    def read(self, known: Mapping[str, MadeParts] | None = None) -> SourcesRead:
        """Find the parts of all sources, or take those that are known."""
        request, settings = self._request, self._settings
        found = PartSet(self.catalog, Budgets.of(settings), LossPolicy.of(request, settings))
        reuse = Reuse()
        for name in self.catalog.names:
            outcome = self._outcomes[name]
            if isinstance(outcome, MindcorpusError):
                found.fail(name, outcome)
            elif outcome is not None:
                made = known[name] if known is not None else self._make(outcome)
                self.parts[name] = made
                reuse += made.reuse
                by_file: list[list[Part]] = [[] for _ in outcome.fetched.files]
                for shard, part in zip(outcome.shards, made.parts, strict=True):
                    by_file[shard.file].append(part)
                files = list(zip(outcome.fetched.files, by_file, strict=True))
                found.accept(outcome.fetched, files)
        recipe = "" if found.failures else self._recipe
        return SourcesRead(found, self._absent, reuse.after(self._earlier), recipe)

    def _make(self, outcome: SourceFiles) -> MadeParts:
        cancel = self.context.cancel
        return make_parts(self._request, outcome, outcome.shards, self._settings, silent, cancel)

    @property
    def _absent(self) -> list[str]:
        return [name for name in self.catalog.names if self._outcomes[name] is None]

    def _unchanged(self) -> MergeResult | None:
        """Give the corpus that is there if it is what would be made; else None."""
        if any(isinstance(outcome, MindcorpusError) for outcome in self._outcomes.values()):
            return None
        request, store = self._request, self.store
        by_name = {each.fetched.source: each.fetched for each in self._found}
        fetched = [by_name[name] for name in self.catalog.names if name in by_name]
        self._recipe = recipe_of(
            request, self.catalog, fetched, self._names, self._absent, self._settings
        )
        if request.rehash or (there := find_made(store, self._recipe)) is None:
            return None
        write_locks(fetched, store, new_only=False)
        self.context.report(written(*amounts_of([there]), published=True))
        reuse = Reuse(reused=len(self.names))
        return corpus_result(there, self.catalog, store, reuse, unchanged=True)

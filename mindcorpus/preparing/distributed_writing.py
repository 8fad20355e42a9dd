"""A prepare in steps: its plan, the parts that whoever writes, and the seal.

A plan that is worth it is left to others (`storage/shared_work.py`); what is small is written at
once. The result is the same, to the byte, as that of `prepare`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mindcorpus.errors import SettingsError, storage_errors
from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import WorkerPool
from mindcorpus.formats.registry import names_of
from mindcorpus.job_requests import DEFAULTED, PrepareRequest
from mindcorpus.preparing.beginning import Begun
from mindcorpus.preparing.corpus_files import CorpusFiles
from mindcorpus.preparing.corpus_split import CorpusSplit, KnownSplit
from mindcorpus.preparing.making import Making
from mindcorpus.preparing.planning import Plan, Wanted
from mindcorpus.preparing.prepare import (
    PrepareResult,
    prepare_or_leave,
    publish_made,
    published_before,
    told,
)
from mindcorpus.progress import PREPARE, Cancellation, Reporter, WholeJob, silent
from mindcorpus.settings import Settings
from mindcorpus.storage.publishers import Publisher
from mindcorpus.storage.sealing import WrittenParts
from mindcorpus.storage.shared_work import Amounts, SharedWork, Spread, Writers
from mindcorpus.storage.staging import Staging
from mindcorpus.storage.store import Store

Results = dict[str, PrepareResult]


def prepare_or_spread(
    request: PrepareRequest,
    settings: Settings,
    report: Reporter,
    cancel: Cancellation,
    publisher: Publisher,
    writers: Writers,
) -> Results | Spread:
    """Do as `prepare`, or plan the formats alone and leave them to others, where that is worth it.

    Then each part is to be written, and `seal_formats` called.
    """

    def leave(begin: Begun, plan: Plan, staging: Staging) -> Spread | None:
        bundles = writers.bundles([task.argument.run.text for task in plan.tasks])
        if not bundles:
            return None
        cancel.check()
        parts = [plan.tasks[each.start : each.stop] for each in bundles]
        state = _State.of(begin, plan)
        amounts = Amounts(plan.count, plan.text, ", ".join(plan.choices), PREPARE["write"])
        return SharedWork.hand_over(staging, writers.name, parts, state, amounts, [begin.build])

    return prepare_or_leave(request, settings, report, cancel, publisher, leave)


def seal_formats(
    request: PrepareRequest,
    parts: WrittenParts,
    settings: Settings,
    report: Reporter,
    cancel: Cancellation,
    publisher: Publisher,
) -> Results:
    """Publish formats that others wrote, of the corpus that was there when they were planned.

    Raises as `prepare` does from there on, and where what they wrote is gone.
    """
    report = WholeJob(report, PREPARE)
    context = JobContext(WorkerPool(settings.workers), report, cancel)
    request = request.with_defaults(settings.model_dump(include=set(DEFAULTED)))
    store = Store.of(settings, publisher)
    names = names_of(request.format, request.formats)
    if all(store.published(name) is not None for name in names):
        return published_before(request, store, report)
    with storage_errors(settings.data_dir), store.stage("formats") as staging:
        state, results = parts.gather(staging)
        assert isinstance(state, _State)
        begin, plan = state.begun(), state.plan
        store.begin("split", *begin.wanted)
        making = Making(begin.wanted, begin.split, begin.rows, staging)
        files = parts.seal(plan.files, staging, context)
        runs = [run for part in results for run in part]
        folders = making.finish(plan, runs, files, begin.source, begin.split)
        published = publish_made(begin, request, folders, store, staging, context)
    parts.remove(store.staging)
    return told(begin, published, store)


@dataclass(frozen=True)
class _State:
    """What the last step is to know: all but the tasks, and what the corpus' own files say."""

    wanted: dict[str, Wanted]
    kept: dict[str, dict[str, object]]
    broken: dict[str, SettingsError]
    source: CorpusFiles
    split: CorpusSplit
    known: KnownSplit
    plan: Plan

    @classmethod
    def of(cls, begin: Begun, plan: Plan) -> _State:
        return cls(
            begin.wanted,
            begin.kept,
            begin.broken,
            begin.source,
            begin.split,
            begin.known,
            replace(plan, tasks=[]),
        )

    def begun(self) -> Begun:
        """Give what was decided, its rows read again."""
        rows = self.source.read_rows(silent)
        return Begun(self.wanted, self.kept, self.broken, self.source, self.split, self.known, rows)

"""A part of a job's writing. There are many: it loads what it writes with, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mindcorpus.errors import storage_errors
from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import WorkerPool
from mindcorpus.progress import Cancellation, Reporter
from mindcorpus.storage.shared_work import SharedWork
from mindcorpus.storage.store import Store
from workers.settings import ServiceSettings


def run_write(
    job: Mapping[str, Any], settings: ServiceSettings, report: Reporter, cancel: Cancellation
) -> dict[str, Any]:
    """Write what a part's record names; gives where it lies, in JSON values.

    Raises `ArtifactError` where the plan is gone, and what the library raises that writes.
    """
    payload = job["payload"]
    work = SharedWork(Store.of(settings).staging, payload["work"])
    context = JobContext(WorkerPool(settings.workers), report, cancel)
    with storage_errors(settings.data_dir):
        attempt = work.attempt(payload["number"], payload["sha256"], job["fence"])
        return attempt.run(payload["item"], context)

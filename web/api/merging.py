"""The corpus: is there one, and make one."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from mindcorpus.job_requests import MergeRequest
from mindcorpus.storage.kinds import KINDS
from mindcorpus.storage.status import entry_of
from mindcorpus.storage.store import Store
from web.access.audited import audited, note
from web.api.answers import job_in_flight, repeated, submitted
from web.api.blueprint import api
from web.api.corpus_schemas import Corpus, MergeAnswer
from web.api.schemas import MergeOrder
from web.api.views import ACCEPTED, IDEMPOTENCY_KEY, POLLED, UNCHANGED, json_of, view
from web.files.conditional import polled
from web.services import services
from workers.callbacks import check_callback
from workers.jobs.job import Job
from workers.jobs.job_specs import merge_spec

_OF_A_SOURCE = ("name", "origin", "revision", "licence", "read", "kept")


@api.get("/merge")
@view(
    "read",
    "Tell whether the corpus exists, what it was made of, and which merge is in flight",
    Corpus,
    answers={200: {"headers": POLLED}, 304: UNCHANGED},
)
def show_corpus() -> Response:
    """Tell of the corpus; `job` is the merge that is being made, or null."""
    here = services()
    store = Store(here.settings.data_dir)
    found, manifest = entry_of(store, "corpus")
    job = here.store.in_flight("merge")
    payload: dict[str, Any] = {
        "exists": found["exists"],
        "path": KINDS["corpus"].path,
        "rows": found.get("rows"),
        "bytes": found.get("bytes"),
        "built": found.get("built"),
        "warnings": found.get("warnings", []),
        "manifest": _summary(manifest) if manifest is not None else None,
        "build": found.get("build"),
        "kept": found["kept"],
        "job": job_in_flight(job),
    }
    return polled(payload, active=job is not None)


def _summary(manifest: dict[str, Any]) -> dict[str, Any]:
    return {
        "schema_version": manifest["schema_version"],
        "settings": manifest["settings"],
        "sources": [
            {name: source[name] for name in _OF_A_SOURCE} for source in manifest["sources"]
        ],
    }


@api.post("/merge")
@view(
    "write",
    "Merge the sources into the corpus",
    MergeAnswer,
    answers={
        200: {"description": "It exists and may not be replaced, or this key made the job before."},
        202: json_of(Job, "The job that makes it, new or already in flight.", ACCEPTED),
    },
    problems=(410, 507),
    body=MergeOrder,
    headers=[IDEMPOTENCY_KEY],
)
@audited("job.ask")
def merge(body: MergeOrder) -> Response:
    """Make a merge job, unless there is a corpus that `force` does not allow to replace."""
    note(kind="merge", force=body.force, label=body.label)
    if (known := repeated("merge", body)) is not None:
        return known
    settings = services().settings
    check_callback(body.callback_url, settings)
    order = merge_spec(MergeRequest(**body.work()), settings)
    store = Store(settings.data_dir)
    if store.corpus_exists() and not body.force:
        return jsonify(
            {
                "exists": True,
                "path": KINDS["corpus"].path,
                "statistics": store.manifest("corpus")["statistics"],
                "job": None,
            }
        )
    return submitted(order, body)

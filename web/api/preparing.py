"""The training formats: which are there, and make them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, jsonify

from mindcorpus.errors import SettingsError
from mindcorpus.formats.registry import names_of, with_formats
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.storage.kinds import KINDS
from mindcorpus.storage.store import Store
from web.access.audited import audited, note
from web.api.answers import job_in_flight, no_corpus, repeated, submitted
from web.api.blueprint import api
from web.api.corpus_schemas import PrepareAnswer, Prepared
from web.api.schemas import PrepareBody
from web.api.views import ACCEPTED, IDEMPOTENCY_KEY, POLLED, UNCHANGED, json_of, view
from web.files.conditional import polled
from web.services import services
from workers.callbacks import check_callback
from workers.jobs.job import Job
from workers.jobs.job_specs import prepare_spec


@api.get("/prepare")
@view(
    "read",
    "Tell which training formats exist, and which prepare is in flight",
    Prepared,
    answers={200: {"headers": POLLED}, 304: UNCHANGED},
)
def show_formats() -> Response:
    """Tell of each format; `outdated` ones were made of another corpus than the one there is."""
    here = services()
    job = here.store.in_flight("prepare")
    payload = {"formats": _formats(Store(here.settings.data_dir)), "job": job_in_flight(job)}
    return polled(payload, active=job is not None)


def _formats(store: Store) -> dict[str, Any]:
    status = store.status()
    return {
        kind: {
            "exists": entry["exists"],
            "path": KINDS[kind].path,
            "rows": entry.get("rows"),
            "bytes": entry.get("bytes"),
            "built": entry.get("built"),
            "warnings": entry.get("warnings", []),
            "outdated": entry.get("outdated", False),
            "build": entry.get("build"),
            "kept": entry["kept"],
        }
        for kind, entry in status.items()
        if kind != "corpus"
    }


@api.post("/prepare")
@view(
    "write",
    "Prepare training formats from the corpus",
    PrepareAnswer,
    answers={
        200: {"description": "All are there and may not be replaced, or this key made the job."},
        202: json_of(Job, "The job that makes them, new or already in flight.", ACCEPTED),
    },
    problems=(409, 410, 507),
    body=PrepareBody,
    headers=[IDEMPOTENCY_KEY],
)
@audited("job.ask")
def prepare(body: PrepareBody) -> Response:
    """Make a prepare job; needs a corpus.

    If some of the formats asked for exist, and `force` does not allow to replace them, the others
    alone are made.
    """
    note(kind="prepare", force=body.force, label=body.label)
    if (known := repeated("prepare", body)) is not None:
        return known
    settings = services().settings
    check_callback(body.callback_url, settings)
    store = Store(settings.data_dir)
    if not store.corpus_exists():
        return no_corpus(409)
    _check_names(body, store.manifest("corpus")["statistics"])
    asked = names_of(body.format, body.formats, store.exists, settings.formats)
    missing = tuple(name for name in asked if body.force or not store.exists(name))
    if not missing:
        formats = {kind: entry for kind, entry in _formats(store).items() if kind in asked}
        return jsonify({"exists": True, "formats": formats, "job": None})
    request = PrepareRequest(**body.work())
    return submitted(prepare_spec(with_formats(request, missing), settings), body)


def _check_names(body: PrepareBody, statistics: Mapping[str, Any]) -> None:
    """Raise `SettingsError` for a source or type that the corpus does not hold."""
    asked = (
        ("exclude", "source", body.exclude),
        ("types", "type", body.types),
        ("caps", "source", body.caps),
    )
    for field, what, names in asked:
        held = statistics[f"by_{what}"]
        for name in names:
            if name not in held:
                raise SettingsError(
                    f"the corpus holds no {what} {name!r}",
                    field=field,
                    hint=f"It holds {', '.join(held)}.",
                )

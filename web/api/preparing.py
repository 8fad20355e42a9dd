"""The training formats: which can be had, which are there, and make them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, jsonify

from mindcorpus.errors import SettingsError
from mindcorpus.formats.registry import names_of, with_formats
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing.offer import offers
from mindcorpus.preparing.standing import standings
from mindcorpus.storage.kinds import KINDS
from mindcorpus.storage.status import Base, base_of, entry_of
from mindcorpus.storage.store import Store
from web.access.audited import audited, note
from web.api.answers import job_in_flight, no_corpus, repeated, submitted
from web.api.blueprint import api
from web.api.corpus_schemas import OfferedFormats, PrepareAnswer, Prepared
from web.api.offering import held_today
from web.api.schemas import PrepareBody
from web.api.views import ACCEPTED, IDEMPOTENCY_KEY, POLLED, UNCHANGED, json_of, view
from web.files.conditional import polled
from web.services import services
from workers.callbacks import check_callback
from workers.jobs.job import Job
from workers.jobs.job_specs import prepare_spec

_NAMED = 50  # of the words that a corpus holds: it may have thousands of tags


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
    base = base_of(store)
    return {kind: _told(store, kind, base) for kind in store.prepared()}


def _told(store: Store, kind: str, base: Base) -> dict[str, Any]:
    entry, manifest = entry_of(store, kind, base)
    return {
        "exists": entry["exists"],
        "path": KINDS[kind].path,
        "rows": entry.get("rows"),
        "bytes": entry.get("bytes"),
        "built": entry.get("built"),
        "warnings": entry.get("warnings", []),
        "outdated": entry.get("outdated", False),
        "outdated_by": entry.get("outdated_by"),
        "sections": [
            {"name": section["name"], "rows": section["rows"]}
            for section in (manifest or {}).get("sections", ())
        ],
        "build": entry.get("build"),
        "kept": entry["kept"],
    }


@api.get("/formats")
@view(
    "read",
    "List the training formats, and what each would hold of the corpus today",
    OfferedFormats,
    answers={200: {"headers": POLLED}, 304: UNCHANGED},
)
def list_formats() -> Response:
    """Tell of each format, whether or not it exists; `rows` are null without a corpus."""
    store = Store(services().settings.data_dir)
    found = [offer.as_dict() for offer in offers(store, held_today(store))]
    return polled({"formats": found}, active=False)


@api.post("/prepare")
@view(
    "write",
    "Prepare training formats from the corpus",
    PrepareAnswer,
    answers={
        200: {"description": "None is due, and none may be replaced, or this key made the job."},
        202: json_of(Job, "The job that makes them, new or already in flight.", ACCEPTED),
    },
    problems=(409, 410, 507),
    body=PrepareBody,
    headers=[IDEMPOTENCY_KEY],
)
@audited("job.ask")
def prepare(body: PrepareBody) -> Response:
    """Make a prepare job; needs a corpus.

    What is missing or outdated is made. What is up to date stays, and what would be made with other
    settings, or another split, stays as well, unless `force` allows to replace it: where none is
    due, `differs` tells of each how it would change.
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
    request = PrepareRequest(**body.work())
    due = asked
    if not body.force:
        found = standings(store, request, settings, asked)
        due = tuple(name for name, each in found.items() if each.is_due)
        if not due:
            base = base_of(store)
            formats = {
                name: {**_told(store, name, base), "differs": each.differs()}
                for name, each in found.items()
            }
            return jsonify({"exists": True, "formats": formats, "job": None})
    return submitted(prepare_spec(with_formats(request, due), settings), body)


def _check_names(body: PrepareBody, statistics: Mapping[str, Any]) -> None:
    """Raise `SettingsError` for a source, type or tag that the corpus does not hold."""
    asked = (
        ("sources", "source", body.sources),
        ("exclude", "source", body.exclude),
        ("types", "type", body.types),
        ("tags", "tag", body.tags),
        ("caps", "source", body.caps),
        ("mix", "source", body.mix),
    )
    for field, what, names in asked:
        held = statistics[f"by_{what}"]
        for name in names:
            if name not in held:
                raise SettingsError(
                    f"the corpus holds no {what} {name!r}",
                    field=field,
                    hint=f"It holds {', '.join([*held][:_NAMED])}.",
                )

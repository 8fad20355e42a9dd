"""The forms that make jobs: a merge, a prepare."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Response, redirect, request, url_for
from werkzeug.datastructures import MultiDict

from mindcorpus.errors import CatalogError, CorruptArtifactError, SettingsError
from mindcorpus.formats.registry import ALL, FORMATS, names_of, with_formats
from mindcorpus.job_requests import MergeRequest, PrepareRequest
from mindcorpus.stages.registry import STAGES
from mindcorpus.stages.registry import names_of as stage_names
from mindcorpus.storage.store import Store
from web.access.audited import audited, note, note_job
from web.api.schemas import MergeOrder, PrepareBody
from web.pages.blueprint import my_name, pages, show, writes
from web.pages.corpus import read_corpus, whole_manifest
from web.pages.forms import Errors, Given, checked, fraction, pairs, place, shares, whole
from web.pages.health import expect_redis
from web.services import services
from web.sources.adding import known
from workers.jobs.job_specs import JobSpec, merge_spec, prepare_spec

# By the error's field, source or words, in this order.
_MERGE_FIELDS = {
    "stages": "stages",
    "options": "options",
    "allow_loss": "allow_loss",
    "NAME.KEY": "options",
    "option": "options",
    "source is called": "revisions",
}


@pages.get("/jobs/new/merge")
@writes
def new_merge() -> Response:
    """Show the form of a merge."""
    names = [source.name for source in _catalogue()]
    given: Given = MultiDict([("material", "sources"), ("missing", "stop")])
    given.setlist("sources", names)
    given.setlist("stages", stage_names(None))
    return _merge_form(given, {})


def merge_again(message: str) -> Response:
    """Show the form of a merge as it was sent, with a message at its top."""
    return _merge_form(MultiDict(request.form), {"": message})


@pages.post("/jobs/new/merge")
@writes
@audited("job.ask")
def make_merge() -> Any:
    """Make a merge, or show the form again with what is wrong beside its field."""
    given: Given = MultiDict(request.form)
    errors: Errors = {}
    names = [source.name for source in _catalogue()]
    chosen = given.getlist("sources")
    if not chosen:
        errors["sources"] = "Choose at least one source."
    values: dict[str, Any] = {
        "label": _text(given, "label"),
        "sample": given.get("material") == "sample",
        "sources": None if set(names) == set(chosen) else tuple(chosen) or None,
        "commercial_only": "commercial_only" in given,
        "allow_missing": given.get("missing") == "go-on",
        "force": "force" in given,
        "revisions": pairs(given, "revisions", errors),
        "options": pairs(given, "options", errors),
        "allow_loss": shares(given, "allow_loss", errors),
        "upgrade": ("*",) if "upgrade" in given else (),
        # A page from before there was a choice says nothing of it; that is not «none».
        "stages": tuple(given.getlist("stages")) if "stages-shown" in given else None,
    }
    body = checked(MergeOrder, values, errors)
    if Store(services().settings.data_dir).corpus_exists() and not values["force"]:
        errors["force"] = "There is a corpus. Tick this if the merge may replace it."
    if body is None or errors:
        return _merge_form(given, errors)
    try:
        order = merge_spec(MergeRequest(**body.work()), services().settings)
    except (CatalogError, SettingsError) as error:
        place(error, _MERGE_FIELDS, errors)
        return _merge_form(given, errors)
    return _submit(order, body)


def _merge_form(given: Given, errors: Errors) -> Response:
    return show(
        "new_merge.html",
        422 if errors else 200,
        given=given,
        errors=errors,
        sources=_catalogue(),
        stages=STAGES,
        there=_there("corpus"),
    )


@pages.get("/jobs/new/prepare")
@writes
def new_prepare() -> Response:
    """Show the form of a prepare."""
    manifest = _corpus()
    settings = services().settings
    given: Given = MultiDict(
        [
            ("format", ALL),
            ("seed", str(settings.seed)),
            ("validation_share", f"{settings.validation_share:g}"),
            ("system_prompt", settings.system_prompt),
            ("instruction", settings.instruction),
        ]
    )
    given.setlist("take", [source["name"] for source in manifest["sources"]])
    given.setlist("types", list(manifest["statistics"]["by_type"]))
    return _prepare_form(given, {}, manifest)


def prepare_again(message: str) -> Response:
    """Show the form of a prepare as it was sent, with a message at its top."""
    return _prepare_form(MultiDict(request.form), {"": message}, _corpus())


@pages.post("/jobs/new/prepare")
@writes
@audited("job.ask")
def make_prepare() -> Any:
    """Make a prepare, or show the form again with what is wrong beside its field."""
    manifest = _corpus()
    given: Given = MultiDict(request.form)
    errors: Errors = {}
    values = _prepare_values(given, manifest, errors)
    body = checked(PrepareBody, values, errors)
    store = Store(services().settings.data_dir)
    added = services().settings.formats
    asked = () if body is None else names_of(body.format, body.formats, store.exists, added)
    if body is not None and not body.force and any(map(store.exists, asked)):
        errors["force"] = "It exists. Tick this if it may be replaced."
    if body is None or errors:
        return _prepare_form(given, errors, manifest)
    request_ = with_formats(PrepareRequest(**body.work()), asked)
    return _submit(prepare_spec(request_, services().settings), body)


def _prepare_values(given: Given, manifest: dict[str, Any], errors: Errors) -> dict[str, Any]:
    taken, types = given.getlist("take"), given.getlist("types")
    names = [source["name"] for source in manifest["sources"]]
    if not set(taken) & set(names):
        errors["take"] = "Choose at least one source."
    known = set(manifest["statistics"]["by_type"])
    if not types:
        errors["types"] = "Choose at least one type."
    elif unknown := sorted(set(types) - known):
        errors["types"] = f"The corpus has no type {', '.join(unknown)}."
    caps = {
        name: cap
        for name in names
        if (cap := whole(given, f"cap.{name}", errors)) is not None and name in taken
    }
    some = {name for name in taken if caps.get(name) != 0}
    if not errors and not read_corpus(lambda corpus: corpus.records.index.count(some, types)):
        errors["types"] = "No record of these sources is of these types; there is nothing to take."
    return {
        "format": given.get("format", ""),
        "force": "force" in given,
        "exclude": tuple(name for name in names if name not in taken),
        "types": () if set(types) == known else tuple(types),
        "caps": caps,
        "seed": whole(given, "seed", errors),
        "system_prompt": _text(given, "system_prompt"),
        # The form always shows a prompt; that it is there says nothing of records' own turns.
        "system_policy": given.get("system_policy", "own"),
        "instruction": _text(given, "instruction"),
        "validation_share": fraction(given, "validation_share", errors),
        "label": _text(given, "label"),
    }


def _text(given: Given, name: str) -> str | None:
    # Browsers send line ends as CR LF.
    return given.get(name, "").replace("\r\n", "\n").strip() or None


def _prepare_form(given: Given, errors: Errors, manifest: dict[str, Any]) -> Response:
    return show(
        "new_prepare.html",
        422 if errors else 200,
        given=given,
        errors=errors,
        sources=manifest["sources"],
        types=manifest["statistics"]["by_type"],
        formats=FORMATS,
        there={kind: _there(kind) for kind in FORMATS},
    )


def _submit(order: JobSpec, body: MergeOrder | PrepareBody) -> Any:
    expect_redis()
    order = replace(order, label=body.label or "")
    submitted = services().job_service.submit(order, holder=my_name())
    note(force=body.force, label=body.label)
    note_job(submitted.job.id, submitted.job.kind, submitted.outcome)
    # A second click finds the job of the first.
    return redirect(url_for("pages.job", job_id=submitted.job.id), 303)


def _catalogue() -> list[Any]:
    return list(known(services().settings)[0])


def _corpus() -> dict[str, Any]:
    return read_corpus(lambda corpus: corpus.manifest)


def _there(kind: str) -> dict[str, Any] | None:
    """Give what a new artifact of a kind would replace."""
    store = Store(services().settings.data_dir)
    if not store.exists(kind):
        return None
    try:
        return {"rows": whole_manifest(store.folder(kind))["rows"]}
    except CorruptArtifactError:
        return {"rows": None}

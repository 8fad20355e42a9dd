"""The forms that make jobs: a merge, a prepare."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Response, redirect, request, url_for
from werkzeug.datastructures import MultiDict

from mindcorpus.errors import CatalogError, CorruptArtifactError, SettingsError
from mindcorpus.formats.registry import ALL, FORMATS, names_of, with_formats
from mindcorpus.job_requests import MergeRequest, PrepareRequest
from mindcorpus.preparing.offer import offers
from mindcorpus.preparing.standing import Standing, split_defaults, standings
from mindcorpus.stages.registry import STAGES
from mindcorpus.stages.registry import names_of as stage_names
from mindcorpus.storage.store import Store
from web.access.audited import audited, note, note_job
from web.api.schemas import MergeOrder, PrepareBody
from web.pages.blueprint import my_name, pages, show, writes
from web.pages.corpus import read_corpus, whole_manifest
from web.pages.formats import by_task, offered
from web.pages.forms import Errors, Given, checked, lines, number, pairs, place, shares, whole
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
        "rehash": "rehash" in given,
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
    """Show the form of a prepare, with the formats of the address ticked, or those of `all`."""
    manifest = _corpus()
    settings = services().settings
    store = Store(settings.data_dir)
    given: Given = MultiDict(
        [("system_prompt", settings.system_prompt), ("instruction", settings.instruction)]
    )
    named = [name for name in request.args.getlist("format") if name in FORMATS]
    given.setlist("format", named or list(names_of(ALL, (), store.exists, settings.formats)))
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
    due: tuple[str, ...] = ()
    if body is not None:
        due = _due(PrepareRequest(**body.work()), errors)
    if body is None or errors:
        return _prepare_form(given, errors, manifest)
    request_ = with_formats(PrepareRequest(**body.work()), due)
    return _submit(prepare_spec(request_, services().settings), body)


@pages.post("/jobs/new/prepare/outdated")
@writes
@audited("job.ask")
def renew_formats() -> Any:
    """Make the outdated formats anew, each with the settings that it has."""
    settings = services().settings
    store = Store(settings.data_dir)
    found = offers(store) if store.corpus_exists() else []
    if not (old := tuple(offer.name for offer in found if offer.outdated)):
        return redirect(url_for("pages.overview"), 303)
    request_ = with_formats(PrepareRequest(), old)
    return _submit(prepare_spec(request_, settings), PrepareBody())


def _due(request_: PrepareRequest, errors: Errors) -> tuple[str, ...]:
    """Give the formats that are to be made; why the others are not goes to `errors`."""
    settings = services().settings
    store = Store(settings.data_dir)
    asked = names_of(request_.format, request_.formats, store.exists, settings.formats)
    if request_.force:
        return asked
    found = standings(store, request_, settings, asked)
    due = tuple(name for name, each in found.items() if each.is_due)
    # What is up to date stays, where others are made.
    if stay := [each for each in found.values() if each.state in _REFUSED or not due]:
        told = " ".join(f"{FORMATS[each.name].title}: {_standing(each)}." for each in stay)
        errors["force"] = f"{told} Tick this if it may be replaced."
    return due


_REFUSED = ("differs", "damaged")


def _standing(each: Standing) -> str:
    if each.state == "differs":
        return f"would change, {'; '.join(map(str, each.differences))}"
    return "is damaged" if each.state == "damaged" else "is up to date"


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
    tags = lines(given, "tags")
    if unknown := [tag for tag in tags if tag not in manifest["statistics"]["by_tag"]]:
        errors["tags"] = f"The corpus has no tag {unknown[0]}."
    caps = {
        name: cap
        for name in names
        if (cap := whole(given, f"cap.{name}", errors)) is not None and name in taken
    }
    mix = {
        name: factor
        for name in names
        if (factor := number(given, f"mix.{name}", errors, _FACTOR)) is not None and name in taken
    }
    some = {name for name in taken if caps.get(name) != 0}
    if not errors and not read_corpus(lambda corpus: corpus.records.index.count(some, types)):
        errors["types"] = "No record of these sources is of these types; there is nothing to take."
    return {
        **_formats_chosen(given, errors),
        "force": "force" in given,
        "exclude": tuple(name for name in names if name not in taken),
        "types": () if set(types) == known else tuple(types),
        "tags": tuple(tags),
        **{name: whole(given, name, errors) for name in _WHOLE},
        # It says what becomes of records over a limit: without one it says nothing.
        "over_length": _text(given, "over_length") if _text(given, "max_tokens") else None,
        "tokenizer": _text(given, "tokenizer"),
        "caps": caps,
        "mix": mix,
        "system_prompt": _text(given, "system_prompt"),
        # The form always shows a prompt; that it is there says nothing of records' own turns.
        "system_policy": given.get("system_policy", "own"),
        "instruction": _text(given, "instruction"),
        "validation_share": number(given, "validation_share", errors, _SHARE),
        "test_share": number(given, "test_share", errors, _SHARE),
        "label": _text(given, "label"),
    }


_WHOLE = ("min_words", "max_words", "max_tokens", "seed", "folds")
_SHARE = "a number between 0 and 1, such as 0.2"
_FACTOR = "a number, such as 0.5 or 2"


def _formats_chosen(given: Given, errors: Errors) -> dict[str, Any]:
    chosen = given.getlist("format")
    if not chosen:
        errors["formats"] = "Choose at least one format."
    return {} if ALL in chosen or not chosen else {"formats": tuple(chosen)}


def _text(given: Given, name: str) -> str | None:
    # Browsers send line ends as CR LF.
    return given.get(name, "").replace("\r\n", "\n").strip() or None


def _prepare_form(given: Given, errors: Errors, manifest: dict[str, Any]) -> Response:
    settings = services().settings
    store = Store(settings.data_dir)
    found = offered(store)
    there = {offer.name: _there(offer.name) for offer in found}
    return show(
        "new_prepare.html",
        422 if errors else 200,
        given=given,
        errors=errors,
        sources=manifest["sources"],
        types=manifest["statistics"]["by_type"],
        groups=by_task(found),
        titles={offer.name: offer.title for offer in found},
        there=there,
        split=split_defaults(store, settings),
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

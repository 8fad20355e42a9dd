"""Add a source: what a file or repository would become is shown before it is in the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from flask import Response, redirect, request, url_for
from werkzeug.datastructures import MultiDict

from mindcorpus.errors import ExistsError, FetchError, NotFoundError
from mindcorpus.sources.added import added_names, remove_added
from web.access.audited import audited, note
from web.access.auth import current_token, may
from web.api.schemas import AddSourceBody
from web.errors import BusyError, SourceRefusedError, SourceUnfitError
from web.pages.blueprint import pages, show
from web.pages.forms import Errors, Given, checked, place
from web.problems import problem
from web.services import services
from web.sources.adding import add, as_told, known
from web.sources.allowed import Wanted, are_allowed, refuse_if_off
from web.sources.inspecting import Looked, look_at

#: The form's fields, by those of the request.
_FIELDS = {
    "path": "where",
    "repository": "where",
    "url": "where",
    **{name: name for name in ("name", "type", "licence", "config", "split")},
}
_CHOICES = ("name", "type", "licence", "config", "split")
_Page = TypeVar("_Page", bound=Callable[..., Any])


def _adds(page: _Page) -> _Page:
    """Keep a page from who may add no sources, and from all where none may be added."""

    @wraps(page)
    def kept(*values: Any, **named: Any) -> Any:
        token = current_token()
        if token is None or not may(token, "sources"):
            return problem(
                403,
                code="forbidden",
                title="your token may add no sources",
                hint="Sign in with a token that has the scope sources, and read to see records.",
            )
        refuse_if_off(services().settings)
        return page(*values, **named)

    return cast("_Page", kept)


@pages.app_context_processor
def _may_add() -> dict[str, bool]:
    token = current_token()
    allowed = token is not None and may(token, "sources") and are_allowed(services().settings)
    return {"may_add_sources": allowed}


@pages.get("/sources/new")
@_adds
def new_source() -> Response:
    """Show the form, and what was added before."""
    return _form(MultiDict(), {})


@pages.post("/sources/new/inspect")
@_adds
@audited("source.inspect")
def inspect_new_source() -> Response:
    """Show what is named, beside the form."""
    given, errors = MultiDict(request.form), cast("Errors", {})
    looked = _look(given, errors)
    if looked is None:
        return _form(given, errors)
    return _form(given, errors, looked[1], looked[0])


@pages.post("/sources/new")
@_adds
@audited("source.add")
def add_new_source() -> Any:
    """Add what is named to the catalogue, or show the form again with what is wrong."""
    given, errors = MultiDict(request.form), cast("Errors", {})
    looked = _look(given, errors)
    if looked is None:
        return _form(given, errors)
    try:
        source = add(looked[1], services().settings, replace="force" in given)
    except ExistsError:
        errors["force"] = "There is a source of this name. Tick this if it may be replaced."
    except SourceUnfitError as error:
        place(error, _FIELDS, errors)
    if errors:
        return _form(given, errors, looked[1], looked[0])
    note(source=source.name)
    return redirect(url_for("pages.new_source", added=source.name), 303)


@pages.post("/sources/<name>/remove")
@_adds
@audited("source.remove")
def remove_source(name: str) -> Any:
    """Take a source that was added out of the catalogue again."""
    try:
        remove_added(name, services().settings.data_dir)
    except NotFoundError as error:
        return problem(404, code="not-found", title=error.title, hint=error.hint)
    note(source=name)
    return redirect(url_for("pages.new_source"), 303)


def _look(given: Given, errors: Errors) -> tuple[Wanted, Looked] | None:
    where = given.get("where", "").strip()
    kind = given.get("kind", "path")
    if not where:
        errors["where"] = "Name a file, a folder or a repository."
        return None
    values: dict[str, Any] = {name: given.get(name, "").strip() or None for name in _CHOICES}
    named = {"repository": where} if kind == "repository" else {"path": where}
    body = checked(AddSourceBody, {**values, **named}, errors)
    if body is None:
        for name in ("path", "repository"):
            if name in errors:
                errors["where"] = errors.pop(name)
        return None
    wanted = Wanted(path=body.path, repository=body.repository)
    try:
        looked = look_at(wanted, services().settings, **body.choices())
    except (SourceRefusedError, SourceUnfitError, FetchError, BusyError) as error:
        error.field = error.field if error.field in _FIELDS else "path"
        place(error, _FIELDS, errors)
        return None
    # What was refused are a client's own words.
    note(path=wanted.path, repository=wanted.repository)
    return wanted, looked


def _form(
    given: Given, errors: Errors, looked: Looked | None = None, wanted: Wanted | None = None
) -> Response:
    settings = services().settings
    names = added_names(settings.data_dir)
    _, added = known(settings)
    response = show(
        "new_source.html",
        422 if errors else 200,
        given=given,
        errors=errors,
        # Who sees pages may read.
        found=None if looked is None or wanted is None else as_told(looked, wanted, texts=True),
        name=None if looked is None or looked.source is None else looked.source.name,
        folders=[folder.name for folder in settings.source_folders],
        owners=settings.source_owners,
        there=[added.sources[each] for each in names if each in added.sources],
        broken=added.broken,
        just_added=request.args.get("added") if request.args.get("added") in names else None,
    )
    # It may hold texts of records.
    response.headers["Cache-Control"] = "no-store"
    return response

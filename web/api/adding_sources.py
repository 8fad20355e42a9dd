"""Sources that are added to the catalogue: looked at first, then added, or removed again."""

from __future__ import annotations

from flask import Response, jsonify

from mindcorpus.errors import NotFoundError
from mindcorpus.sources.added import remove_added
from web.access.audited import audited, note
from web.access.auth import current_token, may
from web.api.blueprint import api
from web.api.corpus import source_as_told
from web.api.corpus_schemas import CatalogueSource, InspectionAnswer
from web.api.schemas import AddSourceBody, SourceBody
from web.api.views import view
from web.problems import problem
from web.services import services
from web.sources.adding import add, as_told
from web.sources.allowed import Wanted, refuse_if_off
from web.sources.inspecting import Looked, look_at


@api.post("/sources/inspect")
@view(
    "sources",
    "Say what a file, folder or repository holds and would become",
    InspectionAnswer,
    problems=(502,),
    body=SourceBody,
)
@audited("source.inspect")
def inspect_source(body: SourceBody) -> Response:
    """Look at what may become a source; nothing is kept of it."""
    wanted, looked = _look(body)
    token = current_token()
    texts = token is not None and may(token, "read")
    response = jsonify(as_told(looked, wanted, texts=texts))
    response.headers["Cache-Control"] = "no-store"
    return response


@api.post("/sources")
@view(
    "sources",
    "Add a source to the catalogue",
    CatalogueSource,
    status=201,
    problems=(409, 502, 507),
    body=AddSourceBody,
)
@audited("source.add")
def add_source(body: AddSourceBody) -> Response:
    """Look at a source, and add the entry that was made of it."""
    _, looked = _look(body)
    source = add(looked, services().settings, replace=body.force)
    note(source=source.name)
    response = jsonify(source_as_told(source))
    response.status_code = 201
    return response


@api.delete("/sources/added/<name>")
@view(
    "sources",
    "Remove a source that was added",
    None,
    answers={204: {"description": "It is in the catalogue no more; no corpus changes."}},
    problems=(404, 507),
)
@audited("source.remove")
def remove_source(name: str) -> Response:
    """Remove the entry of a source; the project's and the operator's own stay."""
    refuse_if_off(services().settings)
    try:
        remove_added(name, services().settings.data_dir)
    except NotFoundError as error:
        return problem(404, code="not-found", title=error.title, hint=error.hint)
    note(source=name)
    return Response(status=204)


def _look(body: SourceBody) -> tuple[Wanted, Looked]:
    wanted = Wanted(path=body.path, repository=body.repository)
    looked = look_at(wanted, services().settings, **body.choices())
    # What was refused are a client's own words.
    note(path=wanted.path, repository=wanted.repository)
    return wanted, looked

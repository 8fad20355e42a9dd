"""One decorator a view: who may use it, what it takes and answers; all of it told to OpenAPI.

web/api/openapi.py adds what every operation may answer: 400, 401, 403, 500, 503.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from web.access.auth import require
from web.access.scopes import Scope
from web.api.blueprint import api
from web.api.inputs import read_body, read_query

if TYPE_CHECKING:
    from pydantic import BaseModel

View = Callable[..., Any]
Spec = dict[str, Any]

# Headers of answers

LOCATION: Spec = {
    "Location": {"description": "Where the job is.", "schema": {"type": "string"}},
}
ASKED_AGAIN: Spec = {
    "Retry-After": {
        "description": "Seconds until it is worth asking how the job stands.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
}
ACCEPTED: Spec = LOCATION | ASKED_AGAIN
POLLED: Spec = {
    "ETag": {"description": "For `If-None-Match`.", "schema": {"type": "string"}},
    "Retry-After": {
        "description": "Seconds until it is worth asking again; absent if nothing will change.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
}
DOWNLOADED: Spec = {
    name: {"description": description, "schema": {"type": "string"}}
    for name, description in {
        "ETag": "Of a file its sha256.",
        "Repr-Digest": "The sha256 of the whole file (RFC 9530).",
        "Content-Disposition": "The name to save it under.",
        "Content-Range": "Which bytes these are, of how many.",
    }.items()
}
UNCHANGED: Spec = {"description": "It is as you know it."}

# Headers of requests

IDEMPOTENCY_KEY: Spec = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key with the same request gives the same job, for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
LAST_EVENT_ID: Spec = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The last event that arrived: those after it follow.",
    "schema": {"type": "string", "pattern": "^[0-9]{1,19}-[0-9]{1,19}$"},
}
RANGE: Spec = {
    "name": "Range",
    "in": "header",
    "description": "One range of bytes, such as bytes=0-99; anything else gets all of the file.",
    "schema": {"type": "string"},
}
IF_RANGE: Spec = {
    "name": "If-Range",
    "in": "header",
    "description": "The ETag of the file that the range is meant for; of another all is sent.",
    "schema": {"type": "string"},
}


def json_of(model: type[BaseModel], description: str, headers: Spec | None = None) -> Spec:
    """Describe a JSON answer, of a model that some view answers with status 200."""
    reference = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {
        "description": description,
        "content": {"application/json": {"schema": reference}},
        "headers": headers or {},
    }


def view(
    scope: Scope,
    summary: str,
    answer: type[BaseModel] | None,
    *,
    status: int = 200,
    answers: Mapping[int, Spec] | None = None,
    problems: Sequence[int] = (),
    body: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    headers: Sequence[Spec] = (),
) -> Callable[[View], View]:
    """Protect and describe a view; it is called with `body` and `query` if it takes them.

    `answer` is what it gives with `status`, `answers` tells of the others, `problems` are the
    statuses of its errors.
    """
    parameters = [*_parameters(query), *headers]
    extensions: Spec = {"parameters": parameters}
    refusals = {*problems, *((422,) if parameters or body else ())}
    if body is not None:
        refusals.add(415)
        extensions["requestBody"] = {
            "description": "May be left out: every field has a default.",
            "content": {"application/json": {"schema": body.model_json_schema()}},
        }

    def decorate(function: View) -> View:
        @wraps(function)
        def called(**values: Any) -> Any:
            if body is not None:
                values["body"] = read_body(body)
            if query is not None:
                values["query"] = read_query(query)
            return function(**values)

        refused = {
            status: {"description": HTTPStatus(status).phrase} for status in sorted(refusals)
        }
        responses = {**(answers or {}), **refused}
        described = api.doc(summary=summary, responses=responses, extensions=extensions)(called)
        if answer is not None:
            described = api.output(answer, status_code=status)(described)
        return require(scope)(described)

    return decorate


def _parameters(query: type[BaseModel] | None) -> list[Spec]:
    if query is None:
        return []
    found = []
    for name, schema in query.model_json_schema()["properties"].items():
        # A query has no null: what may be left out is just not there.
        kinds = [kind for kind in schema.pop("anyOf", [{}]) if kind.get("type") != "null"]
        shape = {**schema, **kinds[0]}
        if shape.get("default", "") is None:
            del shape["default"]
        description = shape.pop("description", "")
        found.append({"name": name, "in": "query", "description": description, "schema": shape})
    return found

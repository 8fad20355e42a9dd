"""/docs: the OpenAPI document as a page that needs no script and nothing from elsewhere."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

from apiflask import APIBlueprint, APIFlask
from flask import Response, current_app
from markupsafe import Markup

from web.pages.blueprint import show
from web.problems import KINDS

docs_page = APIBlueprint("docs_page", __name__, enable_openapi=False)

_METHODS = ("get", "post", "delete")


@dataclass(frozen=True)
class Operation:
    """One method of one address, as the page shows it."""

    method: str
    path: str
    summary: str
    description: str
    scopes: str
    parameters: list[dict[str, str]]
    body: str
    responses: list[tuple[str, str, str]]


@docs_page.get("/docs")
def docs() -> Response:
    """Show all operations, their parameters and answers, and all codes of problems."""
    spec = cast("dict[str, Any]", cast("APIFlask", current_app).spec)
    groups: dict[str, list[Operation]] = {}
    for path, operations in spec["paths"].items():
        for method in _METHODS:
            if method in operations:
                said = operations[method]
                group = (said.get("tags") or ["Other"])[0]
                groups.setdefault(group, []).append(_operation(method, path, said))
    schemas = {
        name: json.dumps(schema, indent=2, ensure_ascii=False)
        for name, schema in sorted(spec["components"]["schemas"].items())
    }
    return show("docs.html", info=spec["info"], groups=groups, schemas=schemas, kinds=KINDS)


@docs_page.app_template_filter("code")
def _code(text: str) -> Markup:
    """Show what stands between backticks as code."""
    parts = text.split("`")
    shown = [Markup("<code>{}</code>").format(part) for part in parts[1::2]]
    parts[1::2] = shown
    return Markup("").join(parts)


def _operation(method: str, path: str, said: dict[str, Any]) -> Operation:
    parameters = [
        {
            "name": parameter["name"],
            "place": parameter["in"],
            "type": _name_of(parameter.get("schema", {})),
            "description": parameter.get("description")
            or parameter.get("schema", {}).get("description", ""),
        }
        for parameter in said.get("parameters", [])
    ]
    scopes = {
        scope
        for requirement in said.get("security", [])
        for needed in requirement.values()
        for scope in needed
    }
    return Operation(
        method=method.upper(),
        path=path,
        summary=said.get("summary", ""),
        description=said.get("description", ""),
        scopes=", ".join(sorted(scopes)),
        parameters=parameters,
        body=_content(said.get("requestBody", {})),
        responses=[
            (status, response.get("description", ""), _content(response))
            for status, response in sorted(said["responses"].items())
        ],
    )


def _content(holder: dict[str, Any]) -> str:
    return next(
        (_name_of(content.get("schema", {})) for content in holder.get("content", {}).values()), ""
    )


def _name_of(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    kinds = schema.get("anyOf") or schema.get("oneOf")
    if kinds:
        return " or ".join(_name_of(kind) for kind in kinds)
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    kind = schema.get("type", "")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)

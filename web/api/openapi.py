"""What the OpenAPI document says of every operation alike: the problems it may answer with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from web.access.auth import PROTECTED
from web.problems import MEDIA_TYPE

if TYPE_CHECKING:
    from apiflask import APIFlask

_REFERENCE = {"$ref": "#/components/schemas/Problem"}
_TEXT = {"type": "string"}
_OPTIONAL = {"type": ["string", "null"]}
_PROBLEM = {
    "type": "object",
    "description": "An error, as RFC 9457 has it.",
    "required": ["type", "title", "status", "detail", "instance", "code", "hint"],
    "properties": {
        "type": {**_TEXT, "format": "uri-reference"},
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "instance": _TEXT,
        "code": {**_TEXT, "description": "Stable; what programs should look at."},
        "hint": {**_TEXT, "description": "What to do about it."},
        "remedy": {
            "type": ["object", "null"],
            "description": "What mends it, as values: those beside `kind` depend on it, and the "
            "hint ends with `words`.",
            "required": ["kind", "words"],
            "properties": {"kind": _TEXT, "words": _TEXT},
        },
        "source": _OPTIONAL,
        "file": _OPTIONAL,
        "row": {"type": ["integer", "null"]},
        "field": _OPTIONAL,
        "outcome": {
            "type": "object",
            "description": "Of a job that was forgotten, as far as it is known: `id`, `kind`, "
            "`state`, `finished` in milliseconds, and of each artifact it made the first file.",
        },
        "errors": {
            "type": "array",
            "description": "Of a request that is not valid: what is wrong with which field.",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": _TEXT, "message": _TEXT},
            },
        },
    },
}
_ANY = {"400": "Bad request", "500": "Unexpected error"}
_PROTECTED = {
    "401": "No token, or not a valid one",
    "403": "The token lacks the scope",
    "503": "Redis does not answer",
}
_CHANGING = {"413": "Body too long", "429": "Too many changes, or too many jobs wait"}


def install(app: APIFlask) -> None:
    """Complete the document that APIFlask makes of the views."""
    app.config["HTTP_ERROR_SCHEMA"] = _PROBLEM
    app.config["VALIDATION_ERROR_SCHEMA"] = _PROBLEM
    app.description = (
        "Merge public mental-health conversation datasets into one documented corpus, and prepare "
        f"it for fine-tuning. What is below `{PROTECTED}` needs a bearer token; every error is "
        f"`{MEDIA_TYPE}`."
    )
    app.spec_processor(_complete)


def _complete(spec: dict[str, Any] | str) -> dict[str, Any] | str:
    assert isinstance(spec, dict)  # text only where YAML was asked for
    schemas = spec.setdefault("components", {}).setdefault("schemas", {})
    # APIFlask's names for the two error schemas it adds by itself.
    for name in ("HTTPError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = _PROBLEM
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            if method in ("get", "post", "delete"):
                _complete_operation(path, method, operation["responses"])
    return spec


def _complete_operation(path: str, method: str, responses: dict[str, Any]) -> None:
    added = dict(_ANY)
    if path.startswith(PROTECTED):
        added |= _PROTECTED
        if method != "get":
            added |= _CHANGING
    for status, description in added.items():
        responses.setdefault(status, {"description": description})
    for status, response in responses.items():
        if status >= "400" and status != "default":
            response["content"] = {MEDIA_TYPE: {"schema": _REFERENCE}}

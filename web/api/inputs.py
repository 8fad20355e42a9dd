"""What a request carries, checked before anything is done: its body, its query, its headers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from apiflask import HTTPError
from flask import request
from pydantic import BaseModel, ValidationError

from web.access.auth import current_token
from web.errors import MalformedBodyError, MediaTypeError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_Model = TypeVar("_Model", bound=BaseModel)
_KEY = re.compile(r"[!-~]{1,255}")
_EVENT_ID = re.compile(r"[0-9]{1,19}-[0-9]{1,19}")
_LONGEST = 80  # of a client's own words that an answer repeats


def read_body(model: type[_Model]) -> _Model:
    """Give the request's body; none is an empty object.

    Raises `MediaTypeError`, `MalformedBodyError`, and `HTTPError` 422 that names each field.
    """
    body = request.get_data()
    if body and request.mimetype and not request.is_json:
        raise MediaTypeError(
            "the body must be JSON", hint="Send it with `Content-Type: application/json`."
        )
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        wrong = _details(error)
        if wrong[0]["type"] == "json_invalid":
            raise MalformedBodyError(
                "the body is not JSON", hint="Send a JSON object in UTF-8, or no body."
            ) from None
        raise _invalid("body", wrong, model) from None


def read_query(model: type[_Model]) -> _Model:
    """Give the request's query; raises `HTTPError` 422 that names each parameter."""
    given = request.args.to_dict(flat=False)
    if twice := [_short(name) for name, values in given.items() if len(values) > 1]:
        raise HTTPError(422, detail={"query": {name: ["is given twice"] for name in twice}})
    try:
        return model.model_validate({name: values[0] for name, values in given.items()})
    except ValidationError as error:
        raise _invalid("query", _details(error), model) from None


def _details(error: ValidationError) -> list[ErrorDetails]:
    # Without what was sent: it would stand in the answer, and in logs.
    return error.errors(include_url=False, include_context=False, include_input=False)


def _invalid(where: str, wrong: Iterable[ErrorDetails], model: type[BaseModel]) -> HTTPError:
    fields: dict[str, list[str]] = {}
    for one in wrong:
        name = _short(".".join(str(part) for part in one["loc"])) or "_schema"
        fields.setdefault(name, []).append(_words(one, model))
    return HTTPError(422, detail={where: fields})


def _words(wrong: ErrorDetails, model: type[BaseModel]) -> str:
    if wrong["type"] == "extra_forbidden":
        return f"there is no such field; there are {', '.join(model.model_fields)}"
    if wrong["type"] == "model_type":
        return "must be a JSON object"
    message = wrong["msg"].removeprefix("Value error, ")
    return f"{message[:1].lower()}{message[1:]}"


def _short(text: Any) -> str:
    words = str(text)
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"


def idempotency_key() -> str | None:
    """Give the request's `Idempotency-Key`, as its token's own: others may use the same one.

    Raises `HTTPError` 422 for what is none.
    """
    key = _header("Idempotency-Key", _KEY, "must be 1 to 255 visible ASCII characters")
    # The names of users may hold colons: what stands before the first one is the name alone.
    return None if key is None else f"{quote(holder(), safe='')}:{key}"


def holder() -> str:
    """Give the name of the token that asks; the guard lets nobody in without one."""
    token = current_token()
    assert token is not None
    return token.name


def last_event_id() -> str | None:
    """Give the id after which a client wants events; raises `HTTPError` 422 for what is none."""
    return _header("Last-Event-ID", _EVENT_ID, "must be the id of an event, such as 1700-0")


def _header(name: str, form: re.Pattern[str], message: str) -> str | None:
    given = request.headers.get(name)
    if given is not None and not form.fullmatch(given):
        raise HTTPError(422, detail={"headers": {name: [message]}})
    return given

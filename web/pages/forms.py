"""What forms say: text from a browser into bodies of the API, errors back to their fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from werkzeug.datastructures import MultiDict

from mindcorpus.errors import MindcorpusError
from web.pages.filters import sentence
from web.pages.remedies import advice_of

_NAMED = re.compile("`(\\w+)`")
Errors = dict[str, str]
Given = MultiDict[str, str]
_Model = TypeVar("_Model", bound=BaseModel)


def checked(model: type[_Model], values: Mapping[str, Any], errors: Errors) -> _Model | None:
    """Check a form's values; None, and a sentence by field in `errors`, if some are wrong."""
    try:
        found = model.model_validate(values)
    except ValidationError as error:
        for wrong in error.errors(include_url=False, include_context=False, include_input=False):
            message = (
                wrong["msg"].removeprefix("Value error, ").replace("Input should", "It should")
            )
            # What is wrong with two fields together names the one to look at first.
            named = _NAMED.search(message)
            field = str(wrong["loc"][0]) if wrong["loc"] else named[1] if named else ""
            said = f"{message[:1].upper()}{message[1:]}."
            errors.setdefault(field, said)
            if len(wrong["loc"]) > 1:  # a source's value, which has a field of its own
                errors.setdefault(f"{field}.{wrong['loc'][1]}", said)
        return None
    return None if errors else found


def place(error: MindcorpusError, fields: Mapping[str, str], errors: Errors) -> None:
    """Put an error beside its field: `fields` leads from words of it to the form's names."""
    words = f"{sentence(error.title)} {advice_of(error.hint, error.remedy)}".strip()
    for name in (error.field or "", error.source or ""):
        if name in fields:
            errors[fields[name]] = words
            return
    field = next((field for word, field in fields.items() if word in error.title), "")
    errors[field] = words


def whole(given: Given, name: str, errors: Errors) -> int | None:
    """Read a whole number; None if nothing was given."""
    text = given.get(name, "").strip().replace(",", "")
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 16:
        errors[name] = "Give a whole number, 0 or more."
        return None
    return int(text)


def number(given: Given, name: str, errors: Errors, what: str) -> float | None:
    """Read a number; `what` says which is meant, where it is none. None if nothing was given."""
    text = given.get(name, "").strip()
    try:
        return float(text) if text else None
    except ValueError:
        errors[name] = f"Give {what}."
        return None


def lines(given: Given, name: str) -> list[str]:
    """Read lines, without blanks around them; each once."""
    found = (line.strip() for line in given.get(name, "").splitlines())
    return list(dict.fromkeys(line for line in found if line))


def shares(given: Given, name: str, errors: Errors) -> dict[str, float]:
    """Read lines of NAME=SHARE."""
    found: dict[str, float] = {}
    for key, text in pairs(given, name, errors).items():
        try:
            found[key] = float(text)
        except ValueError:
            errors[name] = "Write one NAME=SHARE a line, the share from 0 to 1, such as 0.6."
    return found


def pairs(given: Given, name: str, errors: Errors) -> dict[str, str]:
    """Read lines of NAME=VALUE."""
    found: dict[str, str] = {}
    for line in given.get(name, "").splitlines():
        key, sign, value = (part.strip() for part in line.partition("="))
        if not line.strip():
            continue
        if not sign or not key or not value:
            errors[name] = "Write one NAME=VALUE a line."
        found[key] = value
    return found

"""The options of an adapter or a row stage: the fields of its dataclass, given by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mindcorpus.errors import SettingsError


def option_names(kind: type) -> tuple[str, ...]:
    """Give the names of a dataclass' options; a field that begins with `_` is none."""
    # A stage may be anything that can be called.
    if not is_dataclass(kind):
        return ()
    return tuple(field.name for field in fields(kind) if not field.name.startswith("_"))


def build(kind: type, options: Mapping[str, Any]) -> Any:
    """Make one with these options; raises pydantic's `ValidationError`."""
    return _validator(kind).validate_python(options)


def with_option(
    kind: type, owner: str, options: Mapping[str, Any], key: str, value: str
) -> dict[str, Any]:
    """Give the options with one changed; `owner` is whose they are, for messages.

    Raises `SettingsError` for an unknown option, or a value it cannot have.
    """
    known = option_names(kind)
    if key not in known:
        raise no_such_option(f"{owner}.{key}", f"{owner} has {', '.join(known) or 'no options'}")
    changed = {**options, key: value}
    try:
        build(kind, changed)
    except ValidationError as error:
        raise SettingsError(
            f"option {owner}.{key}={value}: {problem(error)[1].lower()}", field=f"{owner}.{key}"
        ) from None
    return changed


def no_such_option(target: str, known: str) -> SettingsError:
    """Give the error that tells of an option that nothing has, and what is `known`."""
    return SettingsError(f"no option {target!r}", hint=f"Write NAME.KEY=VALUE; {known}.")


def problem(error: ValidationError) -> tuple[str, str]:
    """Give the field that is wrong first, and what is wrong with it."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    return field, first["msg"].removeprefix("Value error, ")


@cache
def _validator(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)

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


def by_owner(options: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Sort `{"NAME.KEY": value}` by whose they are; a name may have dots, a key has none.

    Raises `SettingsError` for one that does not say whose it is.
    """
    found: dict[str, dict[str, str]] = {}
    for target, value in options.items():
        owner, dot, key = target.rpartition(".")
        if not dot:
            raise _no_such_option(target, "NAME is a source or a row stage")
        found.setdefault(owner, {})[key] = value
    return found


def with_options(
    kind: type, owner: str, options: Mapping[str, Any], given: Mapping[str, str]
) -> dict[str, Any]:
    """Give the options with those that were given; `owner` is whose they are, for messages.

    Raises `SettingsError` for an unknown option, or a value it cannot have.
    """
    known = option_names(kind)
    for key in given:
        if key not in known:
            has = f"{owner} has {', '.join(known) or 'no options'}"
            raise _no_such_option(f"{owner}.{key}", has)
    changed = {**options, **given}
    try:
        build(kind, changed)
    except ValidationError as error:
        field, message = problem(error)
        # What is wrong with several together is of no field.
        wrong = [field] if field in given else list(given)
        said = ", ".join(f"{owner}.{key}={given[key]}" for key in wrong)
        raise SettingsError(
            f"option {said}: {message.lower()}", field=f"{owner}.{wrong[0]}"
        ) from None
    return changed


def problem(error: ValidationError) -> tuple[str, str]:
    """Give the field that is wrong first, and what is wrong with it."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    return field, first["msg"].removeprefix("Value error, ")


def _no_such_option(target: str, known: str) -> SettingsError:
    return SettingsError(f"no option {target!r}", hint=f"Write NAME.KEY=VALUE; {known}.")


@cache
def _validator(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)

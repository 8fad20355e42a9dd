"""What a token may do: scopes, each of all corpora or of one, written `SCOPE` or `SCOPE:CORPUS`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator

from mindcorpus.corpus_name import CORPUS_NAME, DEFAULT_CORPUS
from mindcorpus.errors import SettingsError

Scope = Literal["read", "write", "review", "erase", "sources", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
#: What each scope is for; `write` is the only one that includes another.
MEANINGS: Mapping[Scope, str] = {
    "read": "Look at jobs, numbers and records, and download.",
    "write": "Make, retry and cancel jobs; includes `read`.",
    "review": "Decide about records that wait for a person.",
    "erase": "Have records of a person erased.",
    "sources": "Add, change and remove sources of the catalogue.",
    "admin": "Run the service.",
}
#: What tokens that name no corpus and no other scope have always been able to do.
READ_WRITE: tuple[Scope, ...] = ("read", "write")
_INCLUDED_IN: Mapping[Scope, Scope] = {"read": "write"}


def allows(grants: Iterable[str], scope: Scope, corpus: str = DEFAULT_CORPUS) -> bool:
    """Tell whether what was granted, such as `write` or `read:default`, is enough."""
    scopes = {scope, _INCLUDED_IN.get(scope, scope)}
    enough = scopes | {f"{one}:{corpus}" for one in scopes}
    return not enough.isdisjoint(grants)


def checked(grant: str) -> str:
    """Give a grant back; raises `SettingsError` for what is none."""
    scope, colon, corpus = grant.partition(":")
    if scope not in SCOPES:
        raise SettingsError(
            f"there is no scope {scope!r}",
            field="scope",
            hint=f"Scopes are {', '.join(SCOPES)}; `read:{DEFAULT_CORPUS}` is for one corpus.",
        )
    if colon and not CORPUS_NAME.fullmatch(corpus):
        raise SettingsError(
            f"{corpus!r} is no name of a corpus",
            field="scope",
            hint="Names are a letter, then letters, digits, dashes and underscores, in small "
            f"letters, such as `read:{DEFAULT_CORPUS}`.",
        )
    return grant


def in_order(grants: Iterable[str]) -> tuple[str, ...]:
    """Give grants checked, in the order of the scopes, each once; raises `SettingsError`."""
    ranks = {scope: rank for rank, scope in enumerate(SCOPES)}
    return tuple(
        sorted(
            {checked(grant) for grant in grants},
            key=lambda grant: (ranks[_scope_of(grant)], grant),
        )
    )


def _scope_of(grant: str) -> Scope:
    return next(scope for scope in SCOPES if scope == grant.partition(":")[0])


def _valid(grant: str) -> str:
    try:
        return checked(grant)
    except SettingsError as error:
        raise ValueError(error.title) from None


#: A grant as a field of a model.
Grant = Annotated[str, AfterValidator(_valid)]

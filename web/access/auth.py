"""Who asks: bearer tokens and their scopes, through Flask-HTTPAuth, a user, or a session.

Nothing below `/api/` is reached without a token: `guard` stands before every request, also where
a view forgot `require`, and before a body or a query is looked at. `require` says on a view which
scope it needs, of the default corpus, and writes that into the OpenAPI document. A view that is
asked for another corpus asks `may` for itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from apiflask import APIBlueprint, APIFlask, HTTPTokenAuth
from flask import Response, current_app, g, request

from mindcorpus.corpus_name import DEFAULT_CORPUS
from web.access import session
from web.access.audited import refused_token
from web.access.failures import too_many
from web.access.scopes import MEANINGS, SCOPES, Scope, allows
from web.access.single_sign_on import current_user
from web.access.tokens import Token
from web.problems import problem
from web.services import services

PROTECTED = "/api/"
_REALM = "mindcorpus"
#: Only for its decorator `auth_required`, which is the same for every blueprint.
_DECORATORS = APIBlueprint("auth", __name__)
_READING = ("GET", "HEAD", "OPTIONS")
_View = TypeVar("_View", bound=Callable[..., Any])


class _TokenOrSession(HTTPTokenAuth):
    """Bearer tokens; a request that sends none may be a user's, or of the dashboard's session."""

    def authenticate(self, auth: Any, stored_password: Any) -> Token | None:
        # A token that was sent decides, also against a session.
        found = (
            cast("Token | None", super().authenticate(auth, stored_password))
            if _bears_token()
            else current_user() or session.current_session()
        )
        # Also where it may not do what it asks for: the audit log has its name.
        g.asker = found
        return found


auth = _TokenOrSession(
    scheme="Bearer",
    realm=_REALM,
    description="A token of `python -m web token new`. Each scope is of all corpora or of one: "
    + " ".join(f"`{scope}`: {meaning}" for scope, meaning in MEANINGS.items()),
)


def require(scope: Scope) -> Callable[[_View], _View]:
    """Protect a view; goes below the route's decorator and above `input` and `output`."""

    def decorate(view: _View) -> _View:
        protected = _DECORATORS.auth_required(auth, [scope])(view)
        protected.needs_scope = scope  # type: ignore[attr-defined]  # for the guard
        return protected

    return decorate


def current_token() -> Token | None:
    """Give the token of the request that is being answered, once it was found to be valid."""
    return cast("Token | None", g.get("flask_httpauth_user"))


def install(app: APIFlask) -> None:
    """Put the guard before every request below `/api/`."""
    app.before_request(_guard)


def _guard() -> Response | None:
    if not request.path.startswith(PROTECTED):
        return None
    reads = request.method in _READING
    g.needs_scope = _needed() or ("read" if reads else "write")
    refused = cast("Response | None", auth.login_required(role=g.needs_scope)(_pass)())
    if refused is None and not reads and not _bears_token() and not session.same_origin():
        return cross_site()
    return refused


def _needed() -> Scope | None:
    view = current_app.view_functions.get(request.endpoint or "")
    return cast("Scope | None", getattr(view, "needs_scope", None))


def _bears_token() -> bool:
    return "Authorization" in request.headers


def cross_site() -> Response:
    """Make the answer to a change that a page of elsewhere asked for in a user's name."""
    return problem(
        403,
        code="forbidden",
        title="this request came from another site",
        hint="Changes are taken from this service's own pages, or with a token.",
    )


def _pass() -> None:
    return None


def _verify(text: str) -> Token | None:
    tokens = services().tokens
    found = tokens.verify(text)
    if found is None:
        g.expired = tokens.known(text)
    return found


def may(token: Token, scope: Scope, corpus: str = DEFAULT_CORPUS) -> bool:
    """Tell whether a token has a scope for a corpus; who may write may read."""
    return allows(token.scopes, scope, corpus)


def _scopes(token: Token) -> list[str]:
    return [scope for scope in SCOPES if may(token, scope)]


def _refuse(status: int) -> Response:
    challenge = f'Bearer realm="{_REALM}"'
    if status == 403:
        return problem(
            403,
            code="forbidden",
            title="this token may not do that",
            hint=f"It needs the scope {g.needs_scope}.",
            headers={"WWW-Authenticate": f'{challenge}, error="insufficient_scope"'},
        )
    code, title = "unauthorized", "a token is needed"
    if _bears_token():
        if (refused := too_many()) is not None:
            return refused
        title = "the token is not valid"
        challenge += ', error="invalid_token"'
        expired: Token | None = g.get("expired")
        refused_token(expired.name if expired else None)
        if expired:
            code, title = "token-expired", "the token has expired"
    return problem(
        401,
        code=code,
        title=title,
        hint="Send `Authorization: Bearer TOKEN`; `python -m web token new` makes one.",
        headers={"WWW-Authenticate": challenge},
    )


# Called, not used as decorators: Flask-HTTPAuth has no types.
auth.verify_token(_verify)
auth.get_user_roles(_scopes)
auth.error_handler(_refuse)

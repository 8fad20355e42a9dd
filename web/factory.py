"""How the app is put together; the order matters, and is explained here."""

from __future__ import annotations

from typing import Any

import structlog
from apiflask import APIFlask
from flask.json.provider import DefaultJSONProvider
from werkzeug.routing import IntegerConverter

from mindcorpus import __version__
from web import logs, metrics, problems, services
from web.access import (
    admission,
    audited,
    auth,
    failures,
    headers,
    limits,
    origin,
    session,
    single_sign_on,
)
from web.access.audit_log import open_audit
from web.access.state_folder import prepare_state
from web.access.tokens import open_tokens
from web.api import api, openapi
from web.health import REGISTRY, operations
from web.pages import pages
from web.pages.docs import docs_page
from web.settings import WebSettings


class _Json(DefaultJSONProvider):
    """Keeps the order of our own keys, and takes no brackets without end for a crash."""

    sort_keys = False

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        try:
            return super().loads(s, **kwargs)
        except RecursionError:
            raise ValueError("nested too deeply") from None


class _Digits(IntegerConverter):
    """Takes 0 to 9 for digits in an address; the others of Unicode are no numbers of ours."""

    regex = "[0-9]+"


def build(settings: WebSettings) -> APIFlask:
    """Make an app with these settings, and its state folder.

    Raises `SettingsError` if there is no Redis to use, and `StorageError`.
    """
    for said in prepare_state(settings):
        structlog.get_logger("web").warning(said)
    app = APIFlask("web", title="mindcorpus", version=__version__, docs_path=None)
    app.json = _Json(app)
    app.url_map.converters["int"] = _Digits
    # No page of elsewhere is to read answers, so nobody is told what it may send.
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    audit = open_audit(settings)
    made = services.install(app, settings, open_tokens(settings, audit), audit)
    problems.install(app)
    # Before a request: an id first, then whom it is for, the token, and what that may still do.
    logs.install(app)
    origin.install(app, settings)
    failures.install(app, settings)
    auth.install(app)
    session.install(app)
    single_sign_on.install(app, settings)
    admission.install(app, settings)
    limits.install(app, settings)
    # After it, the last one first: headers, counts, and the log's line when all is done.
    app.extensions[REGISTRY] = metrics.install(app, made.store)
    headers.install(app)
    openapi.install(app)
    app.register_blueprint(operations)
    app.register_blueprint(docs_page)
    app.register_blueprint(api)
    app.register_blueprint(pages)
    # Last, so that its own answer is completed as any other, also into a page.
    audited.install(app)
    return app

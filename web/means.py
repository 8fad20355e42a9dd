"""What views work with, made once an app: settings, the jobs, the desk that takes orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from web.settings import WebSettings
from web.tokens import TokenFile
from workers.app import make_app
from workers.desk import Desk
from workers.jobs import JobStore
from workers.redis import Client, connect

_EXTENSION = "mindcorpus"


@dataclass(frozen=True)
class Means:
    """One app's settings and connections; nothing connects before it is used."""

    settings: WebSettings
    redis: Client
    store: JobStore
    desk: Desk
    tokens: TokenFile


def install(app: Flask, settings: WebSettings) -> Means:
    """Make an app's means; raises `SettingsError` if there is no Redis to connect to."""
    redis = connect(settings)
    store = JobStore(redis, settings)
    ready = settings.token.get_secret_value() if settings.token else None
    made = Means(
        settings=settings,
        redis=redis,
        store=store,
        desk=Desk(store, make_app(settings), settings),
        tokens=TokenFile(settings.tokens_path, ready),
    )
    app.extensions[_EXTENSION] = made
    return made


def means() -> Means:
    """Give the means of the app that answers the current request."""
    return cast("Means", current_app.extensions[_EXTENSION])

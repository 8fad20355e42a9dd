"""The service over HTTP: the API, the dashboard, and what operators ask. `create_app` makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apiflask import APIFlask

    from web.settings import WebSettings


def create_app(settings: WebSettings | None = None) -> APIFlask:
    """Make the app; without settings they are read from `MINDCORPUS_…` variables.

    Nothing is connected to yet. Raises `SettingsError` and `StorageError`.
    """
    # Late, so that the commands of `python -m web` do not load all of it.
    from web.factory import build
    from web.settings import WebSettings

    return build(settings or WebSettings.load())

"""What views work with, made once an app: settings, the jobs, who takes requests for jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from flask import Flask, current_app

from web.settings import WebSettings
from workers.app import make_app
from workers.jobs.job_store import JobStore
from workers.jobs.submission import JobService
from workers.redis_client import Client, connect

if TYPE_CHECKING:
    from web.access.audit_log import AuditLog
    from web.access.tokens import TokenFile

_EXTENSION = "mindcorpus"


@dataclass(frozen=True)
class Services:
    """One app's settings and connections; nothing connects before it is used."""

    settings: WebSettings
    redis: Client
    store: JobStore
    job_service: JobService
    tokens: TokenFile
    audit: AuditLog


def install(app: Flask, settings: WebSettings, tokens: TokenFile, audit: AuditLog) -> Services:
    """Make an app's services; raises `SettingsError` if there is no Redis to connect to."""
    redis = connect(settings)
    store = JobStore(redis, settings)
    made = Services(
        settings=settings,
        redis=redis,
        store=store,
        job_service=JobService(store, make_app(settings), settings),
        tokens=tokens,
        audit=audit,
    )
    app.extensions[_EXTENSION] = made
    return made


def services() -> Services:
    """Give the services of the app that answers the current request."""
    return cast("Services", current_app.extensions[_EXTENSION])

"""The HTTP API: the corpus, the training formats, the jobs that make them, and what they hold."""

from web.api import (
    adding_sources,
    artifacts,
    corpus,
    events,
    jobs,
    merging,
    preparing,
    rolling_back,
)
from web.api.blueprint import api

__all__ = [
    "adding_sources",
    "api",
    "artifacts",
    "corpus",
    "events",
    "jobs",
    "merging",
    "preparing",
    "rolling_back",
]

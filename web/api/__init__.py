"""The HTTP API: the corpus, the training formats, the jobs that make them, and what they hold."""

from web.api import artifacts, corpus, events, jobs, merging, preparing, rolling_back
from web.api.blueprint import api

__all__ = ["api", "artifacts", "corpus", "events", "jobs", "merging", "preparing", "rolling_back"]

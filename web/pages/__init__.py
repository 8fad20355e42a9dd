"""The dashboard: pages made on the server, that need no script but to be live."""

from web.pages import errors, formats, jobs, new_jobs, new_sources, overview, records, sign_in
from web.pages.blueprint import pages

__all__ = [
    "errors",
    "formats",
    "jobs",
    "new_jobs",
    "new_sources",
    "overview",
    "pages",
    "records",
    "sign_in",
]

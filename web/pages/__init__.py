"""The dashboard: pages made on the server, that need no script but to be live."""

from web.pages import jobs, new_jobs, overview, records, signing, trouble
from web.pages.blueprint import pages

__all__ = ["jobs", "new_jobs", "overview", "pages", "records", "signing", "trouble"]

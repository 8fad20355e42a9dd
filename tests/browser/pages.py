"""All pages of a service, for what must hold on each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from running import Service


def addresses(service: Service) -> list[str]:
    """Give the addresses of all pages, with jobs and records that there are."""
    with service.client() as client:
        jobs = client.get("/jobs").raise_for_status().json()["jobs"]
    return [
        "/",
        "/formats",
        "/jobs",
        "/jobs?state=failed",
        *(f"/jobs/{job['id']}" for job in jobs[:3]),
        f"/jobs/{jobs[0]['id']}/cancel",
        "/jobs/new/merge",
        "/jobs/new/prepare",
        "/records",
        "/records?search=nobody-wrote-this",
        "/records?min_words=many",
        "/records/0",
        "/nowhere",
        f"/jobs/{'0' * 32}",
    ]


def unfold(page: Page) -> None:
    """Open all that is folded."""
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")

"""When something is wrong: a plain page that says what, and what to do."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response, render_template, request

from web.pages.blueprint import pages
from web.problems import MEDIA_TYPE

#: What a person should read first.
_TITLES = {
    "corrupt-artifact": "What is stored is damaged",
    "redis-unavailable": "Redis is down",
    "disk-full": "The disk is nearly full",
    "storage": "The data folder cannot be used",
}
#: What a person should be told to do, where the hint of the API is for programs or commands.
_ADVICE = {
    "no-corpus": "Make one first, under New merge.",
    "not-found": "Look at the address, or begin at the overview.",
    "job-not-found": "Look at the list of jobs; the oldest are forgotten when there are many.",
    "record-not-found": "Look at the records from the first on.",
    "redis-unavailable": "Start redis-server, or look at MINDCORPUS_REDIS_URL. Nothing that was "
    "accepted is lost; jobs go on when it is back, and the corpus can be looked at meanwhile.",
    "corrupt-artifact": "Make it again with a new job that may replace it. "
    "`mindcorpus verify` tells in full what is damaged.",
}


@pages.after_app_request
def _as_page(response: Response) -> Response:
    """Turn a problem into a page, where it is a page that was asked for."""
    if response.mimetype != MEDIA_TYPE or not _wants_page():
        return response
    problem: dict[str, Any] = orjson.loads(response.get_data())
    code = problem["code"]
    if code == "corrupt-artifact":
        # For a person the service is not broken: it lacks something that can be made again.
        response.status_code = 503
    response.set_data(
        render_template(
            "trouble.html",
            status=response.status_code,
            code=code,
            title=_TITLES.get(code, problem["title"]),
            detail=problem["detail"],
            advice=_ADVICE.get(code, problem["hint"]),
        )
    )
    response.mimetype = "text/html"
    return response


def _wants_page() -> bool:
    if request.blueprint is None:
        # No such address; a program says what it takes, and not that it takes pages.
        return not request.path.startswith("/api/") and "text/html" in str(request.accept_mimetypes)
    return request.blueprint == "pages"

"""When something is wrong: a plain page that says what, and what to do."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response, render_template, request

from mindcorpus.errors import MindcorpusError
from web.pages.blueprint import add_headers, pages
from web.pages.filters import sentence
from web.pages.new_jobs import merge_again, prepare_again
from web.pages.remedies import advice_told
from web.problems import MEDIA_TYPE

#: What a person should read first.
_TITLES = {
    "not-found": "There is no such page",
    "method-not-allowed": "This address shows nothing",
    "forbidden": "You may not do that",
    "rate-limited": "That was too quick",
    "body-too-large": "That was too much",
    "corrupt-artifact": "What is stored is damaged",
    "redis-unavailable": "Redis is down",
    "queue-full": "Too many jobs wait",
    "disk-full": "The disk is nearly full",
    "storage": "The data folder cannot be used",
}
#: What a person should be told to do, where the hint of the API is for programs or commands.
_ADVICE = {
    "not-found": "Look at the address, or begin at the overview.",
    "method-not-allowed": "It is for the buttons of other pages; begin at the overview.",
    "body-too-large": "Fill in less: what a form sends takes a few hundred bytes.",
    "job-not-found": "Look at the list of jobs; they are forgotten some days after their end.",
    "record-not-found": "Look at the records from the first on.",
    "redis-unavailable": "Start redis-server, or look at MINDCORPUS_REDIS_URL. Nothing that was "
    "accepted is lost; jobs go on when it is back, and the corpus can be looked at meanwhile.",
    "corrupt-artifact": "Make it again with a new job that may replace it. "
    "`mindcorpus verify` tells in full what is damaged.",
}
#: Of these the detail is not ours, or says nothing that the title does not.
_NO_DETAIL = ("not-found", "method-not-allowed", "body-too-large")
#: Forms that are shown again as they were sent, where it was not their fault.
_FORMS = {"pages.make_merge": merge_again, "pages.make_prepare": prepare_again}
_PASSING = ("rate-limited", "queue-full", "disk-full", "storage", "redis-unavailable")


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
    title = _TITLES.get(code, problem["title"])
    detail = "" if code in _NO_DETAIL else problem["detail"]
    advice = _ADVICE.get(code, advice_told(problem))
    response.set_data(
        _form(code, [title, detail, advice])
        or render_template(
            "trouble.html",
            status=response.status_code,
            code=code,
            title=title,
            detail=detail,
            advice=advice,
        )
    )
    response.mimetype = "text/html"
    return add_headers(response)


def _form(code: str, sentences: list[str]) -> bytes | None:
    """Give the form that was sent, with what is wrong at its top; None if it was none."""
    again = _FORMS.get(request.endpoint or "")
    if again is None or code not in _PASSING:
        return None
    try:
        return again(" ".join(sentence(words) for words in sentences if words)).get_data()
    except MindcorpusError:
        return None  # what the form asks about is gone too


def _wants_page() -> bool:
    if request.blueprint is None:
        # No such address; a program says what it takes, and not that it takes pages.
        return not request.path.startswith("/api/") and "text/html" in str(request.accept_mimetypes)
    return request.blueprint == "pages"

"""The records: browse, search, look at one and where it came from, take what is filtered away."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import orjson
from flask import Response, redirect, request, stream_with_context, url_for

from mindcorpus.errors import SettingsError
from web.errors import RecordNotFoundError
from web.pages.blueprint import pages, show
from web.pages.corpus import Corpus, read_corpus
from web.pages.record_view import Shown, view_of
from web.pages.records_query import Query, read_query
from web.session import is_secure

_PAGE = 20
#: A search looks so long at most, then says how far it came and offers to go on.
_SEARCH_SECONDS = 1.5
_REVEAL = "mindcorpus_reveal"
_MANY_TAGS = 500  # that are offered to choose from
_PIECE = 64 * 1024


@pages.get("/records")
def records() -> Response:
    """Browse the records that match the filters in the address."""
    query, errors = read_query(request.args)
    found: dict[str, Any] = {}
    if not errors:
        try:
            found = read_corpus(lambda corpus: _find(corpus, query))
        except SettingsError as error:
            errors[error.field or ""] = f"{error.title[:1].upper()}{error.title[1:]}."
    return show(
        "records.html",
        422 if errors else 200,
        query=query,
        errors=errors,
        revealed=_revealed(),
        choices=read_corpus(_choices),
        **found,
    )


def _find(corpus: Corpus, query: Query) -> dict[str, Any]:
    wanted, words, start = query.filter(), query.words(), query.offset
    if not words:
        page = corpus.records.page(wanted, [], offset=start, limit=_PAGE)
        ahead = page.next_offset
        behind = max(0, start - _PAGE) if start else None
        return {
            "shown": _shown(page.records),
            "matched": page.matched,
            "ahead": ahead,
            "behind": behind,
        }
    found = corpus.records.search(wanted, words, offset=start, limit=_PAGE, seconds=_SEARCH_SECONDS)
    return {
        "shown": _shown(found.records),
        "looked_at": found.looked_at,
        "candidates": found.candidates,
        "ahead": None if found.complete else found.looked_at,
        "behind": None,
    }


def _shown(found: list[dict[str, Any]]) -> list[Shown]:
    return [view_of(record) for record in found]


def _choices(corpus: Corpus) -> dict[str, Any]:
    told = corpus.statistics
    return {
        "sources": told["by_source"],
        "types": told["by_type"],
        "tags": list(itertools.islice(told["by_tag"], _MANY_TAGS)),
        "records": told["records"],
    }


@pages.get("/records/<int:row>")
def record(row: int) -> Response:
    """Show one record and where it came from."""

    def read(corpus: Corpus) -> dict[str, Any]:
        if row >= len(corpus.records.index):
            raise RecordNotFoundError(f"the corpus has no record {row:,}")
        record_, lineage = corpus.records.one(row), corpus.records.lineage(row)
        source = next(s for s in corpus.manifest["sources"] if s["name"] == record_["source"])
        return {
            "record": view_of(record_),
            "lineage": lineage,
            "source": source,
            "last": len(corpus.records.index) - 1,
        }

    return show("record.html", revealed=_revealed(), **read_corpus(read))


@pages.get("/records/export")
def export_records() -> Response:
    """Send what is filtered as JSON lines, made while it is sent."""
    query, errors = read_query(request.args)
    if errors:
        return redirect(url_for("pages.records", **query.arguments()), 303)  # type: ignore[return-value]
    # What is wrong with the filter is told before the first byte.
    found = read_corpus(lambda corpus: _begin(corpus, query))
    response = Response(stream_with_context(found), mimetype="application/jsonl")
    response.headers["Content-Disposition"] = 'attachment; filename="records.jsonl"'
    return response


def _begin(corpus: Corpus, query: Query) -> Iterator[bytes]:
    corpus.records.matching(query.filter())
    return _lines(corpus, query)


def _lines(corpus: Corpus, query: Query) -> Iterator[bytes]:
    # If a new corpus replaces this one meanwhile it breaks off: better than a mixture.
    pending = bytearray()
    for found in corpus.records.each(query.filter(), query.words()):
        pending += orjson.dumps(found, option=orjson.OPT_APPEND_NEWLINE)
        if len(pending) >= _PIECE:
            yield bytes(pending)
            pending.clear()
    yield bytes(pending)


@pages.post("/records/reveal")
def reveal() -> Any:
    """Show all texts from now on in this browser session, or fold them again."""
    query, _ = read_query(request.args)
    row = request.args.get("row", "")
    there = (
        url_for("pages.record", row=int(row))
        if row.isascii() and row.isdecimal()
        else url_for("pages.records", **query.arguments())
    )
    answer = redirect(there, 303)
    options: dict[str, Any] = {"httponly": True, "samesite": "Strict", "secure": is_secure()}
    if request.form.get("texts") == "show":
        answer.set_cookie(_REVEAL, "1", **options)
    else:
        answer.delete_cookie(_REVEAL, **options)
    return answer


def _revealed() -> bool:
    return request.cookies.get(_REVEAL) == "1"

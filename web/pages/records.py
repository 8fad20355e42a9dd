"""The records: browse, search, look at one and where it came from, take what is filtered away."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import orjson
from flask import Response, redirect, request, stream_with_context, url_for

from mindcorpus.errors import SettingsError
from web.access.audited import audited, note, note_filter, note_rows
from web.access.session import REVEAL, is_secure
from web.errors import RecordNotFoundError
from web.pages.blueprint import pages, show
from web.pages.corpus import Corpus, read_corpus, reading_corpus
from web.pages.filters import sentence
from web.pages.record_view import GLIMPSE, view_of
from web.pages.records_query import Query, read_query

if TYPE_CHECKING:
    from mindcorpus.corpus.index import Rows
    from mindcorpus.corpus.search import Search

_PAGE = 20
#: A search looks so long for each page, then says how far it came and offers to go on.
_SEARCH_SECONDS = 0.1
_MANY_TAGS = 500  # that are offered to choose from
_PIECE = 64 * 1024


@pages.get("/records")
@audited("records.read")
def records() -> Response:
    """Browse the records that match the filters in the address."""
    query, errors = read_query(request.args)
    found: dict[str, Any] = {}
    if not errors:
        try:
            found = read_corpus(lambda corpus: _find(corpus, query))
        except SettingsError as error:
            errors[error.field or ""] = sentence(error.title)
    return _show_texts(
        "records.html",
        422 if errors else 200,
        query=query,
        errors=errors,
        choices=read_corpus(_choices),
        **found,
    )


def _show_texts(template: str, status: int = 200, **values: Any) -> Response:
    response = show(template, status, revealed=request.cookies.get(REVEAL) == "1", **values)
    # What people wrote in distress is not left behind in a browser.
    response.headers["Cache-Control"] = "no-store"
    return response


def _find(corpus: Corpus, query: Query) -> dict[str, Any]:
    rows, search = _matching(corpus, query, _SEARCH_SECONDS)
    end = query.offset + _PAGE
    shown = rows[query.offset : end]
    note_filter(query.arguments())
    note_rows(map(int, shown), corpus.folder.name)
    return {
        "shown": [view_of(one, GLIMPSE) for one in corpus.records.of_rows(shown)],
        "matched": len(rows),
        "looking": None if search is None or search.complete else search,
        "ahead": end if end < len(rows) else None,
        "behind": max(0, query.offset - _PAGE) if query.offset else None,
    }


def _matching(corpus: Corpus, query: Query, seconds: float) -> tuple[Rows, Search | None]:
    """Give the rows that match, or those that a search has found so far."""
    if not query.words():
        return corpus.records.matching(query.filter()), None
    search = corpus.search(query.filter(), query.words())
    if not search.complete:
        search.go_on(seconds)
    return search.hits, search


def _choices(corpus: Corpus) -> dict[str, Any]:
    statistics = corpus.statistics
    return {
        "sources": statistics["by_source"],
        "types": statistics["by_type"],
        "tags": list(itertools.islice(statistics["by_tag"], _MANY_TAGS)),
        "records": statistics["records"],
    }


@pages.get("/records/<int:row>")
@audited("record.read")
def record(row: int) -> Response:
    """Show one record and where it came from; its neighbours are those of the filters."""
    query, errors = read_query(request.args)
    if errors:
        query = Query()

    def read(corpus: Corpus) -> dict[str, Any]:
        if row >= len(corpus.records.index):
            raise RecordNotFoundError(f"the corpus has no record {row:,}")
        note_rows([row], corpus.folder.name)
        from mindcorpus.corpus.lineage import read_changes  # late: it loads pyarrow

        record_, lineage = corpus.records.one(row), corpus.records.lineage(row)
        source = next(s for s in corpus.manifest["sources"] if s["name"] == record_["source"])
        before, after, place = _neighbours(corpus, query, row)
        return {
            "record": view_of(record_),
            "lineage": lineage,
            "changes": read_changes(lineage["changed"] or ""),
            "source": source,
            "before": before,
            "after": after,
            "page": place // _PAGE * _PAGE,
        }

    return _show_texts("record.html", query=query, **read_corpus(read))


def _neighbours(corpus: Corpus, query: Query, row: int) -> tuple[int | None, int | None, int]:
    """Give the records before and after that match too, and how many of them come before."""
    try:
        # Whoever comes from a search finds it where it stood.
        rows, _ = _matching(corpus, query, 0)
    except SettingsError:
        rows = corpus.records.matching(Query().filter())
    place = int(rows.searchsorted(row))
    further = place + int(place < len(rows) and rows[place] == row)
    before = int(rows[place - 1]) if place else None
    return before, int(rows[further]) if further < len(rows) else None, place


@pages.get("/records/export")
@audited("records.export")
def export_records() -> Response:
    """Send what is filtered as JSON lines, made while it is sent."""
    query, errors = read_query(request.args)
    if errors:
        return redirect(url_for("pages.records", **query.arguments()), 303)  # type: ignore[return-value]
    with ExitStack() as stack:
        corpus = stack.enter_context(reading_corpus())
        # What is wrong with the filter is told before the first byte.
        corpus.records.matching(query.filter())
        note_filter(query.arguments())
        note(build=corpus.folder.name)
        lines = stream_with_context(_lines(corpus, query))
        response = Response(lines, mimetype="application/jsonl")
        # All of it is of this corpus, though a merge may replace it before the last line.
        response.call_on_close(stack.pop_all().close)
    response.headers["Content-Disposition"] = 'attachment; filename="records.jsonl"'
    return response


def _lines(corpus: Corpus, query: Query) -> Iterator[bytes]:
    pending = bytearray()
    for found in corpus.records.each(query.filter(), list(query.words())):
        pending += _line(found)
        if len(pending) >= _PIECE:
            yield bytes(pending)
            pending.clear()
    yield bytes(pending)


def _line(record_: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(record_, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        # A tool may be called with an integer that has more than 64 bits.
        return json.dumps(record_, ensure_ascii=False).encode() + b"\n"


@pages.post("/records/reveal")
def reveal() -> Any:
    """Show all texts from now on in this browser session, or fold them again."""
    query, _ = read_query(request.args)
    row = request.args.get("row", "")
    there = (
        url_for("pages.record", row=int(row), **query.arguments())
        if row.isascii() and row.isdecimal() and len(row) < 10
        else url_for("pages.records", **query.arguments(offset=query.offset))
    )
    answer = redirect(there, 303)
    options: dict[str, Any] = {"httponly": True, "samesite": "Strict", "secure": is_secure()}
    if request.form.get("texts") == "show":
        answer.set_cookie(REVEAL, "1", **options)
    else:
        answer.delete_cookie(REVEAL, **options)
    return answer

"""What the corpus is made of and holds: sources, statistics, records and where they came from."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from mindcorpus.errors import NoCorpusError, SettingsError
from mindcorpus.sources.catalog import Source
from mindcorpus.storage.store import Store
from web.access.audited import audited, note_filter, note_rows
from web.api.answers import no_corpus
from web.api.blueprint import api
from web.api.corpus_schemas import Catalogue, RecordPage, RecordWithLineage, Statistics
from web.api.schemas import RecordsQuery
from web.api.views import view
from web.errors import RecordNotFoundError
from web.paths import in_words
from web.services import services
from web.sources.adding import known

# mindcorpus.corpus.reader is imported late: it loads pyarrow.


@api.get("/sources")
@view("read", "List the sources of the catalogue", Catalogue)
def list_sources() -> Response:
    """List the sources, in the order in which they are merged, with homes and licences."""
    catalog, added = known(services().settings)
    broken = [
        {"name": name, "reason": in_words(str(error))} for name, error in added.broken.items()
    ]
    return jsonify({"sources": [source_as_told(source) for source in catalog], "broken": broken})


def source_as_told(source: Source) -> dict[str, Any]:
    """Give a source of the catalogue as JSON values."""
    return {
        "name": source.name,
        "title": source.title,
        # A source of the operator's own disk has no home that a client could use.
        "home": source.repository or source.url or "",
        "revision": source.revision,
        "licence": source.licence.model_dump(),
        "commercial": source.commercial,
        "type": source.type,
        "tags": list(source.tags),
        "note": source.note,
        "absent": source.absent,
    }


@api.get("/statistics")
@view("read", "Give the corpus in numbers", Statistics, problems=(404,))
def show_statistics() -> Response:
    """Give the statistics of the corpus' manifest."""
    try:
        manifest = Store(services().settings.data_dir).manifest("corpus")
    except NoCorpusError:
        return no_corpus(404)
    return jsonify(manifest["statistics"])


@api.get("/records")
@view("read", "Browse the records", RecordPage, problems=(404,), query=RecordsQuery)
@audited("records.read")
def list_records(query: RecordsQuery) -> Response:
    """Give a page of the records that match all of the filters."""
    from mindcorpus.corpus.reader import browse

    note_filter(query.model_dump(exclude={"offset", "limit"}))
    try:
        page = browse(services().settings.data_dir, **dict(query))
    except NoCorpusError:
        return no_corpus(404)
    note_rows((record["row"] for record in page.records), page.build)
    return jsonify(
        {"records": page.records, "matched": page.matched, "next_offset": page.next_offset}
    )


@api.get("/records/<int:row>")
@view("read", "Show a record and where it came from", RecordWithLineage, problems=(404,))
@audited("record.read")
def show_record(row: int) -> Response:
    """Show the record of a row, with its source file, revision and licence."""
    from mindcorpus.corpus.reader import record

    try:
        found, origin, build = record(services().settings.data_dir, row)
    except NoCorpusError:
        return no_corpus(404)
    except SettingsError:
        raise RecordNotFoundError(
            f"the corpus has no row {row}", hint="Rows count from 0; /records shows them."
        ) from None
    note_rows([row], build)
    return jsonify({"record": found, "lineage": origin})

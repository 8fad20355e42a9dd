"""An earlier build of the corpus, or of a format, made the current one again."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Response, jsonify

from mindcorpus.storage.rollback import roll_back
from mindcorpus.storage.store import Store
from web.access.audited import audited, note
from web.api.blueprint import api
from web.api.corpus_schemas import RollbackAnswer
from web.api.schemas import RollbackBody
from web.api.views import view
from web.services import services


@api.post("/rollback")
@view(
    "write",
    "Make an earlier build the current one again",
    RollbackAnswer,
    problems=(404,),
    body=RollbackBody,
)
@audited("build.rollback")
def rollback(body: RollbackBody) -> Response:
    """Make a build that is kept the current one; the one that it replaces is kept.

    Its files are read before. Sent twice, it is done once.
    """
    note(build=body.build)
    store = Store.of(services().settings)
    done = roll_back(store, None, body.build, lambda _rows, _bytes: None)
    if done.replaced is not None:
        structlog.get_logger("web").info("rolled back", build=done.build, replaced=done.replaced)
    answer: dict[str, Any] = {**vars(done), "path": done.path.name}
    return jsonify(answer)

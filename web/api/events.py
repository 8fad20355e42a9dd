"""A job's events as they happen: server-sent events that can be resumed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from flask import Response, request

from web.api.blueprint import api
from web.api.inputs import last_event_id
from web.api.views import LAST_EVENT_ID, view
from web.events.event_hub import streams
from web.events.event_stream import OPENING, EventStream
from web.services import services

_STREAM = {
    "description": "`snapshot`, the job itself; then `state` and `progress` events, and `reset` "
    "where events were missed; it ends with the job.",
    "content": {
        "text/event-stream": {
            "schema": {
                "type": "object",
                "description": "One event; `data` is JSON.",
                "required": ["event", "data"],
                "properties": {
                    "event": {"enum": ["snapshot", "state", "progress", "webhook", "reset"]},
                    "data": {"type": "string"},
                    "id": {"type": "string"},
                },
            }
        }
    },
}


@api.get("/jobs/<job_id>/events")
@view(
    "read",
    "Follow a job's events",
    None,
    answers={200: _STREAM, 204: {"description": "It is over, and you know all of it."}},
    problems=(404, 410),
    headers=[LAST_EVENT_ID],
)
def follow_job(job_id: str) -> Response:
    """Follow a job until it is over; `Last-Event-ID` goes on where another stream broke off."""
    here = services()
    here.store.get(job_id)
    stream = EventStream(here, job_id, last_event_id())
    missed = stream.catch_up()
    if stream.over:
        return _stream(iter(missed)) if missed else Response(status=204)
    watch = streams().watch(job_id, stream.heard)
    try:
        # What came before the watch began.
        missed += stream.catch_up()
    except BaseException:
        watch.close()
        raise
    left = request.environ.get("waitress.client_disconnected", lambda: False)
    response = _stream(stream.follow(watch, missed, left))
    response.call_on_close(watch.close)
    return response


def _stream(messages: Iterator[bytes]) -> Response:
    response = Response(chain([OPENING], messages), mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Accel-Buffering"] = "no"
    return response

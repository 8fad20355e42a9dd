"""Every error is a problem of RFC 9457, with a code that never changes and no word too many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from apiflask import APIFlask, abort
from pydantic import BaseModel, ConfigDict, Field

import web.errors
import workers.errors  # noqa: F401 - so that all errors are known
from mindcorpus.errors import DataError, MindcorpusError, PushError, ServiceError
from web.problems import KINDS, MEDIA_TYPE
from workers.errors import JobNotFoundError, RedisUnavailableError

if TYPE_CHECKING:
    from flask import Response
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: int = Field(ge=1)
    names: list[str] = []


@pytest.fixture
def client(app: APIFlask) -> FlaskClient:
    @app.get("/fails/<code>")
    def fails(code: str) -> Response:
        kind = next(kind for kind in _kinds(MindcorpusError) if kind.code == code)
        raise kind("it went wrong", hint="Do this.")

    @app.get("/row")
    def row() -> Response:
        raise DataError("cannot be read", source="reddit", file="a.csv", row=7, field="text")

    @app.get("/bug")
    def bug() -> Response:
        raise ValueError("the words of a record")

    @app.get("/aborts/<int:status>")
    def aborts(status: int) -> Response:
        abort(status, "no such thing")

    @app.post("/body")
    @app.input(Body)
    def body(json_data: Body) -> dict[str, int]:
        return {"number": json_data.number}

    return app.test_client()


def _kinds(root: type[MindcorpusError]) -> Iterator[type[MindcorpusError]]:
    for kind in root.__subclasses__():
        if kind in (ServiceError, PushError):
            continue  # a client's errors about the service, and what no service does
        # Not those of programs that run on no server, such as the local service's.
        if kind.__module__ in ("mindcorpus.errors", "workers.errors", web.errors.__name__):
            yield kind
        yield from _kinds(kind)


def _problem(answer: TestResponse, status: int, code: str) -> dict[str, object]:
    assert answer.status_code == status
    assert answer.mimetype == MEDIA_TYPE
    body: dict[str, object] = answer.get_json()
    assert body["status"] == status
    assert body["code"] == code
    assert body["type"] == f"/docs#problem-{code}"
    assert body["title"]
    assert body["detail"]
    return body


def test_every_error_has_its_line_in_the_table() -> None:
    assert {kind.code for kind in _kinds(MindcorpusError)} <= set(KINDS)
    for kind in KINDS.values():
        assert 400 <= kind.status < 600
        assert kind.meaning.endswith(".")
        assert kind.status != 503 or kind.retry_after


def test_an_error_of_ours_keeps_its_words(client: FlaskClient) -> None:
    body = _problem(client.get(f"/fails/{JobNotFoundError.code}?q=secret"), 404, "job-not-found")
    assert body["title"] == "it went wrong"
    assert body["hint"] == "Do this."
    assert body["instance"] == "/fails/job-not-found"


def test_an_error_says_where(client: FlaskClient) -> None:
    body = _problem(client.get("/row"), 500, "bad-data")
    assert (body["source"], body["file"], body["row"], body["field"]) == (
        "reddit",
        "a.csv",
        7,
        "text",
    )


def test_redis_being_away_says_when_to_come_back(client: FlaskClient) -> None:
    answer = client.get(f"/fails/{RedisUnavailableError.code}")
    _problem(answer, 503, "redis-unavailable")
    assert answer.headers["Retry-After"] == "5"


def test_a_bug_tells_nothing_of_itself(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = client.get("/bug")
    body = _problem(answer, 500, "error")
    assert "record" not in answer.text
    assert "Traceback" not in answer.text
    assert "X-Request-ID" in str(body["hint"])


@pytest.mark.parametrize(
    ("status", "code"), [(404, "not-found"), (409, "bad-request"), (503, "unavailable")]
)
def test_what_views_abort_with_is_a_problem(client: FlaskClient, status: int, code: str) -> None:
    answer = client.get(f"/aborts/{status}")
    assert _problem(answer, status, code)["detail"] == "no such thing"
    assert ("Retry-After" in answer.headers) == (status == 503)


def test_no_such_address_and_no_such_method(client: FlaskClient) -> None:
    _problem(client.get("/nowhere"), 404, "not-found")
    answer = client.delete("/row")
    _problem(answer, 405, "method-not-allowed")
    assert "GET" in answer.headers["Allow"]
    _problem(client.options("/row"), 405, "method-not-allowed")


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"number": 0}, "number"),
        ({"number": "many"}, "number"),
        ({}, "number"),
        ({"number": 1, "more": 2}, "more"),
        ({"number": 1, "names": ["a", 2]}, "names.1"),
        ([], "json"),
    ],
)
def test_a_wrong_body_names_its_field(client: FlaskClient, sent: object, field: str) -> None:
    body = _problem(client.post("/body", json=sent), 422, "invalid-request")
    errors = body["errors"]
    assert isinstance(errors, list)
    assert [error["field"] for error in errors] == [field]
    assert body["field"] == field
    assert errors[0]["message"] in str(body["detail"])


@pytest.mark.parametrize("sent", [b"", b"{", b"\xff", b'{"number": }', b"[" * 60_000])
def test_a_body_that_is_no_json_is_refused(client: FlaskClient, sent: bytes) -> None:
    _problem(client.post("/body", data=sent, content_type="application/json"), 400, "bad-request")


def test_the_page_that_explains_problems_has_a_line_for_each(client: FlaskClient) -> None:
    page = client.get("/docs").text
    for code in KINDS:
        assert f'id="problem-{code}"' in page

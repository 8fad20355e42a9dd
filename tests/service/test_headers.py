"""What browsers may do with answers, who may keep them, and the id of each request."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from flask import Response

from web.access.headers import PAGE, STRICT
from web.services import Services

if TYPE_CHECKING:
    from apiflask import APIFlask
    from flask.testing import FlaskClient


@pytest.fixture
def client(app: APIFlask) -> FlaskClient:
    @app.get("/api/kept")
    def kept() -> Response:
        return Response("x", headers={"Cache-Control": "private, max-age=60"})

    @app.get("/api/page")
    def page() -> Response:
        return Response("<script>1</script>", mimetype="text/html")

    @app.get("/bug")
    def bug() -> Response:
        raise RuntimeError

    return app.test_client()


@pytest.fixture
def token(app: APIFlask) -> dict[str, str]:
    made: Services = app.extensions["mindcorpus"]
    return {"Authorization": f"Bearer {made.tokens.new('reader', ('read',))}"}


@pytest.mark.parametrize(
    "path", ["/healthz", "/docs", "/openapi.json", "/static/docs.css", "/nowhere", "/bug", "/api/x"]
)
def test_every_answer_is_guarded(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    answer.close()
    headers = answer.headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == ("same-origin" if path == "/docs" else "no-referrer")
    policy = headers["Content-Security-Policy"]
    assert policy == (PAGE if path == "/docs" else STRICT)
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "Access-Control-Allow-Origin" not in headers


def test_answers_of_the_api_are_kept_nowhere_unless_they_say_so(
    client: FlaskClient, token: dict[str, str]
) -> None:
    assert client.get("/api/page").headers["Cache-Control"] == "no-store"
    assert client.get("/api/page", headers=token).headers["Cache-Control"] == "no-store"
    assert client.get("/api/kept", headers=token).headers["Cache-Control"] == "private, max-age=60"
    assert client.get("/healthz").headers["Cache-Control"] == "no-store"


def test_what_the_api_sends_is_never_a_page_that_runs(
    client: FlaskClient, token: dict[str, str]
) -> None:
    policy = client.get("/api/page", headers=token).headers["Content-Security-Policy"]
    assert policy == STRICT
    assert "sandbox" in policy


def test_a_request_keeps_its_id(client: FlaskClient) -> None:
    answer = client.get("/healthz", headers={"X-Request-ID": "build-7.step_2"})
    assert answer.headers["X-Request-ID"] == "build-7.step_2"


@pytest.mark.parametrize("given", ["", "a" * 65, "a b", 'a"b', "ä", "a;b"])
def test_an_id_that_is_not_plain_is_replaced(client: FlaskClient, given: str) -> None:
    made = client.get("/healthz", headers={"X-Request-ID": given}).headers["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{32}", made)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_docs_need_no_script_and_nothing_from_elsewhere(client: FlaskClient) -> None:
    answer = client.get("/docs")
    assert answer.status_code == 200
    page = _Page()
    page.feed(answer.text)
    names = [tag for tag, _ in page.tags]
    assert "script" not in names
    assert "style" not in names
    ids = {attributes["id"] for _, attributes in page.tags if attributes.get("id")}
    for _, attributes in page.tags:
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        for name in ("href", "src"):
            target = attributes.get(name)
            if target and target.startswith("#"):
                assert target[1:] in ids
            elif target:
                assert target.startswith("/")
                with client.get(target, follow_redirects=True) as linked:
                    assert linked.status_code == 200


def test_the_docs_show_every_operation(app: APIFlask, client: FlaskClient) -> None:
    text = client.get("/docs").text
    spec = client.get("/openapi.json").get_json()
    assert spec["openapi"].startswith("3.1")
    for path, operations in spec["paths"].items():
        shown = path.replace("&", "&amp;").replace("<", "&lt;")
        for method in operations.keys() & {"get", "post", "delete"}:
            assert f"{method.upper()} {shown}</code>" in text

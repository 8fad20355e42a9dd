"""Who may do what: nothing below /api without a token that is valid now and has the scope."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel

from web.access.auth import current_token, require
from web.services import Services

if TYPE_CHECKING:
    from apiflask import APIFlask
    from flask.testing import FlaskClient

READER, WRITER = "reader", "writer"


class Body(BaseModel):
    number: int


@pytest.fixture
def client(app: APIFlask) -> FlaskClient:
    @app.get("/api/forgotten")
    def forgotten() -> dict[str, str]:
        token = current_token()
        return {"token": token.name if token else ""}

    @app.post("/api/forgotten")
    def forgotten_change() -> dict[str, str]:
        return {}

    @app.post("/api/checked")
    @require("write")
    @app.input(Body)
    def checked(json_data: Body) -> dict[str, int]:
        return {"number": json_data.number}

    @app.post("/api/erased")
    @require("erase")
    def erased() -> dict[str, str]:
        return {}

    return app.test_client()


def bearer(app: APIFlask, name: str, *scopes: str) -> dict[str, str]:
    made: Services = app.extensions["mindcorpus"]
    return {"Authorization": f"Bearer {made.tokens.new(name, scopes)}"}


def test_a_token_opens_what_its_scope_is_for(app: APIFlask, client: FlaskClient) -> None:
    reader, writer = bearer(app, READER, "read"), bearer(app, WRITER, "write")
    answer = client.get("/api/forgotten", headers=reader)
    assert answer.get_json() == {"token": READER}
    assert client.get("/api/forgotten", headers=writer).get_json() == {"token": WRITER}
    assert client.post("/api/forgotten", headers=writer).status_code == 200
    assert client.post("/api/checked", headers=writer, json={"number": 1}).status_code == 200


@pytest.mark.parametrize(
    ("grants", "reads", "writes", "erases"),
    [
        (("read",), 200, 403, 403),
        (("write",), 200, 200, 403),
        (("read:default",), 200, 403, 403),
        (("write:default",), 200, 200, 403),
        (("read:other", "write:other"), 403, 403, 403),
        (("erase",), 403, 403, 200),
        (("erase:default", "read"), 200, 403, 200),
        (("erase:other", "read"), 200, 403, 403),
        (("review", "sources", "admin"), 403, 403, 403),
    ],
)
def test_a_scope_is_of_all_corpora_or_of_one(
    app: APIFlask,
    client: FlaskClient,
    grants: tuple[str, ...],
    reads: int,
    writes: int,
    erases: int,
) -> None:
    token = bearer(app, "somebody", *grants)
    assert client.get("/api/ai/data/jobs", headers=token).status_code == reads
    assert client.post("/api/checked", headers=token, json={"number": 1}).status_code == writes
    answer = client.post("/api/erased", headers=token)
    assert answer.status_code == erases
    if erases == 403:
        assert "scope erase" in answer.get_json()["hint"]


@pytest.mark.parametrize("grants", [("read:other",), ("admin",)])
def test_pages_are_for_who_may_read_the_default_corpus(
    app: APIFlask, grants: tuple[str, ...]
) -> None:
    own = {"Origin": "http://localhost"}
    text = bearer(app, "somebody", *grants)["Authorization"].removeprefix("Bearer ")
    client = app.test_client()
    assert client.post("/sign-in", data={"token": text}, headers=own).status_code == 303
    for path in ("/", "/jobs", "/records", "/records/0", "/records/export"):
        assert client.get(path).status_code == 403, path
    assert client.post("/sign-out", headers=own).status_code == 303


@pytest.mark.parametrize("path", ["/api/forgotten", "/api/checked"])
def test_changing_needs_write(app: APIFlask, client: FlaskClient, path: str) -> None:
    answer = client.post(path, headers=bearer(app, READER, "read"), json={"number": 1})
    assert answer.status_code == 403
    assert answer.get_json()["code"] == "forbidden"
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/forgotten"),
        ("HEAD", "/api/forgotten"),
        ("POST", "/api/forgotten"),
        ("POST", "/api/checked"),
        ("DELETE", "/api/forgotten"),
        ("GET", "/api/nowhere"),
        ("PUT", "/api/nowhere"),
        ("GET", "/api/"),
    ],
)
def test_nothing_is_told_without_a_token(client: FlaskClient, method: str, path: str) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="mindcorpus"'
    if method != "HEAD":
        assert answer.get_json()["code"] == "unauthorized"
        assert "token new" in answer.get_json()["hint"]


@pytest.mark.parametrize(
    "sent",
    ["Bearer", "Bearer ", "Bearer mc_no", "Basic dTpw", "nonsense", "Bearer ä", "", "Bearer a b"],
)
def test_what_is_no_valid_token_is_refused(client: FlaskClient, sent: str) -> None:
    answer = client.get("/api/forgotten", headers={"Authorization": sent})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].endswith('error="invalid_token"')
    assert "mc_no" not in answer.text


@pytest.mark.parametrize("path", ["//api/forgotten", "/./api/forgotten", "/API/forgotten"])
def test_no_other_spelling_of_an_address_goes_round_the_guard(
    client: FlaskClient, path: str
) -> None:
    assert client.get(path, base_url="http://localhost").status_code in (308, 401, 404)


def test_a_token_is_not_taken_from_the_address(app: APIFlask, client: FlaskClient) -> None:
    token = bearer(app, READER, "read")["Authorization"].removeprefix("Bearer ")
    assert client.get(f"/api/forgotten?token={token}&access_token={token}").status_code == 401


def test_the_token_comes_before_the_body_is_looked_at(client: FlaskClient) -> None:
    assert client.post("/api/checked", json={"number": "no"}).status_code == 401
    assert client.post("/api/checked", data=b"\xff").status_code == 401


def test_a_revoked_token_is_refused_at_once(app: APIFlask, client: FlaskClient) -> None:
    reader = bearer(app, READER, "read")
    assert client.get("/api/forgotten", headers=reader).status_code == 200
    app.extensions["mindcorpus"].tokens.revoke(READER)
    assert client.get("/api/forgotten", headers=reader).status_code == 401


def test_every_operation_of_the_api_says_which_scope_it_needs(app: APIFlask) -> None:
    assert isinstance(app.spec, dict)
    needed = {
        (method, path): operation.get("security")
        for path, operations in app.spec["paths"].items()
        for method, operation in operations.items()
        if path.startswith("/api/") and method in ("get", "post", "delete")
    }
    assert needed
    for (method, path), security in needed.items():
        scope = "read" if method == "get" else "write"
        if method != "get" and path.startswith("/api/ai/data/sources"):
            scope = "sources"
        assert security == [{"BearerAuth": [scope]}], (method, path)

"""How often a token may change something, and how long a request may be."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from flask import request

from web import create_app
from web.services import Services
from web.settings import WebSettings

if TYPE_CHECKING:
    from apiflask import APIFlask
    from flask.testing import FlaskClient
    from redis_server import RedisServer

LIMIT = 3


def _with_routes(settings: WebSettings) -> APIFlask:
    app = create_app(settings)

    @app.get("/api/thing")
    def look() -> dict[str, int]:
        return {}

    @app.post("/api/thing")
    def change() -> dict[str, int]:
        return {"bytes": len(request.get_data())}

    @app.delete("/api/thing")
    def delete() -> dict[str, int]:
        return {}  # looks at no body

    return app


@pytest.fixture
def limited(web_settings: WebSettings) -> WebSettings:
    return web_settings.model_copy(update={"post_limit": f"{LIMIT}/minute", "body_limit_kb": 1})


@pytest.fixture
def app(limited: WebSettings) -> Iterator[APIFlask]:
    made = _with_routes(limited)
    yield made
    made.extensions["mindcorpus"].redis.close()


@pytest.fixture
def client(app: APIFlask) -> FlaskClient:
    return app.test_client()


def _bearer(app: APIFlask, name: str = "writer") -> dict[str, str]:
    made: Services = app.extensions["mindcorpus"]
    return {"Authorization": f"Bearer {made.tokens.new(name, ('write',))}"}


def test_a_token_may_change_so_much_and_look_as_often_as_it_likes(
    app: APIFlask, client: FlaskClient
) -> None:
    token = _bearer(app)
    methods = ["POST", "DELETE", "POST"]
    assert [client.open("/api/thing", method=m, headers=token).status_code for m in methods] == [
        200,
        200,
        200,
    ]
    refused = client.delete("/api/thing", headers=token)
    assert refused.status_code == 429
    assert refused.mimetype == "application/problem+json"
    assert refused.get_json()["code"] == "rate-limited"
    assert refused.get_json()["title"] == "more than 3 changes per minute"
    assert 1 <= int(refused.headers["Retry-After"]) <= 61  # rounded up
    assert client.get("/api/thing", headers=token).status_code == 200
    # Somebody else's requests are counted apart.
    assert client.post("/api/thing", headers=_bearer(app, "other")).status_code == 200


def test_retry_after_is_long_enough(web_settings: WebSettings) -> None:
    app = _with_routes(web_settings.model_copy(update={"post_limit": "1/second"}))
    client, token = app.test_client(), _bearer(app)
    answers = [client.post("/api/thing", headers=token) for _ in range(3)]
    refused = answers[-1]
    assert refused.status_code == 429
    time.sleep(int(refused.headers["Retry-After"]))
    assert client.post("/api/thing", headers=token).status_code == 200
    app.extensions["mindcorpus"].redis.close()


def test_processes_count_together(
    app: APIFlask, client: FlaskClient, limited: WebSettings, redis_server: RedisServer
) -> None:
    token = _bearer(app)
    other = _with_routes(limited)
    for _ in range(LIMIT):
        assert other.test_client().post("/api/thing", headers=token).status_code == 200
    assert client.post("/api/thing", headers=token).status_code == 429
    with redis_server.client() as admin:
        assert all(key.startswith("mindcorpus:") for key in admin.scan_iter())
    other.extensions["mindcorpus"].redis.close()


def test_strangers_use_nothing_up(app: APIFlask, client: FlaskClient) -> None:
    for _ in range(LIMIT + 1):
        assert client.post("/api/thing").status_code == 401
    assert client.post("/api/thing", headers=_bearer(app)).status_code == 200


@pytest.mark.parametrize("fault", ["pause", "kill"])
def test_without_redis_each_process_counts_for_itself_and_waits_but_once(
    app: APIFlask, client: FlaskClient, redis_server: RedisServer, fault: str
) -> None:
    token = _bearer(app)
    assert client.post("/api/thing", headers=token).status_code == 200
    getattr(redis_server, fault)()
    try:
        began = time.monotonic()
        assert client.post("/api/thing", headers=token).status_code == 200
        assert time.monotonic() - began < 1.6
        began = time.monotonic()
        statuses = [client.post("/api/thing", headers=token).status_code for _ in range(LIMIT)]
        assert statuses == [200, 200, 429]
        assert time.monotonic() - began < 0.5
    finally:
        redis_server.start()


def test_wrong_tokens_are_counted_without_redis_too(
    client: FlaskClient, redis_server: RedisServer
) -> None:
    redis_server.kill()
    wrong = {"Authorization": "Bearer mc_wrong"}
    statuses = [client.get("/api/thing", headers=wrong).status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    # One /64 is one client; another address is another one.
    for number, status in ((1, 401), (2, 401)):
        elsewhere = {"REMOTE_ADDR": f"2001:db8::{number}"}
        answer = client.get("/api/thing", headers=wrong, environ_base=elsewhere)
        assert answer.status_code == status
    for number in range(10):
        near = {"REMOTE_ADDR": f"2001:db8::1:{number}"}
        answer = client.get("/api/thing", headers=wrong, environ_base=near)
    assert answer.status_code == 429


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_long_body_is_refused_whether_or_not_it_is_looked_at(
    app: APIFlask, client: FlaskClient, method: str
) -> None:
    token = _bearer(app)
    assert client.post("/api/thing", headers=token, data=b"x" * 1024).get_json() == {"bytes": 1024}
    refused = client.open("/api/thing", method=method, headers=token, data=b"x" * 1025)
    assert refused.status_code == 413
    assert refused.get_json()["code"] == "body-too-large"


def test_a_stranger_s_long_body_is_a_stranger_s(client: FlaskClient) -> None:
    assert client.post("/api/thing", data=b"x" * 5000).status_code == 401

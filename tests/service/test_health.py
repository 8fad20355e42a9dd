"""Liveness, readiness and numbers, with Redis there, hung and gone."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from flask import Response
from prometheus_client.parser import text_string_to_metric_families

from web import create_app
from web.services import Services
from web.settings import WebSettings
from workers.jobs.leases import ClaimStore

if TYPE_CHECKING:
    from apiflask import APIFlask
    from flask.testing import FlaskClient
    from redis_server import RedisServer
    from werkzeug.test import TestResponse


@pytest.fixture
def client(app: APIFlask) -> FlaskClient:
    @app.get("/things/<name>")
    def thing(name: str) -> Response:
        return Response(name)

    return app.test_client()


@pytest.fixture
def shaky(redis_server: RedisServer, redis_url: str) -> Iterator[RedisServer]:
    """The same server; it is awake and as it was when the test is over."""
    yield redis_server
    redis_server.start()
    with redis_server.client() as client:
        client.config_set("appendonly", "yes")
        client.config_set("maxmemory-policy", "noeviction")


def _worker_lives(app: APIFlask) -> None:
    made: Services = app.extensions["mindcorpus"]
    ClaimStore(made.redis, made.settings).seen("somewhere:1")


def _checks(answer: TestResponse) -> dict[str, bool]:
    return {check["check"]: check["ok"] for check in answer.get_json()["checks"]}


def _not_ready(answer: TestResponse) -> set[str]:
    assert answer.status_code == 503
    body = answer.get_json()
    assert body["code"] == "not-ready"
    assert answer.headers["Retry-After"] == "5"
    wrong = {check["check"] for check in body["checks"] if not check["ok"]}
    for check in body["checks"]:
        assert bool(check["hint"]) == (check["check"] in wrong)
        if check["check"] in wrong:
            assert check["detail"] in body["detail"]
    return wrong


def _numbers(client: FlaskClient) -> dict[str, float]:
    """Give each sample by its name and labels, without the process it is of."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    numbers = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = [value for name, value in sorted(sample.labels.items()) if name != "process"]
            numbers[" ".join([sample.name, *labels])] = sample.value
    return numbers


def test_a_process_that_answers_lives_whatever_redis_does(
    client: FlaskClient, shaky: RedisServer
) -> None:
    shaky.kill()
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.get_json() == {"status": "alive"}


def test_ready_with_redis_a_worker_and_space(app: APIFlask, client: FlaskClient) -> None:
    assert _not_ready(client.get("/readyz")) == {"worker"}
    _worker_lives(app)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    every = ("redis", "durable", "worker", "queue", "disk", "private", "audit")
    assert _checks(answer) == dict.fromkeys(every, True)


def test_not_ready_while_redis_is_gone(client: FlaskClient, shaky: RedisServer) -> None:
    shaky.kill()
    began = time.monotonic()
    assert _not_ready(client.get("/readyz")) == {"redis"}
    assert time.monotonic() - began < 3


def test_not_ready_while_redis_hangs(client: FlaskClient, shaky: RedisServer) -> None:
    shaky.pause()
    began = time.monotonic()
    assert _not_ready(client.get("/readyz")) == {"redis"}
    assert time.monotonic() - began < 7


@pytest.mark.parametrize(
    ("name", "value"), [("appendonly", "no"), ("maxmemory-policy", "allkeys-lru")]
)
def test_not_ready_where_redis_may_forget(
    app: APIFlask, client: FlaskClient, shaky: RedisServer, name: str, value: str
) -> None:
    _worker_lives(app)
    with shaky.client() as admin:
        admin.config_set(name, value)
    assert _not_ready(client.get("/readyz")) == {"durable"}


def test_not_ready_below_the_disk_floor(web_settings: WebSettings) -> None:
    app = create_app(web_settings.model_copy(update={"disk_floor_mb": 10**9}))
    _worker_lives(app)
    assert _not_ready(app.test_client().get("/readyz")) == {"disk"}
    app.extensions["mindcorpus"].redis.close()


def test_numbers_of_requests_know_templates_only(client: FlaskClient) -> None:
    client.get("/things/secret?q=secret")
    client.get("/things/other")
    client.get("/nowhere/secret")
    client.open("/things/x", method="BREW")
    numbers = _numbers(client)
    assert numbers["mindcorpus_http_requests_total GET /things/<name> 200"] == 2
    assert numbers["mindcorpus_http_requests_total GET none 404"] == 1
    assert numbers["mindcorpus_http_requests_total other none 405"] == 1
    assert numbers["mindcorpus_http_request_seconds_count GET /things/<name>"] == 2
    assert not any("secret" in name for name in numbers)


def test_numbers_of_jobs_come_from_redis(app: APIFlask, client: FlaskClient) -> None:
    _worker_lives(app)
    numbers = _numbers(client)
    assert numbers["mindcorpus_redis_up"] == 1
    assert numbers["mindcorpus_workers"] == 1
    assert numbers["mindcorpus_jobs queued"] == 0
    assert numbers["mindcorpus_queue_age_seconds"] == 0
    assert numbers["mindcorpus_lease_losses_total"] == 0
    assert numbers["mindcorpus_job_seconds_count merge"] == 0
    assert numbers["mindcorpus_jobs_ended_total prepare failed"] == 0


def test_numbers_without_redis_say_so_and_nothing_of_jobs(
    client: FlaskClient, shaky: RedisServer
) -> None:
    client.get("/healthz")
    shaky.kill()
    numbers = _numbers(client)
    assert numbers["mindcorpus_redis_up"] == 0
    assert numbers["mindcorpus_http_requests_total GET /healthz 200"] == 1
    jobs = re.compile("mindcorpus_(job|queue|worker|lease)")
    assert not any(jobs.match(name) for name in numbers)


def test_each_app_counts_for_itself(app: APIFlask, web_settings: WebSettings) -> None:
    other = create_app(web_settings)
    app.test_client().get("/healthz")
    counted = "mindcorpus_http_requests_total GET /healthz 200"
    assert _numbers(app.test_client())[counted] == 1
    assert counted not in _numbers(other.test_client())
    other.extensions["mindcorpus"].redis.close()

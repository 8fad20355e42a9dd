"""Who asked to be called when a job ends, is: signed, again if need be, and by whoever lives."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from local_service import until
from receiver import SLOW, Receiver
from redis_server import RedisServer
from running import Service, finished
from sample_numbers import KEPT
from standardwebhooks import Webhook, WebhookVerificationError

from mindcorpus.errors import SettingsError
from web.settings import WebSettings
from workers.callbacks import check_callback
from workers.jobs.scripts import PREFIX, Scripts, job_key
from workers.redis_client import connect
from workers.settings import ServiceSettings, WorkerSettings
from workers.webhooks import PAUSES, Webhooks

if TYPE_CHECKING:
    import httpx2
    from running import Running
    from stores import Stores

HUSH = secrets.token_hex(8)  # what an address may hold to know its caller by
SECRET = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


@pytest.fixture
def receiver() -> Iterator[tuple[Receiver, str]]:
    made = Receiver()
    server = made.start()
    yield made, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def service(
    redis_server: RedisServer, receiver: tuple[Receiver, str], tmp_path: Path
) -> Iterator[Service]:
    """A service that may call the receiver, with no worker yet."""
    folder = tmp_path / "service"
    redis = RedisServer(folder / "redis")
    redis.start()
    hosts = json.dumps(["hooks.example.org", receiver[1]])
    made = Service(folder, redis.url, webhook_hosts=hosts, webhook_secret=SECRET)
    try:
        made.start_web()
        yield made
    finally:
        made.stop()
        redis.stop()


def told(service: Service, job: dict[str, Any]) -> list[tuple[int, int | None, bool]]:
    """Give what a job's events say of its deliveries: which try, what was answered, and whether
    another one follows.
    """
    settings = ServiceSettings.model_validate({"redis_url": service.redis_url})
    redis = connect(settings)
    entries: Any = redis.xrange(f"{PREFIX}:events:{job['id']}")
    redis.close()
    events = [json.loads(fields["data"]) for _, fields in entries]
    calls = [each for each in events if each["type"] == "webhook"]
    return sorted(
        ((each["attempt"], each["status"], each["again"]) for each in calls),
        key=lambda call: (call[0], call[1] or 0),
    )


def environments(worker: Running) -> list[dict[str, str]]:
    """Give those of the processes that do a job just now."""
    found = []
    for process in psutil.Process(worker.pid).children(recursive=True):
        with suppress(psutil.Error):
            if "workers.execution.runner" in process.cmdline():
                found.append(process.environ())
    return found


def check_calls(calls: list[tuple[dict[str, str], bytes]], ended: dict[str, Any]) -> str:
    """See that two calls told of a merge's end, as the standard says; give the id of both."""
    assert len(calls) == 2
    (only,) = {headers["webhook-id"] for headers, _ in calls}
    for headers, raw in calls:
        assert Webhook(SECRET).verify(raw, headers) == {
            "type": "job.succeeded",
            "timestamp": ended["finished"],
            "data": {
                "id": ended["id"],
                "label": "nightly",
                "kind": "merge",
                "state": "succeeded",
                "result": {"records": KEPT},
            },
        }
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(raw.replace(b"succeeded", b"cancelled"), headers)
    return only


def test_an_end_is_told_signed_again_and_by_another_worker(
    service: Service, receiver: tuple[Receiver, str]
) -> None:
    heard, origin = receiver
    first, second = f"/first?key={HUSH}", f"/second?key={HUSH}"
    heard.answers = {first: [500], second: [307]}
    body = {"sample": True, "label": "nightly"}
    key = {"Idempotency-Key": "nightly"}
    with service.client() as client:
        wanted = {**body, "callback_url": f"{origin}{first}"}
        asked = client.post("/merge", json=wanted, headers=key)
        job = asked.raise_for_status().json()
        assert "callback_url" not in job["request"]
        # Whom to call shapes nothing: who asks for the same joins, and is called too.
        joined = client.post("/merge", json={**body, "callback_url": f"{origin}{second}"}).json()
        assert joined["id"] == job["id"]
        # A key stands for its address: nobody shall wait for a call that does not come.
        for other in ({}, {"callback_url": f"{origin}{second}"}):
            reused = client.post("/merge", json={**body, **other}, headers=key)
            assert reused.json()["code"] == "idempotency-key-reused"
        again = client.post("/merge", json=wanted, headers=key)
        assert (again.status_code, again.json()["id"]) == (200, job["id"])
        worker = service.start_worker()
        until(lambda: environments(worker))
        assert not [each for each in environments(worker) if SECRET in each.values()]
        ended = finished(client, job)
        assert ended["state"] == "succeeded", service.log()
    until(lambda: len(told(service, job)) == 2)
    # Nothing of it is in the worker: it dies, and what is left to do is done by the next.
    worker.kill()
    assert told(service, job) == [(1, 307, True), (1, 500, True)]
    service.start_worker()
    until(lambda: len(told(service, job)) == 4)
    assert told(service, job) == [
        (1, 307, True),
        (1, 500, True),
        (2, 204, False),
        (2, 204, False),
    ]
    assert {path for path, *_ in heard.calls} == {first, second}, "a redirect was followed"
    called = [check_calls(heard.of(path), ended) for path in (first, second)]
    assert called[0] != called[1]
    with service.client() as client:
        page = client.get(f"/jobs/{job['id']}/events", headers={"Last-Event-ID": "0-0"})
        assert page.text.count("event: webhook") == 4
        assert page.text.count(f'"to": "{origin}"') == 4
        assert HUSH not in page.text + client.get(f"/jobs/{job['id']}").text
        # There is a corpus by now: no reason to take an address that may not be called.
        assert client.post("/merge", json=body).json()["exists"]
        for path in ("/merge", "/prepare"):
            refused = client.post(path, json={"callback_url": "https://elsewhere.org/"})
            assert (refused.status_code, refused.json()["field"]) == (422, "callback_url"), path
        heard.answers = {"/gone": [410], "/slow": [SLOW]}
        gone = client.post("/prepare", json={"callback_url": f"{origin}/gone"}).json()
        client.post("/prepare", json={"callback_url": f"{origin}/slow"}).raise_for_status()
        assert finished(client, gone)["state"] == "succeeded"
        until(lambda: len(told(service, gone)) == 3)
        assert told(service, gone) == [(1, None, True), (1, 410, False), (2, 204, False)]
        message = Webhook(SECRET).verify(*heard.of("/gone")[0][::-1])
        made = client.get(f"/jobs/{gone['id']}").json()["result"]["formats"]
        rows = {name: each["rows"] for name, each in made.items()}
        assert message["data"]["result"] == {"rows": rows}
    for process in service.processes:
        assert not re.search(f"{HUSH}|{re.escape(SECRET)}", process.log.read_text())


def test_what_is_told_late_is_known_though_the_job_is_forgotten(
    stores: Stores, receiver: tuple[Receiver, str]
) -> None:
    heard, origin = receiver
    job = stores.submit(callback_url=f"{origin}/late", label="mine")
    crowd = stores.submit(content_key="shared", callback_url=f"{origin}/0")
    for number in range(1, 20):
        stores.submit(content_key="shared", callback_url=f"{origin}/{number}")
    with pytest.raises(SettingsError, match="as many addresses as may be") as refused:
        stores.submit(content_key="shared", callback_url=f"{origin}/20")
    assert refused.value.field == "callback_url"
    stores.submit(content_key="shared", callback_url=f"{origin}/0")  # once more
    long = {"records": 3, "formats": {}, "statistics": {"many": "words " * 900}}
    stores.jobs.cancel(crowd.id)
    stores.claims.succeed(stores.take(job.id), long)
    settings = WorkerSettings.model_validate(
        {
            "redis_url": stores.settings.redis(),
            "webhook_hosts": (origin,),
            "webhook_secret": SECRET,
        }
    )
    webhooks = Webhooks(settings)
    stores.redis.delete(f"{PREFIX}:events:{crowd.id}")  # as an hour does
    webhooks.deliver_due()
    assert len(heard.calls) == 8
    assert not stores.redis.exists(f"{PREFIX}:events:{crowd.id}"), "a stream that nothing ends"
    stores.let_pass(8 * 86_400)
    stores.claims.sweep()
    assert not stores.redis.exists(job_key(job.id))
    for _ in range(2):
        webhooks.deliver_due()
    ((headers, raw),) = heard.of("/late")
    data = Webhook(SECRET).verify(raw, headers)["data"]
    assert data == {
        "id": job.id,
        "label": "mine",
        "kind": "prepare",
        "state": "succeeded",
        "result": {"records": 3, "rows": {}},
    }
    paths = {path for path, *_ in heard.calls}
    assert paths == {"/late", *(f"/{number}" for number in range(20))}
    left = [key for key in stores.redis.scan_iter() if job.id in key or crowd.id in key]
    assert not [key for key in left if "idempotency" not in key], "a key of what is forgotten"


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example.org/x",
        "http://hooks.example.org/x",
        "https://hooks.example.org:8443/x",
        "https://hooks.example.org@elsewhere.example.org/",
        "https://elsewhere.example.org\\@hooks.example.org/",
        "https://hooks.example.org.elsewhere.example.org/",
        "https://hooks.example.org/a b",
        "file:///etc/passwd",
        "//hooks.example.org/x",
        "https://[::1/",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "hooks.example.org/x",
        "https://:@hooks.example.org/x",
        "https://hooks.example.org:0/x",
        "https://hooks.example.org/x\n",
        "https://hooks.exam\nple.org/x",
        " https://hooks.example.org/x",
        "https://hooks.example.org/x#y",
        "https://hooks.example.org\uff0felsewhere.example.org/",
        "https://hooks\u3002example.org/x",
        "https://hooks%2eexample.org/x",
        "https://hooks.example.org./x",
        "https://hooks.example.org%00.elsewhere.example.org/",
    ],
)
def test_no_other_host_is_called(url: str) -> None:
    settings = ServiceSettings.model_validate({"webhook_hosts": ("hooks.example.org",)})
    check_callback("https://hooks.example.org/x?y=1", settings)
    check_callback("HTTPS://HOOKS.example.org:443/x", settings)
    with pytest.raises(SettingsError) as refused:
        check_callback(url, settings)
    assert refused.value.field == "callback_url"


def test_a_service_whose_operator_lists_no_host_calls_nobody(asking: httpx2.Client) -> None:
    answer = asking.post("/merge", json={"callback_url": "https://hooks.example.org/x"})
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["field"] == "callback_url"
    assert "calls nobody back" in problem["title"]
    assert asking.get("/jobs").json()["jobs"] == []


@pytest.mark.parametrize("secret", ["hunter2", "whsec_", "whsec_c2hvcnQ=", "whsec_%%%"])
def test_a_secret_is_one_of_the_standard_s(secret: str) -> None:
    with pytest.raises(ValueError, match="must be whsec_"):
        WorkerSettings.model_validate({"webhook_secret": secret})


@pytest.mark.parametrize(
    "host", ["", "https://a.org/only/here", "a.org?x", "me@a.org", "ftp://a.org"]
)
def test_the_operator_lists_hosts_and_nothing_that_looks_narrower(host: str) -> None:
    with pytest.raises(ValueError, match="without a path"):
        ServiceSettings.model_validate({"webhook_hosts": (host,)})


def test_the_secret_is_the_workers_alone() -> None:
    assert "webhook_secret" not in WebSettings.model_fields


def test_tries_are_bounded_and_further_and_further_apart() -> None:
    assert list(PAUSES) == sorted(PAUSES)
    assert sum(PAUSES) < 86_400


def test_a_clock_set_back_puts_no_call_off(stores: Stores) -> None:
    url = "https://hooks.example.org/end"
    job = stores.submit(callback_url=url)
    other = stores.submit(callback_url=url)
    scripts = Scripts(stores.redis)
    for each in (job, other):
        stores.claims.succeed(stores.take(each.id), {})
    first, second = scripts.run("webhooks_due", 20_000, 8)
    scripts.run("webhooks_told", second[0], 1, "500", 60_000, url)
    due: Any = stores.redis.zrange(f"{PREFIX}:webhooks", 0, -1, withscores=True)
    stores.redis.zadd(f"{PREFIX}:webhooks", {name: at + 3 * 3_600_000 for name, at in due})
    stores.claims.sweep()
    now: Any = stores.redis.time()
    due = stores.redis.zrange(f"{PREFIX}:webhooks", 0, -1, withscores=True)
    ahead = {name: at / 1000 - now[0] for name, at in due}
    # As long as they were put off, and no longer.
    assert 10 < ahead[first[0]] <= 21
    assert 50 < ahead[second[0]] <= 61

"""The dashboard's pages: what they say and link to, also when something is wrong."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest
from test_session import OWN, signed_in

from mindcorpus import prepare_for
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing.offer_words import lengths_told
from mindcorpus.sources.catalog import Commercial
from mindcorpus.storage.kinds import CORPUS
from web import create_app
from web.access.tokens import TokenFile
from web.pages import overview
from web.settings import WebSettings
from workers.jobs.job_specs import prepare_spec

if TYPE_CHECKING:
    from apiflask import APIFlask
    from flask.testing import FlaskClient
    from redis_server import RedisServer

MERGE = {"material": "sample", "sources": "TRACE", "missing": "go-on", "force": "on"}
PREPARE = {"format": "openai", "take": "TRACE", "types": "clinical", "force": "on"}


@pytest.fixture
def settings(web_settings: WebSettings, made_sample: Path) -> WebSettings:
    """Settings of a service that has the sample."""
    shutil.copytree(made_sample, web_settings.data_dir, symlinks=True)
    return web_settings


@pytest.fixture
def app(settings: WebSettings) -> Iterator[APIFlask]:
    """The dashboard of that service."""
    made = create_app(settings)
    yield made
    made.extensions["mindcorpus"].redis.close()


@pytest.fixture
def visitor(app: APIFlask, settings: WebSettings) -> FlaskClient:
    """Who is signed in, and may change things."""
    client = signed_in(app, settings)
    client.environ_base["HTTP_ACCEPT"] = "text/html"
    return client


def words(text: str) -> str:
    """Give what a page says, without its marks."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


@pytest.mark.parametrize(
    "path", ["/records", "/records/3", "/records?search=the", "/records?tag=x"]
)
def test_pages_with_texts_are_kept_by_no_browser(visitor: FlaskClient, path: str) -> None:
    assert visitor.get(path).headers["Cache-Control"] == "no-store"


def test_a_search_goes_on_where_it_stood_and_remembers_what_it_found(
    visitor: FlaskClient, settings: WebSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.pages.records._SEARCH_SECONDS", 0)
    rows = json.loads((settings.data_dir / f"{CORPUS}.json").read_text())
    holding = [
        row
        for row, record in enumerate(rows)
        if any(
            "feel" in record[name].lower() for name in ("input", "response", "rejected_response")
        )
    ]
    seen = []
    while 'id="search-on"' in (page := visitor.get("/records?search=feel").text):
        seen.append(words(page))
    assert len(seen) > 1
    assert "found so far; looked through" in seen[0]
    assert f"{len(holding)} records found" in words(page)
    shown: list[int] = []
    for offset in range(0, len(holding), 20):
        page = visitor.get(f"/records?search=feel&offset={offset}").text
        shown += [int(row) for row in re.findall(r'id="record-(\d+)"', page)]
    assert shown == holding
    assert 'rel="prev"' in page
    assert 'rel="next"' not in page


def test_a_record_leads_to_the_neighbours_that_match_too(visitor: FlaskClient) -> None:
    page = visitor.get("/records?source=TRACE&offset=20").text
    rows = [int(row) for row in re.findall(r'id="record-(\d+)"', page)]
    assert f'href="/records/{rows[1]}?source=TRACE"' in page
    record = visitor.get(f"/records/{rows[1]}?source=TRACE").text
    assert f'rel="prev" href="/records/{rows[0]}?source=TRACE"' in record
    assert f'rel="next" href="/records/{rows[2]}?source=TRACE"' in record
    assert 'href="/records?source=TRACE&amp;offset=20"' in record
    assert 'rel="prev"' not in visitor.get("/records/0").text
    # A filter that makes no sense is left alone.
    assert visitor.get("/records/1?source=Nobody&min_words=x").status_code == 200


@pytest.mark.parametrize("number", ["0" * 12 + "9" * 60, "9" * 5000, "²", "-1"])
def test_a_number_that_is_none_is_told_beside_its_field(visitor: FlaskClient, number: str) -> None:
    page = visitor.get("/records", query_string={"min_words": number})
    assert page.status_code == 422
    assert 'id="wrong-min_words"' in page.text
    assert visitor.get("/records?min_words=0005").status_code == 200


@pytest.mark.parametrize("query", ["state=nope", "kind=zzz"])
def test_a_state_or_kind_that_there_is_not_is_told(visitor: FlaskClient, query: str) -> None:
    page = visitor.get(f"/jobs?{query}")
    assert page.status_code == 422
    assert f"There is no {query.partition('=')[0]} of this name." in page.text


def test_a_cursor_that_leads_nowhere_leads_to_the_first_page(visitor: FlaskClient) -> None:
    assert visitor.get("/jobs?kind=merge&cursor=gone").location == "/jobs?kind=merge"


@pytest.mark.parametrize("path", ["/nope", "/jobs/zzz/no", "/records/abc"])
def test_a_page_that_there_is_not_is_one_of_ours(visitor: FlaskClient, path: str) -> None:
    page = visitor.get(path)
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert "There is no such page" in page.text
    assert "Sign out" in page.text
    assert ".." not in words(page.text)
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert page.headers["Cache-Control"] == "no-store"
    assert visitor.get("/sign-out").status_code == 405


def test_the_docs_are_a_page_of_the_dashboard(visitor: FlaskClient, app: APIFlask) -> None:
    page = visitor.get("/docs").text
    assert 'aria-current="page">API' in page
    assert "Sign out" in page
    assert len(re.findall("<(?:pre|table)[ >]", page)) == page.count('role="region"')
    assert "Sign out" not in app.test_client().get("/docs").text


def test_a_prepare_of_nothing_is_refused_beside_the_field(visitor: FlaskClient) -> None:
    for chosen, said in (
        ({"types": "nope"}, "The corpus has no type nope."),
        ({"take": "RedditESS"}, "No record of these sources is of these types"),
        ({"cap.TRACE": "0"}, "No record of these sources is of these types"),
    ):
        page = visitor.post("/jobs/new/prepare", data={**PREPARE, **chosen}, headers=OWN)
        assert page.status_code == 422
        assert said in page.text.partition('id="wrong-types"')[2].partition("</p>")[0]


def test_all_replaces_what_else_exists(visitor: FlaskClient, settings: WebSettings) -> None:
    prepare_for("sharegpt", settings.data_dir)
    chosen = {**PREPARE, "format": "all"}
    visitor.post("/jobs/new/prepare", data=chosen, headers=OWN)
    services = visitor.application.extensions["mindcorpus"]
    (job,) = services.store.list().jobs
    assert job.request["formats"] == ["openai", "huggingface", "sharegpt"]


def test_a_prompt_in_the_form_replaces_system_turns_only_where_that_is_chosen(
    visitor: FlaskClient,
) -> None:
    page = visitor.get("/jobs/new/prepare").text
    assert 'name="system_policy" value="own" checked' in page
    for chosen, recorded in (({}, None), ({"system_policy": "replace"}, "replace")):
        form = {**PREPARE, "system_prompt": "Be kind.", **chosen}
        answer = visitor.post("/jobs/new/prepare", data=form, headers=OWN)
        services = visitor.application.extensions["mindcorpus"]
        job = services.store.get(answer.location.rpartition("/")[2])
        assert job.request.get("system_policy") == recorded
    wrong = visitor.post(
        "/jobs/new/prepare", data={**PREPARE, "system_policy": "mine"}, headers=OWN
    )
    assert wrong.status_code == 422


def test_the_form_tells_the_split_that_a_prepare_takes_though_the_corpus_is_another(
    visitor: FlaskClient, settings: WebSettings
) -> None:
    prepare_for("openai", settings.data_dir, seed=7, test_share=0.05, force=True)
    manifest = settings.data_dir / "artifacts" / "corpus" / "manifest.json"
    for _ in "this corpus", "another":
        page = visitor.get("/jobs/new/prepare").text
        assert "Empty: 7." in page
        assert "Empty: 0.05." in page
        manifest.write_text(manifest.read_text() + "\n")
    visitor.post("/jobs/new/prepare", data={**PREPARE, "seed": ""}, headers=OWN)
    (job,) = visitor.application.extensions["mindcorpus"].store.list().jobs
    assert job.request["seed"] == 7


def test_a_limit_shows_the_form_again_with_its_input_and_says_how_long(
    settings: WebSettings,
) -> None:
    app = create_app(settings.model_copy(update={"post_limit": "1/minute"}))
    client = signed_in(app, settings)
    assert client.post("/jobs/new/merge", data=MERGE, headers=OWN).status_code == 303
    typed = {**MERGE, "options": "TRACE.kept=yes"}
    page = client.post("/jobs/new/merge", data=typed, headers=OWN)
    assert page.status_code == 429
    assert "TRACE.kept=yes" in page.text
    assert re.search(r"Nothing was sent yet. .* Wait \d+ s\.", words(page.text))
    assert int(page.headers["Retry-After"]) > 0
    page = client.post("/jobs/new/prepare", data=PREPARE, headers=OWN)
    assert (page.status_code, "New prepare" in page.text) == (429, True)
    app.extensions["mindcorpus"].redis.close()


@pytest.mark.parametrize(
    ("changed", "status"), [({"queue_limit": 0}, 429), ({"disk_floor_mb": 10**9}, 507)]
)
def test_what_is_full_shows_the_form_again_with_its_input(
    settings: WebSettings, changed: dict[str, int], status: int
) -> None:
    app = create_app(settings.model_copy(update=changed))
    client = signed_in(app, settings)
    for path, form in (("/jobs/new/merge", MERGE), ("/jobs/new/prepare", PREPARE)):
        page = client.post(path, data=form, headers=OWN)
        assert page.status_code == status
        assert 'id="errors"' in page.text
        assert 'value="TRACE" checked' in page.text
    app.extensions["mindcorpus"].redis.close()


@pytest.mark.parametrize("fault", ["pause", "kill"])
def test_without_redis_pages_are_quick_and_heal_soon(
    visitor: FlaskClient, redis_server: RedisServer, fault: str
) -> None:
    assert visitor.get("/").status_code == 200
    time.sleep(1.1)  # until another look is due
    getattr(redis_server, fault)()
    try:
        for path, status in (("/jobs", 503), ("/", 200), ("/records", 200), ("/jobs/x", 503)):
            began = time.monotonic()
            assert visitor.get(path).status_code == status
            assert time.monotonic() - began < 1.5
        began = time.monotonic()
        page = visitor.post("/jobs/new/merge", data={**MERGE, "options": "TRACE.x=1"}, headers=OWN)
        assert "Redis is down" in page.text or page.status_code == 422
        assert visitor.post("/sign-out", headers=OWN).status_code == 303
        assert time.monotonic() - began < 3
    finally:
        redis_server.start()
    time.sleep(1.2)
    token = TokenFile(visitor.application.extensions["mindcorpus"].tokens.path).new("again")
    assert visitor.post("/sign-in", data={"token": token}, headers=OWN).status_code == 303
    assert visitor.get("/jobs").status_code == 200


def test_a_redis_that_is_away_leaves_the_form_as_it_was_filled_in(
    visitor: FlaskClient, redis_server: RedisServer
) -> None:
    redis_server.kill()
    try:
        time.sleep(1.1)
        page = visitor.post("/jobs/new/merge", data=MERGE, headers=OWN)
        assert page.status_code == 503
        assert "Nothing was sent yet. Redis is down." in words(page.text)
        assert 'value="TRACE" checked' in page.text
    finally:
        redis_server.start()


def result_of(settings: WebSettings) -> dict[str, Any]:
    """Give the result of a merge that published what is there."""
    manifest = json.loads((settings.data_dir / f"{CORPUS}.manifest.json").read_text())
    artifacts = [{"kind": "corpus", **output} for output in manifest["outputs"]]
    return {"records": manifest["rows"], "artifacts": artifacts, "missing": [], "warnings": []}


def test_files_that_a_later_job_replaced_are_no_links(app: APIFlask, settings: WebSettings) -> None:
    from web.pages.job_files import published_by

    job_service = app.extensions["mindcorpus"].job_service
    from mindcorpus.job_requests import MergeRequest
    from workers.jobs.job_specs import merge_spec

    order = merge_spec(MergeRequest(sample=True, sources=("TRACE",)), settings)
    ended = {"state": "succeeded", "result": result_of(settings)}
    job = job_service.submit(order).job.model_copy(update=ended)
    with app.test_request_context("/"):
        now = published_by(job)
        assert not now.replaced
        assert all(file["url"] for file in now.files)
        assert job.result is not None
        job.result["artifacts"][0]["sha256"] = "0" * 64
        then = published_by(job)
        assert then.replaced
        assert sum(file["url"] is None for file in then.files) == 1
        shutil.rmtree(settings.data_dir / "artifacts")
        assert all(file["url"] is None for file in published_by(job).files)


def test_a_job_whose_format_is_not_known_here_has_a_page(
    app: APIFlask, settings: WebSettings, visitor: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = app.extensions["mindcorpus"]
    order = prepare_spec(PrepareRequest(format="openai"), settings)
    output = {"path": "mental_health_foreign.jsonl", "bytes": 2, "sha256": "0" * 64, "rows": 1}
    result = {
        "formats": {"foreign": {"rows": 1, "skipped": {}}},
        "artifacts": [{"kind": "foreign", **output}],
        "warnings": [],
    }
    ended = {"state": "succeeded", "result": result, "request": {"format": "foreign"}}
    job = services.job_service.submit(order).job.model_copy(update=ended)
    monkeypatch.setattr(type(services.store), "get", lambda _store, _job_id: job)
    page = visitor.get(f"/jobs/{job.id}")
    assert page.status_code == 200
    assert "foreign : 1 row" in words(page.text)
    assert "mental_health_foreign.jsonl" not in page.text


def test_the_page_of_a_prepare_tells_how_long_records_are(
    app: APIFlask, settings: WebSettings, visitor: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = app.extensions["mindcorpus"]
    tokens = prepare_for("chat", settings.data_dir).manifest["tokens"]
    folder = {"rows": 3, "sections": [{"name": "dpo", "rows": 3, "tokens": tokens}]}
    result = {"formats": {"chat": {"rows": 9, "tokens": tokens}, "both": folder}, "artifacts": []}
    ended = {"state": "succeeded", "result": result}
    order = prepare_spec(PrepareRequest(format="chat"), settings)
    job = services.job_service.submit(order).job.model_copy(update=ended)
    monkeypatch.setattr(type(services.store), "get", lambda _store, _job_id: job)
    told = words(visitor.get(f"/jobs/{job.id}").text)
    assert f"chat : 9 rows. {lengths_told(tokens)}" in told
    assert f"both : 3 rows; dpo 3 rows. dpo: {lengths_told(tokens)}" in told
    assert lengths_told(tokens) in words(visitor.get("/formats").text)


def test_there_are_words_for_every_commercial_use() -> None:
    uses = list(get_args(Commercial))
    assert list(overview._MAY) == list(overview._MIXTURE) == uses
    assert sorted(overview._STRICTEST) == sorted(uses)
    form = (Path(overview.__file__).parents[1] / "templates/new_merge.html").read_text()
    table = form.split("commercial use {{ {")[1].split("}[source.licence.commercial]")[0]
    assert re.findall('"([a-z-]+)":', table) == uses

"""The dashboard's session: what the cookie is worth, and whose requests may change something."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from web.settings import WebSettings
from web.tokens import Scope, TokenFile

if TYPE_CHECKING:
    from apiflask import APIFlask
    from flask.testing import FlaskClient

OWN = {"Origin": "http://localhost"}
JOBS = "/api/ai/data/jobs"
MERGE = "/api/ai/data/merge"


def signed_in(
    app: APIFlask, settings: WebSettings, *scopes: Scope, name: str = "me"
) -> FlaskClient:
    text = TokenFile(settings.tokens_path).new(name, scopes or ("read", "write"))
    client = app.test_client()
    answer = client.post("/sign-in", data={"token": text, "next": "/jobs"}, headers=OWN)
    assert (answer.status_code, answer.location) == (303, "/jobs")
    return client


def test_a_token_is_exchanged_for_a_cookie_that_scripts_and_other_sites_never_get(
    app: APIFlask, web_settings: WebSettings
) -> None:
    client = signed_in(app, web_settings)
    cookie = client.get_cookie("mindcorpus_session")
    assert cookie is not None
    assert (cookie.http_only, cookie.same_site, cookie.secure) == (True, "Strict", False)
    assert client.get("/jobs").status_code == 200
    key = web_settings.data_dir / ".service" / "session.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_over_https_the_cookie_never_travels_in_the_clear(
    app: APIFlask, web_settings: WebSettings
) -> None:
    text = TokenFile(web_settings.tokens_path).new("me")
    headers = {**OWN, "X-Forwarded-Proto": "https"}
    answer = app.test_client().post("/sign-in", data={"token": text}, headers=headers)
    assert "; Secure" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("text", ["", "mc_wrong", "x" * 100_000])
def test_what_is_no_token_opens_nothing(app: APIFlask, text: str) -> None:
    client = app.test_client()
    answer = client.post("/sign-in", data={"token": text}, headers=OWN)
    assert answer.status_code in (413, 422)
    assert "Set-Cookie" not in answer.headers
    assert client.get("/jobs").status_code == 303


@pytest.mark.parametrize(
    "there", ["//evil.example", "https://evil.example/", "/\\evil.example", "x"]
)
def test_signing_in_leads_to_no_other_site(
    app: APIFlask, web_settings: WebSettings, there: str
) -> None:
    text = TokenFile(web_settings.tokens_path).new("me")
    answer = app.test_client().post("/sign-in", data={"token": text, "next": there}, headers=OWN)
    assert answer.location == "/"


def test_revoking_the_token_ends_the_session_at_once_also_if_the_name_is_used_again(
    app: APIFlask, web_settings: WebSettings
) -> None:
    client = signed_in(app, web_settings)
    tokens = TokenFile(web_settings.tokens_path)
    tokens.revoke("me")
    assert client.get("/jobs").status_code == 303
    tokens.new("me")
    assert client.get("/jobs").status_code == 303
    assert client.get(JOBS).status_code == 401


def test_a_changed_cookie_and_an_old_one_are_worth_nothing(
    app: APIFlask, web_settings: WebSettings
) -> None:
    client = signed_in(app, web_settings)
    cookie = client.get_cookie("mindcorpus_session")
    assert cookie is not None
    name, issued, digest = cookie.value.split("~")
    for forged in (f"{name}~{int(issued) + 1}~{digest}", f"other~{issued}~{digest}", f"{name}~1~é"):
        client.set_cookie("mindcorpus_session", forged)
        assert client.get("/jobs").status_code == 303
    short = web_settings.model_copy(update={"session_hours": 1e-9})
    from web import create_app

    later = create_app(short)
    other = later.test_client()
    other.set_cookie("mindcorpus_session", cookie.value)
    assert other.get("/jobs").status_code == 303
    later.extensions["mindcorpus"].redis.close()


def test_signing_out_takes_the_cookie_away(app: APIFlask, web_settings: WebSettings) -> None:
    client = signed_in(app, web_settings)
    assert client.post("/sign-out", headers=OWN).status_code == 303
    assert client.get_cookie("mindcorpus_session") is None


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Origin": "http://localhost"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({}, False),
    ],
)
def test_changes_are_taken_from_our_own_pages_only(
    app: APIFlask, web_settings: WebSettings, headers: dict[str, str], *, taken: bool
) -> None:
    client = signed_in(app, web_settings)
    form = {"material": "sample", "sources": "TRACE", "missing": "stop"}
    page = client.post("/jobs/new/merge", data=form, headers=headers)
    assert page.status_code == (303 if taken else 403)
    api = client.post(MERGE, json={"sample": True}, headers=headers)
    assert api.status_code == (202 if taken else 403)


def test_a_token_that_was_sent_decides_not_the_cookie(
    app: APIFlask, web_settings: WebSettings
) -> None:
    client = signed_in(app, web_settings)
    assert client.get(JOBS).status_code == 200
    assert client.get(JOBS, headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_who_may_read_sees_no_button_and_changes_nothing(
    app: APIFlask, web_settings: WebSettings
) -> None:
    client = signed_in(app, web_settings, "read")
    page = client.get("/jobs")
    assert page.status_code == 200
    assert "/jobs/new/" not in page.text
    answers = [
        client.get("/jobs/new/merge"),
        client.post("/jobs/new/merge", headers=OWN),
        client.post(f"/jobs/{'0' * 32}/cancel", headers=OWN),
        client.post(MERGE, headers=OWN),
    ]
    assert [answer.status_code for answer in answers] == [403] * 4
    assert [answer.mimetype for answer in answers[:3]] == ["text/html"] * 3

"""The dashboard's session: what the cookie is worth, and whose requests may change something."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from web import create_app
from web.access.scopes import Scope
from web.access.tokens import TokenFile
from web.settings import WebSettings

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
    key = web_settings.state_path / "session.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_over_https_the_cookie_never_travels_in_the_clear(
    app: APIFlask, web_settings: WebSettings
) -> None:
    text = TokenFile(web_settings.tokens_path).new("me")
    headers = {"Origin": "https://localhost", "X-Forwarded-Proto": "https"}
    answer = app.test_client().post("/sign-in", data={"token": text}, headers=headers)
    said = answer.headers["Set-Cookie"]
    assert said.startswith("__Host-mindcorpus_session=")
    assert {"Secure", "Path=/", "HttpOnly", "SameSite=Strict"} <= set(said.split("; "))
    assert "Domain" not in said


@pytest.mark.parametrize("text", ["", "mc_wrong", "x" * 100_000])
def test_what_is_no_token_opens_nothing(app: APIFlask, text: str) -> None:
    client = app.test_client()
    answer = client.post("/sign-in", data={"token": text}, headers=OWN)
    assert answer.status_code in (413, 422)
    assert "Set-Cookie" not in answer.headers
    assert client.get("/jobs").status_code == 303


@pytest.mark.parametrize(
    "there",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "x",
        "//[",
        "/\t/evil.example",
        "/\r\nSet-Cookie: a=b",
        "/\x7f",
    ],
)
def test_signing_in_leads_to_no_other_site(
    app: APIFlask, web_settings: WebSettings, there: str
) -> None:
    text = TokenFile(web_settings.tokens_path).new("me")
    client = app.test_client()
    assert client.get("/sign-in", query_string={"next": there}).status_code == 200
    answer = client.post("/sign-in", data={"token": text, "next": there}, headers=OWN)
    assert answer.location == "/"
    assert client.get("/sign-in", query_string={"next": there}).location == "/"


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
    name, issued, seen, number, digest = cookie.value.split("~")
    for forged in (
        f"{name}~{int(issued) + 1}~{seen}~{number}~{digest}",
        f"{name}~{issued}~{int(seen) + 1}~{number}~{digest}",
        f"{name}~{issued}~{seen}~{'0' * 32}~{digest}",
        f"other~{issued}~{seen}~{number}~{digest}",
        f"{name}~{issued}~{seen}~../{number}~{digest}",
        f"{name}~1~é",
    ):
        client.set_cookie("mindcorpus_session", forged)
        assert client.get("/jobs").status_code == 303
    short = web_settings.model_copy(update={"session_hours": 1e-9})
    later = create_app(short)
    other = later.test_client()
    other.set_cookie("mindcorpus_session", cookie.value)
    assert other.get("/jobs").status_code == 303
    later.extensions["mindcorpus"].redis.close()


def test_signing_out_takes_the_cookies_away_and_what_the_browser_kept(
    app: APIFlask, web_settings: WebSettings
) -> None:
    client = signed_in(app, web_settings)
    client.post("/records/reveal", data={"texts": "show"}, headers=OWN)
    assert client.get_cookie("mindcorpus_reveal") is not None
    answer = client.post("/sign-out", headers=OWN)
    assert answer.status_code == 303
    assert answer.headers["Clear-Site-Data"] == '"cache"'
    assert client.get_cookie("mindcorpus_session") is None
    assert client.get_cookie("mindcorpus_reveal") is None


def test_who_signs_in_next_finds_the_texts_folded(app: APIFlask, web_settings: WebSettings) -> None:
    client = signed_in(app, web_settings)
    client.post("/records/reveal", data={"texts": "show"}, headers=OWN)
    client.delete_cookie("mindcorpus_session")
    text = TokenFile(web_settings.tokens_path).new("next")
    assert client.post("/sign-in", data={"token": text}, headers=OWN).status_code == 303
    assert client.get_cookie("mindcorpus_reveal") is None


def test_a_copy_of_the_cookie_is_worth_nothing_after_signing_out(
    app: APIFlask, web_settings: WebSettings
) -> None:
    client = signed_in(app, web_settings)
    other = signed_in(app, web_settings, name="other")
    copy = client.get_cookie("mindcorpus_session")
    assert copy is not None
    client.post("/sign-out", headers=OWN)
    thief = app.test_client()
    thief.set_cookie("mindcorpus_session", copy.value)
    assert thief.get("/jobs").status_code == 303
    assert thief.get(JOBS).status_code == 401
    assert other.get("/jobs").status_code == 200
    (kept,) = (web_settings.state_path / "signed-out").iterdir()
    os.utime(kept, (1, 1))  # of a session that has ended long ago
    other.post("/sign-out", headers=OWN)
    assert not kept.exists()


def test_signing_out_and_unfolding_are_not_counted_as_changes(web_settings: WebSettings) -> None:
    app = create_app(web_settings.model_copy(update={"post_limit": "2/minute"}))
    client = signed_in(app, web_settings)
    for _ in range(5):
        answer = client.post("/records/reveal", data={"texts": "show"}, headers=OWN)
        assert answer.status_code == 303
    assert client.post("/sign-out", headers=OWN).status_code == 303
    app.extensions["mindcorpus"].redis.close()


def test_a_form_that_is_sent_when_the_session_has_ended_leads_back_to_it(app: APIFlask) -> None:
    client = app.test_client()
    answer = client.post("/jobs/new/merge", data={"material": "sample"}, headers=OWN)
    assert (answer.status_code, answer.location) == (
        303,
        "/sign-in?next=/jobs/new/merge&unsent=1",
    )
    assert "Nothing was sent" in client.get(answer.location).text
    assert client.post("/records/reveal", headers=OWN).location == "/sign-in"


def test_a_link_from_another_site_comes_back_with_the_cookie_once(
    app: APIFlask, web_settings: WebSettings
) -> None:
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    client = app.test_client()
    first = client.get("/jobs?kind=merge", headers=elsewhere)
    assert first.status_code == 200
    assert '<meta http-equiv="refresh" content="0; url=/jobs?kind=merge">' in first.text
    assert '<a href="/jobs?kind=merge">' in first.text
    assert first.headers["Cache-Control"] == "no-store"
    again = client.get("/jobs?kind=merge", headers=elsewhere)
    assert again.location == "/sign-in?next=/jobs?kind%3Dmerge"
    assert "refresh" not in signed_in(app, web_settings).get("/", headers=elsewhere).text


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Origin": "http://localhost"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "https://localhost"}, False),
        ({"Origin": "https://localhost", "X-Forwarded-Proto": "https"}, True),
        ({"Origin": "null"}, False),
        ({}, False),
    ],
)
def test_changes_are_taken_from_our_own_pages_only(
    app: APIFlask, web_settings: WebSettings, headers: dict[str, str], *, taken: bool
) -> None:
    client = signed_in(app, web_settings)
    cookie = client.get_cookie("mindcorpus_session")
    assert cookie is not None
    # As it is called where the connection is secure.
    client.set_cookie("__Host-mindcorpus_session", cookie.value)
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

"""Single sign-on: a header counts from the proxies that are listed, and from nobody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from running import BASE, Service

from mindcorpus.errors import SettingsError
from web.access.tokens import TokenFile
from web.settings import WebSettings

PROXY, STRANGER = "127.0.0.2", "127.0.0.1"
HEADER = "X-Forwarded-User"
OWN = {"Sec-Fetch-Site": "same-origin"}
MERGE = f"{BASE}/merge"
USERS = """
"ada@example.org" = ["write"]
"jürgen" = ["read:default"]
eve = ["admin"]
sub = ["write"]
"sub:1" = ["write"]
"""


@pytest.fixture(scope="module")
def behind(redis_server: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    from redis_server import RedisServer

    folder = tmp_path_factory.mktemp("sso")
    users = folder / "users.toml"
    users.write_text(USERS, "utf-8")
    redis = RedisServer(folder / "redis")
    redis.start()
    settings = {
        "sso_header": HEADER,
        "sso_proxies": json.dumps([f"{PROXY}/32"]),
        "sso_users": str(users),
    }
    service = Service(folder, redis.url, **settings)
    try:
        service.start_web()
        yield service
    finally:
        service.stop()
        redis.stop()


def coming(service: Service, address: str, user: str | None, **more: str) -> httpx2.Client:
    """Give a client that connects from an address, and says who its user is."""
    headers: list[tuple[bytes, bytes]] = [
        (name.encode(), value.encode()) for name, value in {**OWN, **more}.items()
    ]
    if user is not None:
        headers.append((HEADER.encode(), user.encode()))
    transport = httpx2.HTTPTransport(local_address=address)
    return httpx2.Client(base_url=service.url, transport=transport, headers=headers, timeout=30)


def test_a_user_may_what_the_file_says_and_is_written_down(behind: Service) -> None:
    with coming(behind, PROXY, "ada@example.org") as ada, coming(behind, PROXY, "jürgen") as reader:
        assert "user:ada@example.org" in ada.get("/jobs").text
        made = ada.post(MERGE, json={"sample": True})
        assert made.status_code == 202
        assert reader.get(f"{BASE}/jobs/{made.json()['id']}").status_code == 200
        assert reader.post(MERGE, json={"sample": True}).status_code == 403
        assert reader.get("/jobs/new/merge").status_code == 403
        assert ada.get("/sign-in").headers["Location"] == "/"
    with coming(behind, PROXY, "eve") as eve:
        assert eve.get("/jobs").status_code == 403
        assert eve.get(f"{BASE}/jobs").status_code == 403
    audit = (behind.tokens_file.parent / "audit/audit.jsonl").read_text("utf-8").splitlines()
    last = [json.loads(line) for line in audit]
    assert [(each["action"], each["token"], each["status"]) for each in last[:2]] == [
        ("job.ask", "user:ada@example.org", 202),
        ("job.ask", "user:jürgen", 403),
    ]


@pytest.mark.parametrize(
    ("address", "user", "more"),
    [
        (STRANGER, "ada@example.org", {}),
        (STRANGER, "ada@example.org", {"X-Forwarded-For": PROXY, "X-Real-IP": PROXY}),
        (STRANGER, "ada@example.org", {"Forwarded": f"for={PROXY}"}),
        ("127.0.0.3", "ada@example.org", {}),
        (PROXY, "nobody", {}),
        (PROXY, "", {}),
        (PROXY, None, {}),
        (PROXY, "ADA@example.org", {}),
        (PROXY, "ada@example.org, eve", {}),
        (PROXY, "user:ada@example.org", {}),
        (PROXY, "ada@example.org", {"Authorization": "Bearer mc_wrong"}),
    ],
)
def test_nobody_else_is_let_in(
    behind: Service, address: str, user: str | None, more: dict[str, str]
) -> None:
    with coming(behind, address, user, **more) as client:
        assert client.get(f"{BASE}/records/0").status_code == 401
        assert client.post(MERGE, json={"sample": True}).status_code == 401
        if "Authorization" not in more:
            assert client.get("/records").headers["Location"].startswith("/sign-in")


@pytest.mark.parametrize(
    "site", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}]
)
def test_no_other_site_acts_in_a_user_s_name(behind: Service, site: dict[str, str]) -> None:
    with coming(behind, PROXY, "ada@example.org", **site) as ada:
        assert ada.post(MERGE, json={"sample": True}).status_code == 403
        form = {"material": "sample"}
        assert ada.post("/jobs/new/merge", data=form).status_code == 403


def test_a_changed_file_counts_at_once_and_a_broken_one_lets_nobody_in(behind: Service) -> None:
    users = behind.folder / "users.toml"
    with coming(behind, PROXY, "ada@example.org") as ada:
        assert ada.get(f"{BASE}/jobs").status_code == 200
        for broken in ('"ada@example.org" = ["everything"]', "[", '"ada@example.org" = 1'):
            users.write_text(broken)
            assert ada.get(f"{BASE}/jobs").status_code == 401
        users.write_text('"ada@example.org" = ["read"]')
        assert ada.get(f"{BASE}/jobs").status_code == 200
        users.unlink()
        assert ada.get(f"{BASE}/jobs").status_code == 401
        users.write_text(USERS, "utf-8")
        assert ada.get(f"{BASE}/jobs").status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        {"sso_header": HEADER},
        {"sso_header": HEADER, "sso_users": Path("users.toml")},
        {"sso_proxies": ("10.0.0.1",)},
        {"sso_header": HEADER, "sso_users": Path("u"), "sso_proxies": ("everybody",)},
        {"sso_header": "X Forwarded", "sso_users": Path("u"), "sso_proxies": ("10.0.0.1",)},
    ],
)
def test_half_of_it_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        WebSettings.load(**given)


def test_no_name_with_a_colon_opens_what_the_key_of_another_stands_for(behind: Service) -> None:
    order = {"sample": True, "force": True}
    token = TokenFile(behind.tokens_file).new("user")
    answers = []
    for user, key in (("sub:1", "k"), ("sub", "1:k")):
        with coming(behind, PROXY, user, **{"Idempotency-Key": key}) as client:
            answers.append(client.post(MERGE, json=order))
    with behind.client(token) as client:
        joining = {"Idempotency-Key": "sub:1:k"}
        answers.append(client.post("/merge", json=order, headers=joining))
    # Each asked for the first time: they join, and none is told that it was here before.
    assert [answer.status_code for answer in answers] == [202] * 3
    assert answers[-1].json()["joined_by"] == ["user:sub", "user"]

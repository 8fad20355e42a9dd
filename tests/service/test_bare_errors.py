"""D23 Every error has our shape: what is no HTTP, what asks for another host, what claims more."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from running import BASE

from web.access.headers import ALWAYS
from web.access.origin import BehindProxies
from web.problems import KINDS, MEDIA_TYPE, refusal

if TYPE_CHECKING:
    from pathlib import Path

    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from running import Service

CHUNKED = "Transfer-Encoding: chunked\r\n\r\n"
END = "1\r\n{{\r\n0\r\n\r\n"


def raw(service: Service, sent: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes as they are; gives status, headers and body of what is answered."""
    with socket.create_connection(("127.0.0.1", service.port), 20) as client:
        with suppress(OSError):
            client.sendall(sent)
        found = b""
        while b"\r\n\r\n" not in found and (part := client.recv(65536)):
            found += part
        head, _, body = found.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        while len(body) < int(headers.get("content-length", 0)) and (part := client.recv(65536)):
            body += part
        return int(first.split()[1]), headers, body


def assert_problem(
    answer: tuple[int, dict[str, str], bytes], status: int, code: str
) -> dict[str, object]:
    given, headers, body = answer
    problem: dict[str, object] = json.loads(body)
    assert (given, problem["status"], problem["code"]) == (status, status, code), body
    assert headers["content-type"] == MEDIA_TYPE
    assert headers["x-request-id"]
    assert "default-src 'none'" in headers["content-security-policy"]
    for name, text in ALWAYS.items():
        assert headers[name.lower()] == text.lower()
    assert code in KINDS
    return problem


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ("POST {base}/merge HTTP/1.1\r\n{auth}" + CHUNKED + "-1\r\nx\r\n0\r\n\r\n", 400, None),
        ("POST {base}/merge HTTP/1.1\r\n{auth}" + CHUNKED + "1;=\x01\r\nx\r\n0\r\n\r\n", 400, None),
        ("POST {base}/merge HTTP/1.1\r\n{auth}Transfer-Encoding: gzip\r\n\r\n", 501, None),
        ("POST {base}/merge HTTP/1.1\r\n{auth}Content-Length: -5\r\n\r\n", 400, None),
        ("POST {base}/merge HTTP/1.1\r\n{auth}Content-Length: 6\r\n" + CHUNKED + END, 400, None),
        ("POST {base}/merge HTTP/1.0\r\n{auth}" + CHUNKED + END, 400, None),
        ("GET {base}/jobs HTTP/1.1\r\n{auth}X: " + "x" * 40_000 + "\r\n\r\n", 431, None),
        ("POST {base}/merge HTTP/1.1\r\n{auth}Content-Length: 99999999\r\n\r\n", 413, None),
        # Also of what is not so much longer: it is not kept for who has shown no token yet.
        ("POST {base}/merge HTTP/1.1\r\n{auth}Content-Length: 100000\r\n\r\n", 413, None),
        ('GET {base}/jobs HTTP/1.1\r\n{auth}If-Match: "x"\r\n\r\n', 412, None),
        ("nothing of the kind\r\n\r\n", 400, None),
        ("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n broken\x00: x\r\n\r\n", 400, None),
        ("GET /healthz HTTP/1.1\r\n\r\n", 400, None),
        ("GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, "wrong-host"),
        ("GET {base}/jobs HTTP/1.1\r\nHost: evil.example:8000\r\n\r\n", 421, "wrong-host"),
        ("GET /healthz HTTP/1.1\r\nHost: a b/../\r\n\r\n", 421, "wrong-host"),
        ("GET /healthz HTTP/1.1\r\nHost: 10.1.2.3\r\n\r\n", 421, "wrong-host"),
        ("GET /healthz HTTP/1.1\r\nHost: localhost, evil.example\r\n\r\n", 421, "wrong-host"),
    ],
)
def test_what_is_no_request_of_ours_gets_a_problem(
    quiet: Service, sent: str, status: int, code: str | None
) -> None:
    auth = f"Host: 127.0.0.1\r\nAuthorization: Bearer {quiet.token}\r\n"
    answer = raw(quiet, sent.format(base=BASE, auth=auth).encode("latin-1"))
    wanted = code or json.loads(refusal(status))["code"]
    assert_problem(answer, status, wanted)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST:1234", "[::1]:80"])
def test_the_service_is_asked_under_names_of_its_own(quiet: Service, name: str) -> None:
    sent = f"GET /healthz HTTP/1.1\r\nHost: {name}\r\n\r\n"
    assert raw(quiet, sent.encode())[0] == 200


def test_http_1_0_knows_no_hosts(quiet: Service) -> None:
    assert raw(quiet, b"GET /healthz HTTP/1.0\r\n\r\n")[0] == 200


def test_nobody_but_a_proxy_says_where_the_service_is_mounted(quiet: Service) -> None:
    for header in ("SCRIPT_NAME: /healthz", "X-Forwarded-Prefix: /x", "Script-Name: /healthz"):
        sent = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n{header}\r\n\r\n"
        status, _, body = raw(quiet, sent.encode())
        assert (status, json.loads(body)) == (200, {"status": "alive"})


@pytest.mark.parametrize(
    ("trusted", "peer", "believed"),
    [
        ((), "127.0.0.1", False),
        (("10.0.0.0/8",), "10.9.8.7", True),
        (("10.0.0.0/8",), "11.9.8.7", False),
        (("::1",), "::1", True),
        (("unix",), "localhost", True),
        (("10.0.0.0/8",), "localhost", False),
        (("unix",), "127.0.0.1", False),
    ],
)
def test_proxies_are_believed_if_they_are_listed(
    trusted: tuple[str, ...], peer: str, *, believed: bool
) -> None:
    seen: WSGIEnvironment = {}

    def app(environ: WSGIEnvironment, _start_response: StartResponse) -> list[bytes]:
        seen.update(environ)
        return []

    claims = {
        "HTTP_X_FORWARDED_FOR": "192.0.2.1, 192.0.2.9",
        "HTTP_X_FORWARDED_PROTO": "https",
        "HTTP_X_FORWARDED_PREFIX": "/below",
    }
    environ = {"REMOTE_ADDR": peer, "wsgi.url_scheme": "http", "SCRIPT_NAME": "", **claims}
    BehindProxies(app, trusted)(environ, lambda *_: lambda _: None)
    got = (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"], seen["SCRIPT_NAME"])
    assert got == (("192.0.2.9", "https", "/below") if believed else (peer, "http", ""))


def test_nginx_s_pages_say_what_the_web_server_says() -> None:
    from front import CONFIG

    pages: list[Path] = sorted((CONFIG.parent / "problems").glob("*.json"))
    assert len(pages) == 10
    for page in pages:
        assert page.read_bytes().strip() == refusal(int(page.stem))
        assert f"/problems/{page.name};" in CONFIG.read_text()

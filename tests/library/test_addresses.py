"""Where a source may lead: public addresses, and what the operator named; nowhere else."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import subprocess
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from faulty_service import BASE, Answer, FaultyService, send

from mindcorpus.errors import (
    FetchError,
    FileTooLargeError,
    HubUnavailableError,
    RefusedAddressError,
    SettingsError,
)
from mindcorpus.progress import Cancellation, silent
from mindcorpus.settings import Settings
from mindcorpus.sources.addresses import is_public
from mindcorpus.sources.catalog import File, Licence, Source
from mindcorpus.sources.hub import fetch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub_server import HubServer

SECRET = b'{"q": "a secret"}\n'
ROWS = "/rows.jsonl"


@pytest.fixture
def outside() -> Iterator[FaultyService]:
    """The server that a catalogue names."""
    with FaultyService() as server:
        yield server


@pytest.fixture
def inside() -> Iterator[FaultyService]:
    """A server that nobody named."""
    with FaultyService() as server:
        server.lay(f"GET {ROWS}", send(SECRET))
        yield server


def to(location: str, status: int = 302) -> Answer:
    return send(b"", status, Location=location)


def source(**home: Any) -> Source:
    licence = Licence(id="MIT", terms="Keep the notice.", commercial="yes")
    return Source(name="Demo", type="talk", licence=licence, options={"input": "q"}, **home)


def get(wanted: Source, settings: Settings) -> bytes:
    found = fetch(wanted, settings=settings, locked=None, report=silent, cancel=Cancellation())
    return found.files[0].local.read_bytes()


def refusal(outside: FaultyService, settings: Settings, kind: type[FetchError]) -> FetchError:
    """Give the error of fetching what `outside` serves, which must come at once."""
    with pytest.raises(kind) as caught:
        get(source(url=f"{outside.url}{BASE}{ROWS}"), settings)
    assert type(caught.value) is kind
    assert caught.value.source == "Demo"
    return caught.value


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0.0.0.0",
        "localhost",
        "LOCALHOST.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
        "metadata.test",
    ],
)
def test_a_redirect_to_what_nobody_named_is_refused(
    host: str,
    outside: FaultyService,
    inside: FaultyService,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolve = socket.getaddrinfo
    monkeypatch.setattr(  # a name server's answer, which no test can have otherwise
        socket,
        "getaddrinfo",
        lambda name, *more, **how: resolve(
            "127.0.0.1" if name == "metadata.test" else name, *more, **how
        ),
    )
    outside.lay(f"GET {ROWS}", to(f"http://{host}:{inside.url.rpartition(':')[2]}{BASE}{ROWS}"))
    error = refusal(outside, settings, RefusedAddressError)
    assert error.code == "address-refused"
    assert "MINDCORPUS_ALLOWED_HOSTS" in error.hint
    assert (len(outside.asked), inside.asked) == (1, [])
    assert not [path for path in settings.data_dir.parent.rglob("*.jsonl") if path.is_file()]


@pytest.mark.parametrize("allowed", ["127.0.0.1", "127.0.0.0/8", "example.org,localhost"])
def test_what_the_operator_allows_is_followed(
    allowed: str,
    outside: FaultyService,
    inside: FaultyService,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MINDCORPUS_ALLOWED_HOSTS", allowed)
    given = Settings.load(cache_dir=settings.cache_dir)
    host = "localhost" if "localhost" in allowed else "127.0.0.1"
    outside.lay(f"GET {ROWS}", to(f"{inside.url}{BASE}{ROWS}".replace("127.0.0.1", host)))
    assert get(source(url=f"{outside.url}{BASE}{ROWS}"), given) == SECRET


@pytest.mark.parametrize("wrong", ["localhost:80", "http://localhost/", "10.0.0.0/99", "1.2.3.4/8"])
def test_a_host_that_is_none_is_told(wrong: str) -> None:
    with pytest.raises(SettingsError, match="allowed_hosts"):
        Settings.load(allowed_hosts=wrong)


def test_the_same_server_under_another_name_is_followed(
    outside: FaultyService, settings: Settings
) -> None:
    outside.lay(f"GET {ROWS}", to(f"{outside.url}{BASE}/other".replace("127.0.0.1", "localhost")))
    outside.lay("GET /other", send(SECRET))
    assert get(source(url=f"{outside.url}{BASE}{ROWS}"), settings) == SECRET


def test_the_hub_may_not_lead_elsewhere_either(
    outside: FaultyService,
    inside: FaultyService,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", f"{outside.url}{BASE}")
    outside.lay("GET /api/datasets/o/d/revision/main", to(f"{inside.url}{BASE}{ROWS}"))
    with pytest.raises(RefusedAddressError):
        get(source(repository="o/d", files=(File(path="rows.jsonl"),)), settings)
    assert (len(outside.asked), inside.asked) == (1, [])


def test_a_connection_that_one_source_may_use_serves_no_other(
    hub: HubServer, outside: FaultyService, settings: Settings
) -> None:
    target = hub.root / "datasets/o/d/rows.jsonl"
    target.parent.mkdir(parents=True)
    target.write_bytes(SECRET)
    own = f"{hub.url}/datasets/o/d/resolve/main/rows.jsonl"
    assert get(source(url=own), settings) == SECRET
    outside.lay(f"GET {ROWS}", to(own))
    refusal(outside, settings, RefusedAddressError)


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://example.org/rows.jsonl",
        "data:text/plain,x",
        "http://example.org:port/",
    ],
)
def test_another_scheme_fails_at_once_with_its_own_words(
    location: str, outside: FaultyService, settings: Settings
) -> None:
    outside.lay(f"GET {ROWS}", to(location))
    error = refusal(outside, settings, RefusedAddressError)
    assert "redirects to" in error.title
    assert len(outside.asked) == 1


def test_redirects_without_end_fail_at_once(outside: FaultyService, settings: Settings) -> None:
    outside.lay(f"GET {ROWS}", to(f"{outside.url}{BASE}{ROWS}"))
    assert "without end" in refusal(outside, settings, RefusedAddressError).title
    assert len(outside.asked) == 11


def test_https_does_not_become_http(
    outside: FaultyService, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", key, "-out", certificate, "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost"),
        ],
        check=True,
        capture_output=True,
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with FaultyService() as safe:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        safe._server.socket = context.wrap_socket(safe._server.socket, server_side=True)
        url = safe.url.replace("http://127.0.0.1", "https://localhost") + BASE
        safe.lay(f"GET {ROWS}", send(SECRET), to(f"{outside.url}{BASE}{ROWS}"))
        assert get(source(url=f"{url}{ROWS}"), settings) == SECRET
        allowing = settings.model_copy(update={"allowed_hosts": ("127.0.0.1",)})
        with pytest.raises(RefusedAddressError, match="from https to http"):
            get(source(url=f"{url}{ROWS}"), allowing)
    assert outside.asked == []


@pytest.mark.parametrize("announced", [True, False])
def test_a_file_that_is_too_large_is_not_taken(
    announced: bool, outside: FaultyService, settings: Settings
) -> None:
    taken = 0

    def endless(handler: BaseHTTPRequestHandler) -> None:
        nonlocal taken
        handler.send_response(200)
        if announced:
            handler.send_header("Content-Length", str(1 << 40))
        handler.send_header("Connection", "close")
        handler.end_headers()
        while True:
            taken += handler.wfile.write(bytes(1 << 16))

    outside.lay(f"GET {ROWS}", endless)
    small = settings.model_copy(update={"fetch_limit_mb": 2})
    error = refusal(outside, small, FileTooLargeError)
    assert error.code == "file-too-large"
    assert "MINDCORPUS_FETCH_LIMIT_MB" in error.hint
    assert len(outside.asked) == 1
    assert settings.cache_dir
    left = [path for path in settings.cache_dir.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in left) == 0


def test_a_hub_s_file_that_is_too_large_is_not_asked_for(
    hub: HubServer, settings: Settings
) -> None:
    target = hub.root / "datasets/o/d/rows.jsonl"
    target.parent.mkdir(parents=True)
    target.write_bytes(bytes(3 << 20))
    small = settings.model_copy(update={"fetch_limit_mb": 2})
    with pytest.raises(FileTooLargeError):
        get(source(repository="o/d", files=(File(path="rows.jsonl"),)), small)
    assert not [asked for asked in hub.requests if "/resolve/" in asked["path"]]


def test_a_name_that_is_nowhere_is_a_failure_of_the_network(settings: Settings) -> None:
    once = settings.model_copy(update={"fetch_tries": 1})
    with pytest.raises(HubUnavailableError, match=r"no connection to nowhere\.invalid"):
        get(source(url=f"http://nowhere.invalid{ROWS}"), once)


@pytest.mark.parametrize(
    "text",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1"),
        *("192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "224.0.0.1"),
        *("239.1.1.1", "240.0.0.1", "255.255.255.255", "168.63.129.16", "100.100.100.200"),
        *("::", "::1", "::7f00:1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::1"),
        *("2002:a00:1::", "2001::1", "2001:db8::1", "fc00::1", "fd00:ec2::254", "fe80::1"),
        *("fec0::1", "ff02::1"),
    ],
)
def test_what_is_not_public(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "text", ["8.8.8.8", "18.164.174.23", "2600:9000::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_what_is_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))

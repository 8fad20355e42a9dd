"""The URL of Redis, as our own client, Celery and the limits take it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from redis_sentinels import Sentinels, find_sentinel
from redis_server import Certificates, RedisServer

from mindcorpus.errors import SettingsError
from web import create_app
from web.settings import WebSettings
from workers.app import make_app
from workers.errors import RedisUnavailableError
from workers.jobs.job_store import JobStore
from workers.logs import masked
from workers.redis_address import RedisAddress
from workers.redis_client import connect
from workers.settings import ServiceSettings


def test_a_url_is_read_once_for_all_who_connect() -> None:
    plain = RedisAddress.parse("redis://:p%40ss%2F@host/3")
    assert (plain.hosts, plain.database, plain.password) == ((("host", 6379),), 3, "p@ss/")
    assert (plain.broker, plain.tls_options) == ("redis://:p%40ss%2F@host:6379/3", None)
    secure = RedisAddress.parse("rediss://me:pw@[::1]:7000/0?ssl_ca_certs=/ca.pem")
    assert (secure.hosts, secure.username) == ((("::1", 7000),), "me")
    assert secure.broker == "rediss://me:pw@[::1]:7000/0"
    assert secure.tls_options == {
        "ssl_cert_reqs": "required",
        "ssl_check_hostname": True,
        "ssl_ca_certs": "/ca.pem",
    }
    watched = RedisAddress.parse("sentinel://:pw@a:1,b/0?master=jobs&sentinel_password=other")
    assert (watched.hosts, watched.master) == ((("a", 1), ("b", 26379)), "jobs")
    assert watched.broker == "sentinel://:pw@a:1/0;sentinel://:pw@b:26379/0"
    assert (watched.sentinel_options["password"], watched.tls) == ("other", None)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://:secret@host", "begins with none of"),
        ("secret", "begins with none of"),
        ("redis://:secret@host:port/0", "cannot be read"),
        ("redis://:secret@host:1/secret", "cannot be read"),
        ("redis://:secret@/0", "cannot be read"),
        ("redis://:secret@a,b/0", "several hosts"),
        ("redis://:secret?secret=1@host/0", "cannot be read|takes nothing"),
        # Whoever could stand in between would be believed.
        ("rediss://:secret@host?ssl_cert_reqs=none", "takes ssl_ca_certs"),
        ("rediss://:secret@host?ssl_check_hostname=false", "takes ssl_ca_certs"),
        ("redis://:secret@host?ssl_ca_certs=/ca.pem", "takes nothing"),
        ("sentinel://:secret@a,b/0", "add \\?master=NAME"),
    ],
)
def test_what_is_wrong_is_said_without_the_url(url: str, says: str) -> None:
    settings = ServiceSettings.model_validate({"redis_url": url})
    for use in (connect, make_app):
        with pytest.raises(SettingsError, match=says) as caught:
            use(settings)
        assert "secret" not in f"{caught.value} {caught.value.hint}"
        assert caught.value.field == "redis_url"


@pytest.mark.parametrize(
    "url",
    [
        "redis://:secret@host:1/0",
        "rediss://me:sec%40ret@host:1/0?ssl_ca_certs=/ca.pem",
        "redis://:secret@secret@host:1/0",
        "sentinel://:secret@a:1,b:2/0?master=jobs&sentinel_password=secret",
        "sentinels://a:1/0?sentinel_password=secret&master=jobs",
        "sentinel://:secret@a:1/0;sentinel://:secret@b:2/0",
    ],
)
def test_passwords_are_masked_in_logs(url: str) -> None:
    shown = masked(f"Connected to {url} at last")
    assert "secret" not in str(shown)
    assert "sec%40ret" not in str(shown)
    assert str(shown).endswith(" at last")


def test_a_cluster_is_refused_with_a_sentence(redis_server: RedisServer, tmp_path: Path) -> None:
    cluster = RedisServer(tmp_path / "cluster", more=("cluster-enabled yes",))
    cluster.start()
    try:
        settings = ServiceSettings.model_validate({"redis_url": cluster.url})
        with pytest.raises(RedisUnavailableError, match="part of a Cluster"):
            JobStore(connect(settings), settings).list()
    finally:
        cluster.kill()


# With TLS


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Certificates, Path]:
    """A server's certificate by an authority of its own, and the file of another authority."""
    folder = tmp_path_factory.mktemp("certificates")
    authority, other = trustme.CA(), trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        folder / "server.pem"
    )
    authority.cert_pem.write_to_path(folder / "ca.pem")
    other.cert_pem.write_to_path(folder / "other.pem")
    return Certificates(folder / "server.pem", folder / "ca.pem"), folder / "other.pem"


@pytest.fixture(params=["rediss", "sentinels"])
def secure(
    request: pytest.FixtureRequest,
    redis_server: RedisServer,
    authorities: tuple[Certificates, Path],
    tmp_path: Path,
) -> Iterator[str]:
    """The URL of a Redis that speaks TLS alone, with or without Sentinel."""
    if request.param == "sentinels" and find_sentinel() is None:
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing("there is no redis-sentinel; install it with apt-get install redis-sentinel")
    made: RedisServer | Sentinels
    if request.param == "sentinels":
        made = Sentinels(tmp_path / "redis", replicas=1, certificates=authorities[0])
    else:
        made = RedisServer(tmp_path / "redis", certificates=authorities[0])
    made.start()
    yield made.url
    made.kill()


def test_all_connections_speak_tls_and_believe_nobody_else(
    secure: str, authorities: tuple[Certificates, Path], tmp_path: Path
) -> None:
    def ask(url: str) -> tuple[bool, bool, bool]:
        settings = WebSettings.model_validate({"redis_url": url, "data_dir": tmp_path / "data"})
        return ours(settings), celery(settings), limits(settings)

    assert ask(secure) == (True, True, True)
    known, other = authorities
    assert ask(secure.replace(str(known.authority), str(other))) == (False, False, False)
    if secure.startswith("sentinels"):
        return  # of one kind with the others, and Celery takes long over each
    # None of those whom this machine trusts.
    assert ask(secure.replace(f"ssl_ca_certs={known.authority}", "").rstrip("?&")) == (
        (False, False, False)
    )
    # A certificate of the right authority, but for another name.
    assert ask(secure.replace("127.0.0.1", "localhost")) == (False, False, False)


def ours(settings: WebSettings) -> bool:
    with connect(settings) as client:
        try:
            return bool(JobStore(client, settings).queue_stats())
        except RedisUnavailableError:
            return False


def celery(settings: WebSettings) -> bool:
    app = make_app(settings)
    connection: Any = app.connection_for_write()
    try:
        connection.default_channel.client.ping()
    except Exception:  # noqa: BLE001 - of several kinds
        return False
    else:
        return True
    finally:
        connection.release()
        app.close()


def limits(settings: WebSettings) -> bool:
    app = create_app(settings)
    try:
        return bool(app.extensions["limiter"].pop().storage.check())
    finally:
        app.extensions["mindcorpus"].redis.close()

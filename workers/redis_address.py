"""Where Redis is: the one URL of the settings, read for all that connect to it.

    redis://:PASSWORD@HOST:PORT/0
    rediss://:PASSWORD@HOST:PORT/0?ssl_ca_certs=/etc/ssl/redis-ca.pem
    sentinel://:PASSWORD@HOST:26379,HOST:26379/0?master=NAME
    sentinels://…  Sentinel, with TLS to it and to the servers that it watches

A server's certificate is always checked, and its name too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from redis.backoff import NoBackoff
from redis.retry import Retry

from mindcorpus.errors import SettingsError

_PORTS = {"redis": 6379, "rediss": 6379, "sentinel": 26379, "sentinels": 26379}
_BY_TLS = ("rediss", "sentinels")
_TLS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_BY_SENTINEL = ("sentinel", "sentinels")
_SENTINEL_SECONDS = 0.5
_OF_SENTINEL = ("master", "sentinel_password")


@dataclass(frozen=True)
class RedisAddress:
    """A server, or the sentinels that know which server it is just now."""

    hosts: tuple[tuple[str, int], ...]
    database: int
    username: str | None
    password: str | None
    master: str | None
    """What the sentinels call it; None where the one host is the server itself."""
    sentinel_password: str | None
    tls: Mapping[str, str] | None
    """Files of a private authority, and of a client's certificate; None without TLS."""

    @classmethod
    def parse(cls, url: str) -> RedisAddress:
        """Read a URL; raises `SettingsError`, whose words never quote it: it holds a password."""
        scheme, _, rest = url.partition("://")
        if scheme not in _PORTS:
            raise _wrong("it begins with none of redis://, rediss://, sentinel://, sentinels://")
        try:
            parts = urlsplit(f"//{rest}")
            login, _, places = parts.netloc.rpartition("@")
            hosts = tuple(_host(place, _PORTS[scheme]) for place in places.split(","))
            database = int(parts.path.strip("/") or 0)
        except ValueError:
            raise _wrong("a host, a port or the number of the database cannot be read") from None
        name, _, password = login.partition(":")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        by_sentinel = scheme in _BY_SENTINEL
        tls = {key: query[key] for key in _TLS if key in query} if scheme in _BY_TLS else None
        known = (*(_OF_SENTINEL if by_sentinel else ()), *(() if tls is None else _TLS))
        if query.keys() - set(known):
            # Which, is not said: it may be half of a password.
            raise _wrong(f"after a question mark {scheme}:// takes {', '.join(known) or 'nothing'}")
        if by_sentinel and not query.get("master"):
            raise _wrong("it does not say what the sentinels call the server: add ?master=NAME")
        if not by_sentinel and len(hosts) > 1:
            raise _wrong("it names several hosts, which only sentinel:// does")
        return cls(
            hosts=hosts,
            database=database,
            username=unquote(name) or None,
            password=unquote(password) or None,
            master=query.get("master"),
            sentinel_password=query.get("sentinel_password") or None,
            tls=tls,
        )

    @property
    def login(self) -> dict[str, str]:
        """What redis-py takes to sign in at the server."""
        given = {"username": self.username, "password": self.password}
        return {key: text for key, text in given.items() if text is not None}

    @property
    def tls_options(self) -> dict[str, Any] | None:
        """What redis-py, and so Celery, takes for TLS."""
        if self.tls is None:
            return None
        return {"ssl_cert_reqs": "required", "ssl_check_hostname": True, **self.tls}

    @property
    def sentinel_options(self) -> dict[str, Any]:
        """What redis-py, and so Celery, takes for connections to the sentinels themselves.

        A sentinel that does not answer is asked once: there are others.
        """
        own = {"password": self.sentinel_password} if self.sentinel_password else {}
        tls = self.tls_options
        return {
            "socket_timeout": _SENTINEL_SECONDS,
            "socket_connect_timeout": _SENTINEL_SECONDS,
            "retry": Retry(NoBackoff(), 0),
            **own,
            **({} if tls is None else {"ssl": True, **tls}),
        }

    @property
    def broker(self) -> str:
        """The URL as Celery takes it, one a sentinel; TLS and master are told it beside that."""
        login = ":".join(quote(text or "", safe="") for text in (self.username, self.password))
        who = "" if login == ":" else f"{login}@"
        scheme = "sentinel" if self.master else "redis" if self.tls is None else "rediss"
        return ";".join(
            f"{scheme}://{who}{f'[{host}]' if ':' in host else host}:{port}/{self.database}"
            for host, port in self.hosts
        )


def _host(place: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{place}")
    if not parts.hostname:
        raise ValueError(place)
    return unquote(parts.hostname), parts.port or port


def _wrong(reason: str) -> SettingsError:
    return SettingsError(
        f"setting redis_url: {reason}",
        field="redis_url",
        hint="See docs/operations.md; signs in a password other than letters and digits are"
        " written as in any URL, such as %40.",
    )

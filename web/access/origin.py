"""Where a request comes from and goes to: which proxies are believed, and which names are ours.

A page of elsewhere may have its own name lead to this machine, and then ask in a user's browser as
if it were ours: so a service is asked under names that it knows, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Flask, abort, request
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.sansio.utils import host_is_trusted

from web.errors import WrongHostError
from web.settings import WebSettings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: Who comes through a Unix socket has this for an address.
UNIX = "unix"
_OF_A_SOCKET = ("localhost", "")


def install(app: Flask, settings: WebSettings) -> None:
    """Believe an app's proxies and nobody else, and refuse hosts that are none of ours."""
    app.wsgi_app = BehindProxies(app.wsgi_app, settings.trusted_proxies)  # type: ignore[method-assign]
    hosts = _Hosts(settings)

    def check() -> None:
        host = request.environ.get("HTTP_HOST")
        if host is None:
            # HTTP/1.0 knows no hosts.
            if request.environ.get("SERVER_PROTOCOL") == "HTTP/1.1":
                abort(400, "A request of HTTP/1.1 names its Host.")
        elif host not in hosts:
            raise WrongHostError(
                "this service is not asked under that name",
                hint="MINDCORPUS_HOSTS lists the names that it has beside its addresses.",
            )

    app.before_request(check)


class BehindProxies:
    """Takes client, scheme, host and prefix from `X-Forwarded-` headers of trusted proxies."""

    def __init__(self, app: WSGIApplication, trusted: Iterable[str]) -> None:
        trusted = tuple(trusted)
        self._unix = UNIX in trusted
        self._networks = [ip_network(each, strict=False) for each in trusted if each != UNIX]
        self._direct = app
        self._forwarded = ProxyFix(app, x_for=1, x_proto=1, x_host=1, x_prefix=1)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, as one of its client where a proxy that is trusted names it."""
        believed = self._believes(environ.get("REMOTE_ADDR", ""))
        return (self._forwarded if believed else self._direct)(environ, start_response)

    def _believes(self, address: str) -> bool:
        if address in _OF_A_SOCKET:
            return self._unix
        peer = _address(address)
        return peer is not None and any(peer in network for network in self._networks)


class _Hosts:
    """The names and addresses that a service may be asked under."""

    def __init__(self, settings: WebSettings) -> None:
        self._names = ("localhost", settings.host, *settings.hosts)
        bound = _address(settings.host)
        # Who listens everywhere has addresses that it does not know; only names can be made up.
        self._any = settings.socket is not None or (bound is not None and bound.is_unspecified)
        self._bound = bound

    def __contains__(self, host: str) -> bool:
        if not host_is_trusted(host):
            return False
        address = _address(urlsplit(f"//{host}").hostname or "")
        if address is not None:
            return self._any or address.is_loopback or address == self._bound
        return host_is_trusted(host.lower(), self._names)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None

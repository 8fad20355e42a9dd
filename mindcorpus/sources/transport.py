"""Connections that go only where they may: judged as each is made, and shared by nobody else.

A connection that was allowed for one source must not serve a redirect of another one, so each
policy has its own pool.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from mindcorpus.sources.addresses import AddressPolicy
from mindcorpus.sources.hub_http import httpcore, httpx


class CheckedTransport(httpx.BaseTransport):
    """The transport of all requests that no proxy takes; `policy` gives that of the moment."""

    def __init__(self, policy: Callable[[], AddressPolicy | None], **options: Any) -> None:
        self._policy = policy
        self._options = options
        self._pools: dict[AddressPolicy | None, httpx.HTTPTransport] = {}
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request over a connection of the policy's own."""
        policy = self._policy()
        with self._lock:
            if policy not in self._pools:
                self._pools[policy] = _Pool(policy, **self._options)
            pool = self._pools[policy]
        return pool.handle_request(request)

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.close()


class _Pool(httpx.HTTPTransport):
    def __init__(self, policy: AddressPolicy | None, **options: Any) -> None:
        context = httpx.create_ssl_context()  # takes long: both have the same
        super().__init__(**{**options, "verify": context})
        if policy is not None:
            limits = options["limits"]
            self._pool = httpcore.ConnectionPool(
                ssl_context=context,
                max_connections=limits.max_connections,
                max_keepalive_connections=limits.max_keepalive_connections,
                keepalive_expiry=limits.keepalive_expiry,
                network_backend=_Backend(policy),
            )


class _Backend(httpcore.SyncBackend):
    """Connects to addresses that were judged, never to a name."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = self._policy.resolve(host, port)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        for address in addresses[:-1]:
            try:
                return super().connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return super().connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

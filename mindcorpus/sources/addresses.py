"""Which addresses a source may be fetched from: public ones, and those that the operator named.

An address is judged after its name was resolved, and what was judged is what is connected to: a
name that means something else a moment later leads nowhere new.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from mindcorpus.errors import RefusedAddressError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_HINT = (
    "If the address is yours and may be read, name its host in MINDCORPUS_ALLOWED_HOSTS, or the"
    " address in the source's own entry."
)
_PORTS = {"http": 80, "https": 443}
#: Networks that count as public for `ipaddress`, at least in some versions, and are not.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "168.63.129.16/32",  # Azure's own service, seen from its machines
        "192.0.0.0/24",
        "192.88.99.0/24",
        "64:ff9b:1::/48",
        "2001::/23",
        "3fff::/20",
        "fec0::/10",
    )
)
_GLOBAL_V6 = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True)
class AddressPolicy:
    """What may be connected to for one source; `host` and `port` are its own, as it was named."""

    host: str
    port: int
    allowed: tuple[str, ...] = ()
    """Hosts, addresses and networks that the operator allows besides, as `Settings` has them."""

    @classmethod
    def of(cls, address: str, allowed: Iterable[str]) -> AddressPolicy:
        """Give the policy for what a catalogue or a setting names by its web address."""
        parts = urlsplit(address)
        port = parts.port or _PORTS[parts.scheme.lower()]
        return cls((parts.hostname or "").lower(), port, tuple(allowed))

    def resolve(self, host: str, port: int) -> list[str]:
        """Give the addresses of a host that may be connected to.

        Raises `RefusedAddressError` if it has none of them, and `OSError` if it has none at all.
        """
        host = host.lower().rstrip(".")
        found = _resolved(host, port)
        if (host, port) == (self.host, self.port) or host in self.allowed:
            return found
        permitted = [text for text in found if self._permits(ipaddress.ip_address(text), port)]
        if not permitted:
            raise RefusedAddressError(
                f"{host} has no public address ({found[0]}), and nobody allowed it", hint=_HINT
            )
        return permitted

    def check(self, scheme: str, host: str, port: int | None) -> None:
        """Refuse a scheme that is not the web's, and an address that stands in the URL itself.

        A proxy resolves names by itself; these need no resolving, and must not reach it.
        """
        if scheme not in _PORTS:
            raise RefusedAddressError(
                f"an address that begins with {scheme}: is not fetched, only http: and https:",
                hint="Bring the file here yourself, and name it as the source's path.",
            )
        if _is_literal(host) or host.lower().rstrip(".").endswith("localhost"):
            self.resolve(host, port or _PORTS[scheme])

    def _permits(self, address: Address, port: int) -> bool:
        if is_public(address) or any(_holds(entry, address) for entry in self.allowed):
            return True
        # The same server under another name, as a hub's own storage may have.
        return port == self.port and str(address) in self._own()

    def _own(self) -> list[str]:
        try:
            return _resolved(self.host, self.port)
        except OSError:
            return []


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet, whatever form it is written in."""
    if isinstance(address, ipaddress.IPv6Address):
        if (inner := _embedded(address)) is not None:
            return is_public(inner)
        if address not in _GLOBAL_V6:
            return False
    listed = any(address in net for net in _NOT_PUBLIC if net.version == address.version)
    return address.is_global and not address.is_multicast and not listed


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Give the IPv4 address that a packet to this one would reach in the end."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


def _resolved(host: str, port: int) -> list[str]:
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    texts = [str(answer[4][0]).partition("%")[0] for answer in answers]
    return list(dict.fromkeys(texts))


def _is_literal(host: str) -> bool:
    """Whether a host is an address in any form that a system takes: 127.1 and 0x7f000001 are."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        try:
            socket.inet_aton(host)
        except OSError:
            return False
    return True


def _holds(entry: str, address: Address) -> bool:
    try:
        network = ipaddress.ip_network(entry, strict=False)
    except ValueError:  # a host's name
        return False
    return network.version == address.version and address in network

"""Which addresses may be called when a job ends: those of hosts that the operator lists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mindcorpus.errors import SettingsError

if TYPE_CHECKING:
    from workers.settings import ServiceSettings

#: ASCII without blanks, line ends and backslashes, which readers of addresses read differently.
_PLAIN = re.compile(r"https?://[!-\[\]-~]{1,2000}", re.IGNORECASE)
PORTS = {"https": 443, "http": 80}


def check_callback(url: str | None, settings: ServiceSettings) -> None:
    """Raise `SettingsError` for an address that may not be called; none at all is fine."""
    if url is None:
        return
    if not settings.webhook_hosts:
        raise SettingsError(
            "this service calls nobody back",
            field="callback_url",
            hint="Leave it out, or ask the operator to list the host in MINDCORPUS_WEBHOOK_HOSTS.",
        )
    origin = origin_of(url)
    if origin is None:
        raise SettingsError(
            "this is no web address that can be called",
            field="callback_url",
            hint="Give https://HOST/PATH, without user, password and fragment.",
        )
    if origin not in map(listed_origin, settings.webhook_hosts):
        raise SettingsError(
            "this host may not be called",
            field="callback_url",
            hint="The operator lists those that may, in MINDCORPUS_WEBHOOK_HOSTS.",
        )


def origin_of(address: str) -> tuple[str, str, int] | None:
    """Give scheme, host and port of an address; None if it is none that can be called."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    if not _PLAIN.fullmatch(address) or not parts.hostname or port == 0:
        return None
    if "@" in parts.netloc or "#" in address:
        return None
    return parts.scheme, parts.hostname, port or PORTS[parts.scheme]


def listed_origin(host: str) -> tuple[str, str, int]:
    """Give what an entry of the operator's list allows; raises `ValueError` for what is no host.

    A host alone stands for https at its usual port; a plain one is listed as `http://HOST:PORT`.
    """
    address = host if "://" in host else f"https://{host}"
    origin = origin_of(address)
    # A path would promise a limit that is not kept.
    if origin is None or re.search("[/?]", address.partition("://")[2]):
        raise ValueError("must be hosts, as HOST, HOST:PORT or http://HOST:PORT, without a path")
    return origin


def shown(url: str) -> str:
    """Give an address without path and query, which may hold a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"

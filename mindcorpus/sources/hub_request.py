"""What is asked of the hub for one source: with patience, told in our words, kept to the lock."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

from huggingface_hub import is_offline_mode
from huggingface_hub.constants import HF_HUB_CACHE
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

from mindcorpus.errors import (
    FileTooLargeError,
    HubUnavailableError,
    RefusedAddressError,
    SettingsError,
    cache_errors,
)
from mindcorpus.progress import Cancellation, Progress, Reporter
from mindcorpus.settings import Settings
from mindcorpus.sources.addresses import AddressPolicy
from mindcorpus.sources.catalog import Source
from mindcorpus.sources.files import FetchedFile, changed
from mindcorpus.sources.hosts import HostVerdicts
from mindcorpus.sources.hub_client import install
from mindcorpus.sources.hub_errors import Asked, given_up, refused
from mindcorpus.sources.hub_http import httpx
from mindcorpus.sources.hub_retries import Exchange, PassingError, persist
from mindcorpus.sources.lock import LockedFile

T = TypeVar("T")


@dataclass(frozen=True)
class HubRequest:
    """What is fetched, how, and who wants to know."""

    source: Source
    settings: Settings
    report: Reporter
    cancel: Cancellation
    hosts: HostVerdicts

    def ask(
        self,
        work: Callable[[Exchange], T],
        asked: Asked,
        report: Callable[[int, str], None] | None = None,
    ) -> T:
        """Do work that asks the hub, as often as the settings allow, and give its result.

        `report` receives the bytes so far and what is waited for; without it,
        waiting alone is reported.
        Raises a `FetchError`, `StorageError` or `CancelledError`.
        """
        if offline():
            raise HubUnavailableError(
                "HF_HUB_OFFLINE is set, and the cache does not hold all that is needed",
                source=asked.source,
                file=asked.file,
                hint="Unset it for one run; offline, a merge needs the sources.lock that such a run"
                " writes, and the same cache folder.",
            )
        try:
            with cache_errors(self.settings.cache_dir or Path(HF_HUB_CACHE)):
                install()
                return persist(
                    lambda exchange: _sensible(work, exchange),
                    self._exchange(),
                    report or self._report_note,
                )
        except PassingError as error:
            raise given_up(error, asked) from None
        except (RefusedAddressError, FileTooLargeError) as error:
            error.source, error.file = asked.source, asked.file
            raise
        except _REFUSALS as error:
            # Not chained: the client's words may hold signed addresses.
            raise refused(error, asked) from None

    def _exchange(self) -> Exchange:
        settings = self.settings
        policy = AddressPolicy.of(self.source.url or endpoint(), settings.allowed_hosts)
        return Exchange(
            tries=settings.fetch_tries,
            timeout=settings.fetch_timeout,
            cancel=self.cancel,
            hosts=self.hosts,
            policy=policy,
            limit=settings.fetch_limit_mb << 20,
        )

    def report_bytes(self, done: int, total: int | None, note: str = "") -> None:
        """Report how many bytes are here, and what is waited for."""
        self.report(Progress("fetch", item=self.source.name, done=done, total=total, note=note))

    def _report_note(self, _received: int, note: str) -> None:
        if note:
            self.report_bytes(0, None, note)

    def as_locked(self, file: FetchedFile, known: LockedFile | None) -> FetchedFile:
        """Hold a file that was just read against the lock; raises `WrongBytesError`."""
        if known is None:
            return file
        if (known.size, known.sha256) != (file.size, file.sha256):
            raise changed(self.source.name, file.path)
        return replace(file, expected=known.sha256)


_REFUSALS = (httpx.HTTPError, httpx.InvalidURL, LocalEntryNotFoundError, HFValidationError)


def _sensible(work: Callable[[Exchange], T], exchange: Exchange) -> T:
    """Do the work; a proxy's page instead of an answer, or half a file, may pass."""
    try:
        return work(exchange)
    except _REFUSALS:
        raise
    except UnicodeEncodeError:  # of a header; all others are ours
        raise SettingsError(
            "the token holds characters that no token has",
            field="HF_TOKEN",
            hint="Copy it anew from https://huggingface.co/settings/tokens.",
        ) from None
    except ValueError:
        raise exchange.failed("the hub's answer makes no sense") from None
    except OSError as error:
        # The client's own check of a file's size raises this kind, with no number.
        if type(error) is OSError and error.errno is None:
            raise exchange.failed("the file came incomplete") from None
        raise


def endpoint() -> str:
    """Give the hub's address as the environment has it now; the library looks at import only."""
    address = os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"
    if not re.match(r"https?://[^/]", address) or not shown(address):
        # It is not repeated, since it may hold a password.
        raise SettingsError(
            "HF_ENDPOINT is not a web address",
            field="HF_ENDPOINT",
            hint="Set it to an address such as https://huggingface.co, or unset it.",
        )
    return address


def shown(address: str) -> str:
    """Give a web address without what may be secret: user, password, query; "" if it is none."""
    try:
        parts = urlsplit(address)
        _ = parts.port  # wrong if a password holds a slash
    except ValueError:
        return ""
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def offline() -> bool:
    """Whether the user forbids all requests."""
    said = os.environ.get("HF_HUB_OFFLINE", "").upper()
    return is_offline_mode() or said in {"1", "ON", "YES", "TRUE"}

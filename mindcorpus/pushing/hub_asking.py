"""What is asked of the hub for a push: with patience, and told in our words when it refuses."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TypeVar

from huggingface_hub import get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils.tqdm import (
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
)

from mindcorpus.errors import MindcorpusError, PushDeniedError, PushError, SettingsError
from mindcorpus.progress import Cancellation, Progress, Reporter
from mindcorpus.settings import Settings
from mindcorpus.sources.addresses import AddressPolicy
from mindcorpus.sources.hosts import HostVerdicts
from mindcorpus.sources.hub_client import install
from mindcorpus.sources.hub_request import endpoint, offline
from mindcorpus.sources.hub_retries import Exchange, PassingError, persist

T = TypeVar("T")

_TOKENS = "Make one that may write at {endpoint}/settings/tokens, and set HF_TOKEN to it."


def require_token() -> None:
    """Raise `PushDeniedError` if there is no token, and `PushError` where nobody is to be asked."""
    if offline():
        raise PushError("HF_HUB_OFFLINE is set", hint="Unset it to push to the hub.")
    if not get_token():
        hint = _TOKENS.format(endpoint=endpoint())
        raise PushDeniedError("there is no token for the hub", hint=hint)


class HubDesk:
    """Asks the hub on behalf of one push, and tells refusals of its repository."""

    def __init__(
        self, repository: str, settings: Settings, report: Reporter, cancel: Cancellation
    ) -> None:
        self.endpoint = endpoint()
        self.report = report
        self.cancel = cancel
        self._repository = repository
        self._settings = settings
        self._hosts = HostVerdicts()

    def ask(
        self, work: Callable[[Exchange], T], report: Callable[[int, str], None] | None = None
    ) -> T:
        """Do work that asks the hub, as often as the settings allow, and give its result.

        `report` hears what is waited for. Raises `PushError` and its kind, and `CancelledError`.
        """
        try:
            with _quiet():
                install()
                return persist(
                    lambda exchange: _unwrapped(work, exchange),
                    self._exchange(self.cancel),
                    report or self._report_note,
                )
        except PassingError as error:
            raise self._given_up(error) from None
        except (HfHubHTTPError, HFValidationError, ValueError) as error:
            # Not chained: the client's words may hold signed addresses.
            raise self._refused(error) from None

    def attempt(self, work: Callable[[Exchange], None]) -> None:
        """Do work once, also after a cancellation; what it fails at is not told."""
        with suppress(Exception), _quiet():
            persist(
                lambda exchange: _unwrapped(work, exchange),
                replace(self._exchange(Cancellation()), tries=1),
                lambda _received, _note: None,
            )

    def _exchange(self, cancel: Cancellation) -> Exchange:
        settings = self._settings
        return Exchange(
            tries=settings.fetch_tries,
            timeout=settings.fetch_timeout,
            cancel=cancel,
            hosts=self._hosts,
            policy=AddressPolicy.of(self.endpoint, settings.allowed_hosts),
            limit=settings.fetch_limit_mb << 20,
        )

    def _report_note(self, _received: int, note: str) -> None:
        if note:
            self.report(Progress("publish", self._repository, note=note))

    def _given_up(self, error: PassingError) -> PushError:
        times = "once" if error.tries == 1 else f"{error.tries} times"
        return PushError(
            f"{error.reason}, {times}: nothing was changed in {self._repository}",
            hint="Check the network, HF_ENDPOINT and proxies, and push again.",
        )

    def _refused(self, error: Exception) -> MindcorpusError:
        if isinstance(error, HfHubHTTPError):
            return self._refused_with(error.response.status_code)
        if isinstance(error, UnicodeEncodeError):  # of a header; all others are ours
            return SettingsError(
                "the token holds characters that no token has",
                field="HF_TOKEN",
                hint="Copy it anew from where it was made.",
            )
        if "README.md" in str(error):  # the client asks the hub about the head of the card
            return PushError("the hub does not take the card's head", hint="Please report it.")
        return PushError(f"the hub's answer makes no sense ({type(error).__name__})")

    def _refused_with(self, status: int) -> PushError:
        if status == 401:
            hint = _TOKENS.format(endpoint=self.endpoint)
            return PushDeniedError("the hub does not take the token", hint=hint)
        if status in (403, 404):
            return PushDeniedError(
                f"the token may not write to {self._repository}",
                hint="Push to a repository of your own, or of an organisation in which you may"
                " write, with a token that may.",
            )
        if status in (409, 412):
            return conflict(self._repository)
        return PushError(f"the hub answered {status}", hint="Nothing was changed there.")


def conflict(repository: str) -> PushError:
    """Give the error for a repository that somebody else changed meanwhile."""
    return PushError(
        f"{repository} was changed while this was sent to it", hint="Look at it, and push again."
    )


def _unwrapped(work: Callable[[Exchange], T], exchange: Exchange) -> T:
    """Do the work; the client's error about a file gives way to what caused it."""
    try:
        return work(exchange)
    except RuntimeError as error:
        if isinstance(error.__cause__, Exception):
            raise error.__cause__ from None
        raise


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the hub's client quiet: its own bars, and that streams are sent without Xet."""
    log = logging.getLogger("huggingface_hub")
    level, bars = log.level, not are_progress_bars_disabled()
    log.setLevel(logging.ERROR)
    disable_progress_bars()
    try:
        yield
    finally:
        log.setLevel(level)
        if bars:
            enable_progress_bars()

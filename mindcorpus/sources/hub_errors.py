"""What the hub refuses, said so that a user knows what to do: one error for each cause."""

from __future__ import annotations

from dataclasses import dataclass

from huggingface_hub.errors import (
    DisabledRepoError,
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from mindcorpus.errors import (
    AccessDeniedError,
    FetchError,
    HubUnavailableError,
    NotFoundError,
    RateLimitedError,
    WrongBytesError,
)
from mindcorpus.remedies import MoveLock, OwnCopy
from mindcorpus.sources.hub_retries import PassingError


@dataclass(frozen=True)
class Asked:
    """What was asked of whom, for the words of an error."""

    source: str
    where: str
    """Address of the repository's page, or of the file."""
    revision: str = ""
    file: str | None = None


def given_up(error: PassingError, asked: Asked) -> FetchError:
    """Give the error for a passing failure that did not pass."""
    own_copy = OwnCopy(asked.source)
    if error.garbled:
        return WrongBytesError(
            f"the bytes that came are not those the hub announces, {_times(error.tries)}",
            source=asked.source,
            file=asked.file,
            hint="A proxy or the disk may be at fault: try again later,",
            remedy=own_copy,
        )
    if error.status == 429:
        pause = f" for {error.retry_after:.0f} s" if error.retry_after else ""
        limited = RateLimitedError(
            f"the hub asks for a pause{pause}",
            source=asked.source,
            file=asked.file,
            hint="Wait and try again, with a token in HF_TOKEN the hub allows more;",
            remedy=own_copy,
        )
        limited.retry_after = error.retry_after
        return limited
    return HubUnavailableError(
        f"{error.reason}, {_times(error.tries)}",
        source=asked.source,
        file=asked.file,
        hint="Check the network, HF_ENDPOINT and proxies, or try again later,",
        remedy=own_copy,
    ).at(error.host, error.reason if error.unreachable and error.tries else "")


def refused(error: Exception, asked: Asked) -> FetchError:
    """Give the error for what the hub's client raised; its own words are not repeated."""
    if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else 0
    if denied := _denied(error, status, asked):
        return AccessDeniedError(denied[0], source=asked.source, file=asked.file, hint=denied[1])
    if isinstance(error, RevisionNotFoundError):
        return NotFoundError(
            f"the repository has no revision {asked.revision!r}",
            source=asked.source,
            file=asked.file,
            hint=f"See {asked.where};",
            remedy=MoveLock(asked.source),
        )
    if missing := _missing(error, status, asked):
        return NotFoundError(missing[0], source=asked.source, file=asked.file, hint=missing[1])
    if isinstance(error, FileMetadataError):
        title, hint = (
            "what answers there is not a Hugging Face hub",
            "Check HF_ENDPOINT and proxies.",
        )
    elif status:
        title, hint = f"the hub answered {status}", f"See {asked.where}."
    else:
        title, hint = f"the download failed ({type(error).__name__})", f"See {asked.where}."
    return FetchError(title, source=asked.source, file=asked.file, hint=hint)


def _denied(error: Exception, status: int, asked: Asked) -> tuple[str, str] | None:
    if isinstance(error, GatedRepoError):
        return (
            "the repository is gated: its owner asks for terms to be accepted",
            f"Accept them at {asked.where} and set HF_TOKEN to a token of that account.",
        )
    if isinstance(error, DisabledRepoError):
        return "the repository has been disabled", f"See {asked.where}."
    if isinstance(error, RepositoryNotFoundError) and status == 401:
        return (
            "the repository is private, or there is none of this name",
            f"Check {asked.where}; if it is private, set HF_TOKEN to a token that may read it.",
        )
    if status in {401, 403}:
        return (
            f"access was refused ({status})",
            f"Set HF_TOKEN to a token that may read {asked.where}.",
        )
    return None


def _missing(error: Exception, status: int, asked: Asked) -> tuple[str, str] | None:
    if isinstance(error, (RepositoryNotFoundError, HFValidationError)):
        return (
            "the hub has no such repository, or does not show it to your token",
            f"Check the name in {asked.where}.",
        )
    if status in {404, 410}:
        at = f" at revision {asked.revision}" if asked.revision else ""
        return f"there is no such file{at}", f"See what there is at {asked.where}."
    return None


def missing_file(asked: Asked) -> NotFoundError:
    """Give the error for a file that the hub does not list."""
    return NotFoundError(
        f"there is no such file at revision {asked.revision}",
        source=asked.source,
        file=asked.file,
        hint=f"See what there is at {asked.where}.",
    )


def _times(tries: int) -> str:
    if not tries:
        return "so it was not asked again"
    return "once" if tries == 1 else f"{tries} times"

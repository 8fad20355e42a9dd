"""Every error a user can meet, each with a stable code, an exit code and a word on what to do.

    MindcorpusError
    ├── SettingsError            settings              a setting or an option is wrong
    ├── CatalogError             catalog               a catalogue entry is wrong
    ├── FetchError               fetch-failed          a source's files could not be had
    │   ├── HubUnavailableError  hub-unavailable       down, slow, or no network
    │   ├── RateLimitedError     hub-rate-limited      the hub asks for a pause, too often
    │   ├── AccessDeniedError    access-denied         gated or private
    │   ├── NotFoundError        source-not-found      no such repository, revision, file or folder
    │   ├── RefusedAddressError  address-refused       a source leads where it may not
    │   ├── FileTooLargeError    file-too-large        a source's file exceeds the limit
    │   ├── WrongBytesError      wrong-bytes           a file is not what the hub or the lock says
    │   └── SourcesError         sources-failed        several sources failed
    ├── DataError                bad-data              a source's file cannot be read on
    │   └── TooManyLostError     too-many-lost         too many of a source's rows give no record
    ├── ArtifactError            artifact              what is stored, or where
    │   ├── ExistsError          already-exists        nothing is overwritten unasked
    │   ├── NoCorpusError        no-corpus             there is nothing to work on yet
    │   ├── NoBuildError         no-build              no earlier build is kept, or not that one
    │   ├── CorruptArtifactError corrupt-artifact      an artifact is not what its manifest says
    │   └── StorageError         storage               disk full, no permission, read-only
    ├── PushError                push-failed           an artifact could not be sent on
    │   ├── PushDeniedError      push-denied           no token, or one that may not write there
    │   └── LicenceError         licence-forbids       a source's licence does not let it be public
    ├── WorkerLostError          worker-lost           a worker process died
    ├── ServiceError             service               the service refused what it was asked
    │   ├── DeniedError          service-denied        the token is missing, wrong, or too weak
    │   └── UnreachableError     service-unreachable   no answer, or not now, over all tries
    └── CancelledError           cancelled             asked to stop, by a person or a caller

No message ever holds a record's text: errors go to logs.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

from mindcorpus.command_words import in_python
from mindcorpus.remedies import AllowMissing, OtherFolder, Remedy, joined


class MindcorpusError(Exception):
    """The root of all errors; `str()` gives one line, `advice` what to do about it.

    `remedy` is the part of the advice that each face words in its own way, `hint` what it is to say
    before; a hint that does not end in a full stop leads on to the remedy.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        title: str,
        *,
        hint: str = "",
        remedy: Remedy | None = None,
        source: str | None = None,
        file: str | None = None,
        row: int | None = None,
        field: str | None = None,
    ) -> None:
        super().__init__(title)
        self.title = title
        self.hint = hint
        self.remedy = remedy
        self.source = source
        self.file = file
        self.row = row
        self.field = field

    def __reduce__(self) -> tuple[Any, ...]:
        # Errors cross process borders; keyword arguments do not survive the default.
        values = {**self.as_dict(), "remedy": self.remedy}
        return _restore, (type(self), self.title, values)

    def __str__(self) -> str:
        named = (
            ("source", self.source),
            ("file", self.file),
            ("row", self.row),
            ("field", self.field),
        )
        where = ", ".join(f"{name} {value}" for name, value in named if value is not None)
        return f"{self.title} ({where})" if where else self.title

    @property
    def advice(self) -> str:
        """What to do about it: the hint, and the remedy for who types commands or calls functions.

        "" where there is nothing to say.
        """
        return joined(self.hint, in_python(self.remedy))

    def as_dict(self) -> dict[str, Any]:
        """Give the error as JSON values: code, title, hint, remedy, source, file, row, field."""
        return {
            "code": self.code,
            "title": self.title,
            "hint": self.hint,
            "remedy": self.remedy.as_dict() if self.remedy else None,
            "source": self.source,
            "file": self.file,
            "row": self.row,
            "field": self.field,
        }


_NAMED = ("code", "title")


def _restore(kind: type[MindcorpusError], title: str, values: dict[str, Any]) -> MindcorpusError:
    return kind(title, **{name: value for name, value in values.items() if name not in _NAMED})


class SettingsError(MindcorpusError):
    """A setting, an option or an argument is wrong."""

    code = "settings"
    exit_code = 3


class CatalogError(MindcorpusError):
    """A catalogue entry is wrong; `file` and `field` say which."""

    code = "catalog"
    exit_code = 3


class FetchError(MindcorpusError):
    """A source's files could not be had."""

    code = "fetch-failed"
    exit_code = 4


class HubUnavailableError(FetchError):
    """The hub is down, too slow, or out of reach, and stayed so over all retries."""

    code = "hub-unavailable"
    host: str = ""
    """The server that was asked, where one was."""
    reason: str = ""
    """Why it counts as out of reach, where that was just found out."""
    sources: tuple[str, ...] = ()
    """The sources that failed at it, where the error stands for several."""

    def at(self, host: str, reason: str = "", sources: tuple[str, ...] = ()) -> Self:
        """Add which server it was, why it was given up, and which sources failed at it."""
        self.host, self.reason, self.sources = host, reason, sources
        return self


class RateLimitedError(FetchError):
    """The hub asked for a pause more often than we retry."""

    code = "hub-rate-limited"
    retry_after: float | None = None
    """Seconds that the hub asked us to wait, where it said so."""


class AccessDeniedError(FetchError):
    """The repository is gated or private, and the token, if any, does not open it."""

    code = "access-denied"


class NotFoundError(FetchError):
    """There is no such repository, revision, file or folder."""

    code = "source-not-found"


class RefusedAddressError(FetchError):
    """A source's address, or one it redirects to, is none that may be fetched from."""

    code = "address-refused"


class FileTooLargeError(FetchError):
    """A source's file is larger than one may be."""

    code = "file-too-large"


class WrongBytesError(FetchError):
    """A file's bytes are not those the hub or the lock names."""

    code = "wrong-bytes"


class SourcesError(FetchError):
    """Several sources failed; `failures` holds the error of each."""

    code = "sources-failed"

    def __init__(self, failures: tuple[MindcorpusError, ...]) -> None:
        names = ", ".join(failure.source or "?" for failure in failures)
        super().__init__(f"{len(failures)} sources failed: {names}", remedy=AllowMissing())
        self.failures = failures


class DataError(MindcorpusError):
    """A source's file cannot be read on from where it is broken."""

    code = "bad-data"
    exit_code = 5


class TooManyLostError(DataError):
    """Too many rows of a source give no record, or all of them."""

    code = "too-many-lost"


class ArtifactError(MindcorpusError):
    """Something about what is stored, or where."""

    code = "artifact"
    exit_code = 6


class ExistsError(ArtifactError):
    """The artifact exists, and nobody said that it may be replaced."""

    code = "already-exists"
    exit_code = 7


class NoCorpusError(ArtifactError):
    """There is no merged corpus, or no prepared format, to work on yet."""

    code = "no-corpus"


class NoBuildError(ArtifactError):
    """No earlier build of an artifact is kept, or none of that name."""

    code = "no-build"


class CorruptArtifactError(ArtifactError):
    """An artifact is not what its manifest says."""

    code = "corrupt-artifact"


class StorageError(ArtifactError):
    """The disk is full, or may not be written."""

    code = "storage"


class PushError(MindcorpusError):
    """An artifact could not be sent on; where it was to go, all is as it was."""

    code = "push-failed"
    exit_code = 9


class PushDeniedError(PushError):
    """There is no token, or the one there is may not write to that place."""

    code = "push-denied"


class LicenceError(PushError):
    """A source's licence does not let its rows be made public."""

    code = "licence-forbids"


class WorkerLostError(MindcorpusError):
    """A worker process died under its task."""

    code = "worker-lost"
    exit_code = 1


class ServiceError(MindcorpusError):
    """A service refused, or failed at, what it was asked; `answered` is its own code."""

    code = "service"
    exit_code = 8

    def __init__(self, title: str, *, answered: str = "", **where: Any) -> None:
        super().__init__(title, **where)
        self.answered = answered

    def as_dict(self) -> dict[str, Any]:
        """Give the error as JSON values, with the service's own code."""
        return {**super().as_dict(), "answered": self.answered}


class DeniedError(ServiceError):
    """The service was sent no token, or one that does not allow what was asked."""

    code = "service-denied"


class UnreachableError(ServiceError):
    """The service did not answer, or was too busy, and stayed so over all tries."""

    code = "service-unreachable"


class CancelledError(MindcorpusError):
    """The work was asked to stop; nothing was published."""

    code = "cancelled"
    exit_code = 130


_IN_THE_WAY = "A file stands where a folder is needed: move it, or"
#: Each leads on to the choice of another folder, but for a broken disk.
_STORAGE_HINTS = {
    errno.ENOSPC: "Free some space, or",
    errno.EDQUOT: "Your disk quota is used up: free some space, or",
    errno.EACCES: "Check who owns the folder and its permissions, or",
    errno.EPERM: "Check who owns the folder and its permissions, or",
    errno.EROFS: "The file system is read-only:",
    errno.EIO: "The disk answered with an input/output error: check it before you go on.",
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.EFBIG: "A limit (ulimit -f) or the file system allows no file so large:",
}


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's errors about `path` into `StorageError`."""
    try:
        yield
    except OSError as error:
        if error.errno not in _STORAGE_HINTS:
            raise
        whole = error.errno != errno.EIO
        raise _storage_error(
            error, "the data folder", path, OtherFolder() if whole else None
        ) from error


@contextmanager
def cache_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's errors about the cache of downloads into `StorageError`."""
    try:
        yield
    except OSError as error:
        if error.errno not in _STORAGE_HINTS:
            raise
        found = _storage_error(error, "the cache of downloads", path, None)
        if error.errno != errno.EIO:
            found.hint += f" {_OTHER_CACHE}"
        raise found from error


_OTHER_CACHE = "name a folder for it that can be written: set HF_HOME, or MINDCORPUS_CACHE_DIR."


def _storage_error(error: OSError, what: str, path: Path, remedy: Remedy | None) -> StorageError:
    reason = (error.strerror or "input/output error").lower()
    named = error.filename if isinstance(error.filename, str) else str(path)
    hint = _STORAGE_HINTS[error.errno or 0]
    return StorageError(f"cannot use {what}: {reason}", file=named, hint=hint, remedy=remedy)

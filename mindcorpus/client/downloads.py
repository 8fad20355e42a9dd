"""A file of a service on this disk: gone on with where it stopped, checked, there whole or not."""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import os
import re
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Self

import httpx2

from mindcorpus.client.cancellable import relayed
from mindcorpus.client.connection import TRIES, Connection, hang_up, pause, wanted_pause
from mindcorpus.client.problems import PASSING, refusal, unreachable
from mindcorpus.errors import (
    ArtifactError,
    CorruptArtifactError,
    ExistsError,
    StorageError,
    UnreachableError,
)
from mindcorpus.privacy import create
from mindcorpus.progress import Cancellation, Progress, Reporter
from mindcorpus.remedies import Replace

_SPAN = re.compile(r"bytes (\d+)-\d+/(\d+)")
_DIGEST = re.compile(r"\bsha-256=:([A-Za-z0-9+/=]+):")


@dataclass(frozen=True)
class _Part:
    """What has come of one version of a file; its name holds the version's tag (ETag)."""

    path: Path
    tag: str

    @classmethod
    def of(cls, target: Path, tag: str) -> Self:
        marked = base64.urlsafe_b64encode(tag.encode()).decode()
        return cls(target.with_name(f".{target.name}.{marked}.part"), tag)

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0


class Download:
    """One file of a service, on its way to a path of this disk.

    What has come lies beside the target in a hidden file, so that a later call can go on with it.
    """

    def __init__(
        self, connection: Connection, address: str, target: Path, report: Reporter
    ) -> None:
        self._connection = connection
        self._address = address
        self._target = target
        self._report = report
        self._response: httpx2.Response | None = None
        self._wanted = 0.0

    def run(self, cancel: Cancellation, *, force: bool) -> Path:
        """Bring the file, as often as it takes; what came before a failure is kept.

        Raises `ExistsError`, `StorageError`, `CancelledError` and what the service refuses;
        `UnreachableError` and `CorruptArtifactError` once the tries are used up.
        """
        failures = 0
        try:
            while True:
                self._refuse_to_overwrite(force=force)
                before = sum(part.size for part in self._parts())
                try:
                    part = self._fetch(cancel)
                    self._refuse_to_overwrite(force=force)
                    return self._publish(part)
                except (UnreachableError, CorruptArtifactError) as error:
                    came = sum(part.size for part in self._parts())
                    # While something arrives there is no reason to give up.
                    failures = 1 if came > before else failures + 1
                    if failures >= TRIES:
                        raise
                    self._say(came, None, note=f"{error.title}; trying again")
                cancel.wait(max(self._wanted, pause(failures)))
        except OSError as error:
            reason = (error.strerror or "input/output error").lower()
            raise StorageError(
                f"cannot write {self._target}: {reason}",
                hint="Make room, or choose another place for the file.",
            ) from error

    def _refuse_to_overwrite(self, *, force: bool) -> None:
        if self._target.exists() and not force:
            raise ExistsError(f"{self._target} exists", remedy=Replace())

    def _fetch(self, cancel: Cancellation) -> _Part:
        """Bring what is missing of the part, or all of a new one."""
        part = next((each for each in self._parts() if each.tag and each.size), None)
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if part is not None:
            headers |= {"Range": f"bytes={part.size}-", "If-Range": part.tag}
        with closing(relayed(self._answer(headers), cancel, self._hang_up)) as pieces:
            try:
                response = next(pieces)
                assert isinstance(response, httpx2.Response)
                begin, total = self._span(response, part)
                if part is None or not begin:
                    part = self._begun(response)
                self._write(part, begin, total, pieces)
            except httpx2.RequestError as error:
                raise unreachable(error, self._connection.address) from None
        self._check(part, total, _digest(response.headers))
        return part

    def _answer(self, headers: dict[str, str]) -> Generator[httpx2.Response | bytes, None, None]:
        """Give the answer, and then its bytes as they come."""
        with self._connection.stream(self._address, headers) as response:
            self._response = response
            try:
                if response.status_code not in (httpx2.codes.OK, httpx2.codes.PARTIAL_CONTENT):
                    response.read()
                yield response
                yield from response.iter_raw()
            finally:
                self._response = None

    def _hang_up(self) -> None:
        if self._response is not None:
            hang_up(self._response)

    def _span(self, response: httpx2.Response, part: _Part | None) -> tuple[int, int | None]:
        """Give where the bytes of an answer begin, and how long the whole is, if it says so."""
        self._wanted = 0.0
        if response.status_code == httpx2.codes.OK:
            length = response.headers.get("Content-Length", "")
            return 0, int(length) if length.isdecimal() else None
        if part is not None and response.status_code in (
            httpx2.codes.PARTIAL_CONTENT,
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        ):
            span = _SPAN.fullmatch(response.headers.get("Content-Range", ""))
            same = response.headers.get("ETag", part.tag) == part.tag
            if span and same and int(span[1]) == part.size:
                return part.size, int(span[2])
            part.path.unlink()
            raise UnreachableError("the service's answer does not go on where the file stopped")
        failure = refusal(response)
        if response.status_code not in PASSING:
            raise failure
        self._wanted = wanted_pause(response)
        raise UnreachableError(failure.title, hint=failure.hint, remedy=failure.remedy)

    def _write(
        self,
        part: _Part,
        begin: int,
        total: int | None,
        pieces: Generator[httpx2.Response | bytes, None, None],
    ) -> None:
        with os.fdopen(create(part.path, os.O_APPEND), "ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ArtifactError(
                    f"another process is bringing {self._target}", hint="Wait until it has ended."
                ) from None
            file.truncate(begin)
            done = begin
            self._say(done, total)
            for piece in pieces:
                assert isinstance(piece, bytes)
                done += file.write(piece)
                self._say(done, total)
            file.flush()
            os.fsync(file.fileno())

    def _check(self, part: _Part, total: int | None, digest: bytes | None) -> None:
        """Compare a whole part with what the service says; what is wrong is removed."""
        with part.path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").digest() if digest else None
        if found != digest or total not in (None, part.size):
            part.path.unlink()
            raise CorruptArtifactError(
                "what came is not what the service says it is",
                file=self._target.name,
                hint="Try again; `mindcorpus verify` checks the artifacts of the service there.",
            )

    def _publish(self, part: _Part) -> Path:
        part.path.replace(self._target)
        folder = os.open(self._target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return self._target

    def _begun(self, response: httpx2.Response) -> _Part:
        """Begin a new part; those of other versions are of no use any more."""
        for old in self._parts():
            old.path.unlink()
        tag = response.headers.get("ETag", "")
        if tag.startswith("W/") or len(tag) > 100:
            tag = ""  # too weak, or too long for a name, to go on with
        return _Part.of(self._target, tag)

    def _parts(self) -> list[_Part]:
        found = []
        lead = f".{self._target.name}."
        for path in self._target.parent.iterdir():
            if path.name.startswith(lead) and path.name.endswith(".part"):
                try:
                    tag = base64.urlsafe_b64decode(path.name[len(lead) : -len(".part")]).decode()
                except ValueError:
                    continue  # of somebody else
                found.append(_Part(path, tag))
        return found

    def _say(self, done: int, total: int | None, note: str = "") -> None:
        self._report(Progress("fetch", self._target.name, done=done, total=total, note=note))


def _digest(headers: httpx2.Headers) -> bytes | None:
    """Read the SHA-256 of a whole file (RFC 9530); None where the service gives none."""
    found = _DIGEST.search(headers.get("Repr-Digest", ""))
    try:
        return base64.b64decode(found[1], validate=True) if found else None
    except binascii.Error:
        return None

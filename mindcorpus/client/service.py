"""The service from Python: submit jobs, watch them, bring what they made."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from mindcorpus.client.cancellable import relayed
from mindcorpus.client.connection import Connection
from mindcorpus.client.downloads import Download
from mindcorpus.client.events import JobEvent, JobEvents
from mindcorpus.client.problems import read_json
from mindcorpus.errors import CancelledError, ServiceError, SettingsError
from mindcorpus.job_requests import LOCAL, MergeRequest, PrepareRequest
from mindcorpus.progress import Cancellation, Reporter, silent

_JOB_ID = re.compile(r"[0-9a-f]{32}")
_PAGE = 100  # jobs that are asked for at a time


@dataclass(frozen=True)
class Submission:
    """What became of a request: a job, or word of what is there and may not be replaced."""

    job: dict[str, Any] | None
    """The job, new or the same as one in flight; None: nothing asked for is due."""
    existing: dict[str, Any] | None
    """What exists; None where there is a job."""


class ServiceClient:
    """The jobs and artifacts of one service; as a context it closes its connections.

    Requests that fail for what may pass are sent again, a few times, with growing pauses; a job
    is made once however often its request arrives. Every method raises the library's errors for
    what the service refuses, `ServiceError` for what only a service can say, `DeniedError` for a
    token that does not do, and `UnreachableError` without an answer.
    """

    def __init__(self, url: str, token: str | None = None, timeout: float = 30.0) -> None:
        """Take the address of a service, as `http://HOST:PORT`.

        Without a `token` it is `MINDCORPUS_TOKEN`. `timeout` is in seconds, for each connection,
        answer and piece of an answer. Raises `SettingsError`; nothing is connected yet.
        """
        given = os.environ.get("MINDCORPUS_TOKEN") if token is None else token
        self._connection = Connection(url, given, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._connection.close()

    # Making

    def submit_merge(
        self, request: MergeRequest | None = None, *, label: str | None = None
    ) -> Submission:
        """Ask for a merge; with no request, of all sources. `label` is to find the job by.

        Raises `SettingsError` for a request with catalogue files or paths: they are of this
        machine.
        """
        body = (request or MergeRequest()).given()
        if local := [name for name in LOCAL if name in body]:
            raise SettingsError(
                f"a service cannot read {local[0]} of this machine",
                field=local[0],
                hint="Leave them out; the service's operator may add catalogues there.",
            )
        return self._submit("/merge", body, label)

    def submit_prepare(
        self, request: PrepareRequest | None = None, *, label: str | None = None
    ) -> Submission:
        """Ask for training formats; with no request, for all; what it leaves open is the service's.

        Formats that are outdated are made anew, and those that are missing made. Others that exist
        are left as they are unless the request says `force`; where none is due there is no job, and
        `differs` of each says how it would change.
        """
        return self._submit("/prepare", (request or PrepareRequest()).given(), label)

    def _submit(self, path: str, body: Mapping[str, Any], label: str | None) -> Submission:
        answer = self._post(path, body if label is None else {**body, "label": label})
        return Submission(answer, None) if "id" in answer else Submission(None, answer)

    def _post(self, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        # One key for all tries: the service makes one job of them.
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        return read_json(self._connection.send("POST", path, body=body, headers=headers).text)

    # Jobs

    def job(self, job_id: str) -> dict[str, Any]:
        """Tell how a job stands."""
        return self._get(_path(job_id))

    def jobs(
        self,
        *,
        kind: str | None = None,
        state: str | None = None,
        label: str | None = None,
        owner: str | None = None,
        limit: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Give jobs, newest first, page by page as they are taken; `limit` at most."""
        asked = (("kind", kind), ("state", state), ("label", label), ("owner", owner))
        query: dict[str, str | int] = {name: value for name, value in asked if value is not None}
        left = limit
        while left is None or left > 0:
            page = self._get("/jobs", query | {"limit": min(left or _PAGE, _PAGE)})
            yield from page["jobs"][:left]
            if left is not None:
                left -= len(page["jobs"])
            if page["next_cursor"] is None:
                return
            query["cursor"] = page["next_cursor"]

    def cancel(self, job_id: str) -> dict[str, Any]:
        """Ask a job to stop, and tell how it stands; it may take seconds until it is `cancelled`.

        Raises `ServiceError` if it has ended otherwise.
        """
        try:
            return read_json(self._connection.send("DELETE", _path(job_id)).text)
        except ServiceError as error:
            if error.answered == "job-finished":
                job = self.job(job_id)
                if job["state"] == "cancelled":  # by a try whose answer was lost
                    return job
            raise

    def retry(self, job_id: str) -> dict[str, Any]:
        """Make a new job of the request of one that failed or was cancelled."""
        return self._post(f"{_path(job_id)}/retry", None)

    def events(self, job_id: str, after: str = "") -> Iterator[JobEvent]:
        """Give what happens to a job, as it happens, each once, to its end.

        It begins with how the job stands, or after the event of an id. The stream is resumed where
        it breaks; where none gets through, the job is asked for again and again.
        """
        return iter(JobEvents(self._connection, _path(job_id), after))

    def watch(
        self, job_id: str, report: Reporter = silent, cancel: Cancellation | None = None
    ) -> dict[str, Any]:
        """Report a job's progress until it ends, and give the job, whatever became of it.

        `cancel` ends the watching, not the job, with `CancelledError`.
        """
        events = JobEvents(self._connection, _path(job_id))
        try:
            for event in relayed(iter(events), cancel or Cancellation(), events.close):
                if progress := event.progress:
                    report(progress)
        except CancelledError:
            raise CancelledError(
                "no longer watching; the job goes on",
                hint=f"Watch it again with `mindcorpus watch {job_id}`,"
                f" or stop it with `mindcorpus cancel {job_id}`.",
            ) from None
        return self.job(job_id)

    # What there is

    def corpus(self) -> dict[str, Any]:
        """Tell of the corpus: whether it exists, its size, warnings, manifest in short, the job."""
        return self._get("/merge")

    def formats(self) -> dict[str, Any]:
        """Tell of the training formats, by name below `formats`, and of the job in flight."""
        return self._get("/prepare")

    def offered_formats(self) -> list[dict[str, Any]]:
        """List the training formats: what each is for, holds of the corpus today, how it stands."""
        found: list[dict[str, Any]] = self._get("/formats")["formats"]
        return found

    def sources(self) -> list[dict[str, Any]]:
        """List the sources of the service's catalogue."""
        found: list[dict[str, Any]] = self._get("/sources")["sources"]
        return found

    def statistics(self) -> dict[str, Any]:
        """Give the corpus in numbers; raises `NoCorpusError`."""
        return self._get("/statistics")

    def artifacts(self) -> dict[str, list[dict[str, Any]]]:
        """List by kind what there is to download: path, bytes, sha256, whether it is a folder."""
        found: dict[str, list[dict[str, Any]]] = self._get("/artifacts")["artifacts"]
        return found

    def download(
        self,
        path: str,
        target: str | Path,
        report: Reporter = silent,
        cancel: Cancellation | None = None,
        *,
        force: bool = False,
    ) -> Path:
        """Bring an artifact by its path in `artifacts()`; a folder comes as one archive.

        A file that was begun is gone on with, and checked against the service's sha256. An archive
        carries none: its length alone is checked, and it begins anew. The target is there whole or
        not at all. Raises `ExistsError` for a target that exists, unless `force`,
        `CorruptArtifactError`, `StorageError` and `CancelledError`.
        """
        address = f"/artifacts/{quote(path)}"
        download = Download(self._connection, address, Path(target), report)
        return download.run(cancel or Cancellation(), force=force)

    def _get(self, path: str, query: Mapping[str, str | int] | None = None) -> dict[str, Any]:
        return read_json(self._connection.send("GET", path, query=query).text)


def _path(job_id: str) -> str:
    """Give a job's path; raises `SettingsError` for what no job is called."""
    if not _JOB_ID.fullmatch(job_id):
        raise SettingsError(
            "this is no job's id",
            hint="An id is 32 hexadecimal digits; `mindcorpus jobs` lists them.",
        )
    return f"/jobs/{job_id}"

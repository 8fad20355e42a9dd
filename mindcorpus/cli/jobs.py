"""jobs, watch, cancel, retry and download: what only a service has."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from rich.filesize import decimal

from mindcorpus.cli.tables import moment, table
from mindcorpus.cli.terminal import Terminal, print_json
from mindcorpus.cli.watch import command_of, follow, standing
from mindcorpus.client.service import ServiceClient
from mindcorpus.errors import CancelledError


def list_jobs(
    server: str,
    *,
    kind: str | None,
    state: str | None,
    label: str | None,
    owner: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List a service's jobs, newest first."""
    with ServiceClient(server) as client:
        found = list(client.jobs(kind=kind, state=state, label=label, owner=owner, limit=limit))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            *(job["id"], job["kind"], job.get("asked_by") or "", job.get("label") or ""),
            *(moment(job["created"]), standing(job)),
        )
        for job in found
    ]
    terminal = Terminal()
    if rows:
        terminal.show(table(("Job", "Kind", "By", "Label", "Asked for", "State"), rows))
    else:
        asked = kind or state or label or owner
        terminal.show("There are no such jobs." if asked else "There are no jobs yet.")


def watch_job(server: str, job_id: str, *, as_json: bool) -> None:
    """Follow a job to its end, and show what it made."""
    with ServiceClient(server) as client:
        follow(Terminal(), client, server, client.job(job_id), as_json=as_json)


def cancel_job(server: str, job_id: str, *, as_json: bool) -> None:
    """Ask a job to stop."""
    with ServiceClient(server) as client:
        job = client.cancel(job_id)
    if as_json:
        print_json(job)
    elif job["state"] == "cancelled":
        Terminal().show("The job is cancelled.")
    else:
        Terminal().show(
            f"The job was asked to stop: `{command_of(server)} watch {job_id}` shows when it has."
        )


def retry_job(server: str, job_id: str, *, detach: bool) -> None:
    """Run a job again that failed or was cancelled, and follow the new one."""
    terminal = Terminal()
    with ServiceClient(server) as client:
        job = client.retry(job_id)
        if detach:
            terminal.show(job["id"])
        else:
            follow(terminal, client, server, job)


def list_artifacts(server: str, *, as_json: bool) -> None:
    """List what a service has to download."""
    with ServiceClient(server) as client:
        found = client.artifacts()
    if as_json:
        print_json(found)
        return
    rows = [
        (file["path"], kind, decimal(file["bytes"]), _number(file["rows"]))
        for kind, files in found.items()
        for file in files
    ]
    terminal = Terminal()
    if rows:
        terminal.show(table(("Path", "Artifact", "Size", "Records"), rows))
    else:
        terminal.show(f"There is nothing yet. Next: {command_of(server)} merge")


def _number(rows: int | None) -> str:
    return "" if rows is None else f"{rows:,}"


def download(server: str, path: str, output: Path | None, *, force: bool) -> None:
    """Bring a file of a service here, or a folder as an archive."""
    terminal = Terminal()
    with ServiceClient(server) as client:
        target = output or Path()
        if target.is_dir():
            target /= _name(client, path)
        if target.exists() and not force:
            terminal.confirm([f"{target} exists"])
        with terminal.watch() as (report, cancel):
            try:
                client.download(path, target, report, cancel, force=True)
            except CancelledError:
                raise CancelledError(
                    "stopped before it was complete",
                    hint="The same command goes on where this one stopped.",
                ) from None
    terminal.show(str(target))


def _name(client: ServiceClient, path: str) -> str:
    """Give the name to save an artifact under: its own, and of a folder that of its archive."""
    files = [file for each in client.artifacts().values() for file in each]
    folder = any(file["folder"] and file["path"] == path for file in files)
    return PurePosixPath(path).name + (".tar" if folder else "")

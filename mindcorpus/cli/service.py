"""jobs, watch, cancel, retry, download: the commands that only a service knows.

Only click is imported here, as in `mindcorpus.cli.main`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mindcorpus.cli.options import force_option, json_option
from mindcorpus.cli.remote_options import (
    detach_option,
    kind_option,
    limit_option,
    needed_server,
    output_option,
    owner_option,
    state_option,
    wanted_label_option,
)


@click.command("jobs")
@kind_option
@state_option
@wanted_label_option
@owner_option
@limit_option
@json_option
def list_jobs(**given: Any) -> None:
    """List a service's jobs, newest first."""
    server = needed_server()
    from mindcorpus.cli import jobs

    jobs.list_jobs(server, **given)


@click.command()
@click.argument("job_id", metavar="JOB")
@json_option
def watch(job_id: str, *, as_json: bool) -> None:
    """Follow a service's JOB to its end, and show what it made.

    Ctrl-C ends the watching; the job goes on.
    """
    server = needed_server()
    from mindcorpus.cli import jobs

    jobs.watch_job(server, job_id, as_json=as_json)


@click.command()
@click.argument("job_id", metavar="JOB")
@json_option
def cancel(job_id: str, *, as_json: bool) -> None:
    """Ask a service's JOB to stop; what was there stays as it is."""
    server = needed_server()
    from mindcorpus.cli import jobs

    jobs.cancel_job(server, job_id, as_json=as_json)


@click.command()
@click.argument("job_id", metavar="JOB")
@detach_option
def retry(job_id: str, *, detach: bool) -> None:
    """Run a service's JOB again that failed or was cancelled."""
    server = needed_server()
    from mindcorpus.cli import jobs

    jobs.retry_job(server, job_id, detach=detach)


@click.command()
@click.argument("path", required=False)
@output_option
@force_option
@json_option
def download(path: str | None, output: Path | None, *, force: bool, as_json: bool) -> None:
    """Bring a service's file at PATH here; without PATH, list them.

    A folder comes as a tar archive. A download that was stopped goes on where it was.
    """
    server = needed_server()
    if path is not None and as_json:
        raise click.UsageError("--json is for the list: leave out PATH")
    from mindcorpus.cli import jobs

    if path is None:
        jobs.list_artifacts(server, as_json=as_json)
    else:
        jobs.download(server, path, output, force=force)


SERVICE_COMMANDS: tuple[click.Command, ...] = (list_jobs, watch, cancel, retry, download)

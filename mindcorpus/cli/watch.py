"""A service's job as a person follows it: its progress, then what it made or why it failed."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Any

from mindcorpus.cli.render import (
    advice_of,
    corpus_parts,
    ending_parts,
    format_parts,
    outdated,
    outdated_of,
    size_of,
    split_parts,
    use_of,
)
from mindcorpus.cli.tables import harmless, heading, table
from mindcorpus.cli.terminal import Terminal, print_json
from mindcorpus.client.problems import error_from
from mindcorpus.client.service import ServiceClient
from mindcorpus.errors import CancelledError, UnreachableError
from mindcorpus.formats.chat_rules import rule_of
from mindcorpus.storage.kinds import CORPUS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

_FILES = tuple(f"{CORPUS}{suffix}" for suffix in (".json", ".csv", ".parquet", ".lineage.parquet"))


def command_of(server: str) -> str:
    """Give what a command for that service begins with."""
    if os.environ.get("MINDCORPUS_SERVER") == server:
        return "mindcorpus"
    return f"mindcorpus --server {shlex.quote(server)}"


def follow(
    terminal: Terminal,
    client: ServiceClient,
    server: str,
    job: Mapping[str, Any],
    *,
    as_json: bool = False,
) -> None:
    """Show a job's progress to its end, and what it made; `as_json`: the job as it ended.

    Raises the error of a job that failed, and `CancelledError` for one that was cancelled or that
    nobody wants to watch any more; it goes on then.
    """
    job_id, command = job["id"], command_of(server)
    terminal.say(
        f"Job {job_id} on {server}: {harmless(standing(job))}.",
        "Ctrl-C stops watching; the job goes on.",
    )
    with terminal.watch() as (report, cancel):
        try:
            ended = client.watch(job_id, report, cancel)
        except CancelledError:
            raise CancelledError(
                "no longer watching; the job goes on",
                hint=f"Watch it again with `{command} watch {job_id}`,"
                f" or stop it with `{command} cancel {job_id}`.",
            ) from None
        except UnreachableError as error:
            error.hint = f"The job may well go on: watch it again with `{command} watch {job_id}`."
            error.remedy = None
            raise
        if as_json:
            print_json(ended)
        _refuse_other_than_success(ended, server)
    if not as_json:
        show = _show_corpus if ended["kind"] == "merge" else _show_formats
        if ended["result"].get("shortened"):
            show = _show_files
        show(terminal, client, server, ended["result"])


def standing(job: Mapping[str, Any]) -> str:
    """Say in a few words how a job stands."""
    match job:
        case {"state": "queued", "not_before": str()}:
            return "waits to be tried again"
        case {"state": "queued", "queue_position": int(place)}:
            return f"queued, number {place:,} in line"
        case {"state": "waiting" | "running", "stage": str(stage), "progress": progress}:
            # A service of an earlier release tells no share.
            return f"{stage} {progress['share']:.0%}" if progress.get("share") else stage
        case {"state": "failed", "error": {"title": str(title)}}:
            return f"failed: {title}"
    return str(job["state"])


def _refuse_other_than_success(job: Mapping[str, Any], server: str) -> None:
    again = f"Run it again with `{command_of(server)} retry {job['id']}`."
    if job["state"] == "failed":
        error = error_from(job["error"])
        error.hint, error.remedy = f"{advice_of(error)} {again}".strip(), None
        raise error
    if job["state"] != "succeeded":
        raise CancelledError("the job was cancelled; it published nothing", hint=again)


def _show_corpus(
    terminal: Terminal, client: ServiceClient, server: str, made: Mapping[str, Any]
) -> None:
    files = [(name, size_of(name, made["artifacts"])) for name in _FILES]
    command = command_of(server)
    formats = client.formats()["formats"]
    if old := outdated_of(formats):
        following = outdated(old, command)
    else:
        following = f"Next: {command} prepare"
    terminal.show(*corpus_parts(made, files, following, terminal.full))
    terminal.show(f"Bring a file here: {command} download {made['path']}")


def _show_formats(
    terminal: Terminal, _client: ServiceClient, server: str, made: Mapping[str, Any]
) -> None:
    formats: Mapping[str, Mapping[str, Any]] = made["formats"]
    uses = []
    # A service of an earlier release tells of no split of the corpus.
    parts = split_parts(made.get("split"))
    for name, each in formats.items():
        found = each["findings"]
        parts += format_parts(name, each, _findings(found) if found else None)
        errors = [rule.meaning for rule in map(rule_of, found) if rule.severity == "error"]
        uses.append(use_of(name, errors, f"{command_of(server)} download {each['path']}"))
    terminal.show(*parts, *ending_parts(formats, uses))


def _show_files(
    terminal: Terminal, _client: ServiceClient, server: str, made: Mapping[str, Any]
) -> None:
    """Show what a service still tells of a job that has been over for an hour."""
    rows = [
        (each["path"], each["bytes"], each["rows"], each["sha256"]) for each in made["artifacts"]
    ]
    terminal.show(
        heading("It is over for more than an hour: of what it made, this is still told"),
        table(("Path", "Bytes", "Records", "sha256"), rows),
        harmless(f"`{command_of(server)} stats` tells of the corpus there is now."),
    )


def _findings(counts: Mapping[str, int]) -> RenderableType:
    rows = [
        (rule_of(code).severity, code, count, rule_of(code).meaning)
        for code, count in counts.items()
    ]
    return table(("Severity", "Code", "Times", "What"), sorted(rows))

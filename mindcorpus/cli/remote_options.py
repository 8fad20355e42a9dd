"""Which service commands ask, if any, and the options that only then, or only else, make sense."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Any

import click

from mindcorpus.cli.options import PATH

#: Options that name files, or the use of processors, of this machine: parameter -> option.
_LOCAL: Mapping[str, str] = {
    "data_dir": "--data-dir",
    "workers": "--workers",
    "paths": "--path",
    "catalogs": "--catalog",
}

server_option = click.option(
    "--server",
    metavar="URL",
    help="Ask a service instead of this machine; its token is $MINDCORPUS_TOKEN."
    "  [default: $MINDCORPUS_SERVER, or none]",
)
detach_option = click.option(
    "--detach", is_flag=True, help="With --server: print the job's id, and do not watch it."
)
label_option = click.option(
    "--label", metavar="TEXT", help="With --server: a name for the job, to find it by."
)
kind_option = click.option(
    "--kind", type=click.Choice(["merge", "prepare"]), help="Only jobs of this kind."
)
state_option = click.option(
    "--state",
    type=click.Choice(
        ["queued", "waiting", "running", "cancelling", "succeeded", "failed", "cancelled"]
    ),
    help="Only jobs in this state.",
)
wanted_label_option = click.option(
    "--label", metavar="TEXT", help="Only jobs asked for or joined with this label."
)
owner_option = click.option(
    "--owner", metavar="NAME", help="Only jobs that the token of this name asked for or joined."
)
limit_option = click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    metavar="N",
    help="At most so many jobs.  [default: 20]",
)
output_option = click.option(
    "--output",
    "-o",
    type=PATH,
    metavar="PATH",
    help="File to write, or folder to put it in.  [default: the same name, here]",
)


def chosen_server() -> str | None:
    """Give the address of the service that was chosen; None: this machine does the work."""
    given: str | None = click.get_current_context().find_root().params.get("server")
    return given or os.environ.get("MINDCORPUS_SERVER") or None


def needed_server() -> str:
    """Give the address of the service; raises a usage error if none was chosen."""
    server = chosen_server()
    if server is None:
        name = click.get_current_context().info_name
        raise click.UsageError(
            f"{name} asks a service: name it as `mindcorpus --server URL {name}`,"
            " or in MINDCORPUS_SERVER"
        )
    return server


def for_service(given: Mapping[str, Any]) -> dict[str, Any]:
    """Give a command's parameters without those of this machine; refuses them if they are set."""
    for name, option in _LOCAL.items():
        if given.get(name) not in (None, ()):
            raise click.UsageError(
                f"{option} is of this machine, and the service at {chosen_server()} does the work:"
                f" leave out {option}, or --server and MINDCORPUS_SERVER"
            )
    return {name: value for name, value in given.items() if name not in _LOCAL}


def for_this_machine(given: Mapping[str, Any]) -> dict[str, Any]:
    """Give a command's parameters without those of a service; refuses them if they are set."""
    if given.get("detach"):
        raise click.UsageError("--detach needs --server URL: on this machine there are no jobs")
    if given.get("label") is not None:
        raise click.UsageError("--label needs --server URL: on this machine there are no jobs")
    return {name: value for name, value in given.items() if name not in ("detach", "label")}


def refuse_where_local(
    server: str | None, command: str | None, remote: Collection[str | None]
) -> None:
    """Raise a usage error where --server is given to a command that knows only this machine."""
    if server and command not in remote:
        raise click.UsageError(f"{command} works on this machine only: leave out --server")

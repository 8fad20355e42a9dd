"""`python -m web`: the tokens of the service, and the whole service on this machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from mindcorpus.errors import MindcorpusError
from mindcorpus.privacy import keep_umask_private
from web.access.audit_log import open_audit
from web.access.moments import span_ahead, span_before
from web.access.scopes import SCOPES
from web.access.state_folder import prepare_state
from web.access.tokens import TokenFile, open_tokens
from web.settings import WebSettings


@click.group()
def main() -> None:
    """Run the service of mindcorpus; settings are `MINDCORPUS_…` variables."""


@main.group()
def token() -> None:
    """Make, list and revoke the tokens that the API asks for."""


@token.command("new")
@click.option("--name", required=True, help="Who or what uses it, such as laptop or ci.nightly.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    default=("read",),
    metavar="SCOPE[:CORPUS]",
    help=f"What it may do: {', '.join(SCOPES)}, of all corpora or of one; write includes read. "
    "May be repeated. Default: read.",
)
@click.option(
    "--expires",
    metavar="WHEN",
    help="When it ends: 30d, 12h, 2027-01-31 or 2027-01-31T12:00:00Z. Default: never.",
)
def new_token(name: str, scopes: tuple[str, ...], expires: str | None) -> None:
    """Make a token and print it, this once."""
    with _reported_errors():
        end = None if expires is None else span_ahead(expires, "expires")
        text = _tokens().new(name, scopes, end)
    click.echo(text)


@token.command("list")
def list_tokens() -> None:
    """List names, scopes, when they were made, when they expire and were last used."""
    with _reported_errors():
        tokens = _tokens()
        click.echo("name\tscopes\tmade\texpires\tlast used")
        for known in tokens.list():
            used = tokens.uses.of(known) if tokens.uses else None
            times = (_shown(known.created), _shown(known.expires), _shown(used))
            click.echo("\t".join((known.name, ",".join(known.scopes), *times)))


def _shown(moment: datetime | None) -> str:
    return moment.isoformat() if moment else "never"


@token.command("revoke")
@click.argument("name")
def revoke_token(name: str) -> None:
    """Delete a token; it is refused from now on."""
    with _reported_errors():
        _tokens().revoke(name)


@main.command("audit")
@click.option("--since", metavar="WHEN", help="From when on: 7d, 12h, a day or a moment.")
@click.option("--token", "name", help="Only what this token, or user:NAME, did.")
@click.option("--action", help="Only this, such as record.read, or all of a kind: record.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def audit(since: str | None, name: str | None, action: str | None, *, as_json: bool) -> None:
    """Show who did what: records read, downloads, sign-ins, tokens, jobs; the oldest first."""
    with _reported_errors():
        start = None if since is None else span_before(since, "since")
        senseless = 0
        for entry in open_audit(WebSettings.load()).read():
            if entry is None:
                senseless += 1
            elif _wanted(entry, start, name, action):
                click.echo(json.dumps(entry) if as_json else _line(entry))
    if senseless:
        click.echo(f"{senseless} lines make no sense; they were cut off.", err=True)


def _wanted(
    entry: dict[str, Any], start: datetime | None, name: str | None, action: str | None
) -> bool:
    did = str(entry["action"])
    return (
        (start is None or datetime.fromisoformat(str(entry["time"])) >= start)
        and (name is None or entry.get("token") == name)
        and (action is None or did == action or did.startswith(f"{action}."))
    )


def _line(entry: dict[str, Any]) -> str:
    about = json.dumps(entry.get("object") or {})
    cells = (entry.get(name, "-") for name in ("status", "token", "address"))
    return "\t".join((entry["time"], entry["action"], *map(str, cells), about))


@main.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
@click.pass_context
def up(context: click.Context) -> None:
    """Start everything on this machine: Redis, workers, API; Ctrl-C stops it."""
    from web.local.up import main as start

    start(context.args)


@main.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True, dir_okay=False))
def backup(file: Path) -> None:
    """Write what was published, tokens and keys to FILE, or to standard output: -."""
    from web.backup import write_backup

    with _reported_errors():
        write_backup(WebSettings.load(), None if str(file) == "-" else file)


def _tokens() -> TokenFile:
    settings = WebSettings.load()
    for said in prepare_state(settings):
        click.echo(said, err=True)
    return open_tokens(settings, open_audit(settings))


@contextmanager
def _reported_errors() -> Iterator[None]:
    try:
        yield
    except MindcorpusError as error:
        click.echo(f"Error: {error}\n{error.advice}".rstrip(), err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    keep_umask_private()
    main(prog_name="python -m web")

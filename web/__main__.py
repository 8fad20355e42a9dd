"""`python -m web`: the tokens of the service, and the whole service on this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import click

from mindcorpus.errors import MindcorpusError
from web.access.last_use import LastUse
from web.access.moments import span_ahead
from web.access.scopes import SCOPES
from web.access.state_folder import prepare_state
from web.access.tokens import TokenFile
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


@main.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
@click.pass_context
def up(context: click.Context) -> None:
    """Start everything on this machine: Redis, workers, API; Ctrl-C stops it."""
    from web.local.up import main as start

    start(context.args)


def _tokens() -> TokenFile:
    settings = WebSettings.load()
    for said in prepare_state(settings):
        click.echo(said, err=True)
    return TokenFile(settings.tokens_path, uses=LastUse(settings.state_path / "last-used"))


@contextmanager
def _reported_errors() -> Iterator[None]:
    try:
        yield
    except MindcorpusError as error:
        click.echo(f"Error: {error}\n{error.advice}".rstrip(), err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main(prog_name="python -m web")

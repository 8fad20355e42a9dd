"""`python -m web`: the tokens of the service, and the whole service on this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from mindcorpus.errors import MindcorpusError
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
def new_token(name: str, scopes: tuple[str, ...]) -> None:
    """Make a token and print it, this once."""
    with _reported_errors():
        text = _tokens().new(name, scopes)
    click.echo(text)


@token.command("list")
def list_tokens() -> None:
    """List names, scopes and when they were made."""
    with _reported_errors():
        for known in _tokens().list():
            click.echo(f"{known.name}\t{','.join(known.scopes)}\t{known.created.isoformat()}")


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
    return TokenFile(settings.tokens_path)


@contextmanager
def _reported_errors() -> Iterator[None]:
    try:
        yield
    except MindcorpusError as error:
        click.echo(f"Error: {error}\n{error.advice}".rstrip(), err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main(prog_name="python -m web")

"""`python -m web up`: the whole service on this machine, with a corpus in it, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn
from urllib.parse import urlsplit

import click
from rich.table import Table
from rich.text import Text

from mindcorpus.cli.main import run
from mindcorpus.cli.render import advice_of
from mindcorpus.cli.tables import heading
from mindcorpus.cli.terminal import Terminal
from mindcorpus.client.service import ServiceClient
from mindcorpus.errors import CancelledError, MindcorpusError, SettingsError, storage_errors
from mindcorpus.privacy import Readers, make_folder
from mindcorpus.progress import Cancellation
from mindcorpus.storage.exposure import is_exposed
from web.access.audit_log import open_audit
from web.access.state_folder import prepare_state
from web.access.tokens import open_tokens
from web.local.first_jobs import Sources, make_first
from web.local.local_redis import LocalRedis, set_up
from web.local.lock import service_folder
from web.local.processes import Supervisor
from web.local.programs import WORKERS, programs
from web.local.ready import wait_until_ready
from web.settings import WebSettings
from workers.exposure import EXPOSED, HINT

_TOKEN = "make-run"  # noqa: S105 - a token's name
_LOOK_SECONDS = 0.5


def main(arguments: Sequence[str]) -> NoReturn:
    """Be `python -m web up`, and leave with an exit code as `mindcorpus` does."""
    # `run` reads the process' arguments; those before ours have been read.
    sys.argv[1:] = arguments
    run(up, "python -m web up")


@click.command()
@click.option(
    "--sources",
    type=click.Choice(["sample", "all"]),
    default="sample",
    show_default=True,
    help="Merge the small shipped sample, or the real sources.",
)
@click.option("--once", is_flag=True, help="Stop when the corpus and its formats are made.")
def up(sources: Sources, *, once: bool) -> int:
    """Start everything on this machine: Redis, workers, API; Ctrl-C stops it.

    Merges the sample or the real sources through the API, and prepares the formats of `all`.
    """
    settings = WebSettings.load()
    terminal = Terminal()
    with ExitStack() as stack:
        service, lock = stack.enter_context(service_folder(settings.data_dir))
        settings = settings.model_copy(update={"port": _free_port(settings)})
        for said in prepare_state(settings):
            terminal.say(said)
        state = settings.state_path
        redis = set_up(service, state) if settings.redis_url is None else None
        logs = service / "logs"
        with storage_errors(logs):
            make_folder(logs)
        token = settings.token.get_secret_value() if settings.token else _new_token(settings)
        terminal.say(_announced(redis, settings))
        if is_exposed(settings.data_dir, Readers.of(settings.group)):
            terminal.say(Text(f"Warning: {EXPOSED}. {HINT}", "yellow"))
        cancel = stack.enter_context(_stoppable())
        url = _url(settings)
        _go_past_proxies(url)
        running = Supervisor(programs(settings, redis, lock), logs, _unfailing(terminal.say))
        stack.enter_context(running)
        stack.callback(_unfailing(terminal.say), "Stopping the web server, the workers and Redis.")
        wait_until_ready(url, running, terminal.say, cancel)
        client = stack.enter_context(ServiceClient(url, token))
        code = _make(terminal, client, settings, sources, cancel, once=once)
        terminal.show(*_where(url, None if settings.token else token, logs))
        if not once:
            terminal.say("Ctrl-C stops it.")
            _stay(running, cancel)
        return code


def _make(
    terminal: Terminal,
    client: ServiceClient,
    settings: WebSettings,
    sources: Sources,
    cancel: Cancellation,
    *,
    once: bool,
) -> int:
    """Make corpus and formats; a failure is no reason not to stay up, but is the exit code."""
    try:
        make_first(client, terminal, settings.data_dir, sources)
    except CancelledError:
        cancel.cancel()  # from here on, another Ctrl-C is the second
        raise CancelledError("stopped; what was being made goes on with the next start") from None
    except MindcorpusError as error:
        if once:
            raise
        advice = advice_of(error)
        terminal.say(Text(f"error: {error}", "red"), *([advice] if advice else []))
        return error.exit_code
    return 0


def _stay(running: Supervisor, cancel: Cancellation) -> None:
    """Wait for Ctrl-C or SIGTERM."""
    try:
        while running.alive:
            cancel.wait(_LOOK_SECONDS)
    except CancelledError:
        return
    raise MindcorpusError("nobody looks after the service any more", hint="Start it again.")


@contextmanager
def _stoppable() -> Iterator[Cancellation]:
    """Ask to stop on Ctrl-C, SIGTERM, or when the terminal is closed; a second one ends at once."""
    cancel = Cancellation()

    def stop(_number: int, _frame: FrameType | None) -> None:
        if cancel.asked:
            os._exit(CancelledError.exit_code)  # all that was started dies with us
        cancel.cancel()

    def hang_up(_number: int, _frame: FrameType | None) -> None:
        # Whoever listens for a stop just now, listens for this one.
        signal.raise_signal(signal.SIGTERM)

    handlers = {signal.SIGINT: stop, signal.SIGTERM: stop, signal.SIGHUP: hang_up}
    before = {
        number: signal.signal(number, handler)
        for number, handler in handlers.items()
        # Started with nohup, or in the background of a script: it stays deaf.
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield cancel
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _unfailing(say: Callable[[str], None]) -> Callable[[str], None]:
    """Say what can be said: a closed terminal keeps nobody from looking after the programs."""

    def said(text: str) -> None:
        with suppress(OSError):
            say(text)

    return said


def _free_port(settings: WebSettings) -> int:
    """Give the port to listen on, if nobody else does; 0 stands for any."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            reason = (error.strerror or "not possible").lower()
            raise SettingsError(
                f"cannot listen on port {settings.port} of {settings.host}: {reason}",
                field="port",
                hint="Stop what listens there, or choose another port with MINDCORPUS_PORT.",
            ) from None
        port: int = probe.getsockname()[1]
    return port


def _new_token(settings: WebSettings) -> str:
    """Make a token; that of the last start goes, as it cannot be shown again."""
    tokens = open_tokens(settings, open_audit(settings))
    if any(token.name == _TOKEN for token in tokens.list()):
        tokens.revoke(_TOKEN)
    return tokens.new(_TOKEN)


def _announced(redis: LocalRedis | None, settings: WebSettings) -> str:
    others = f"{WORKERS} workers and the web server"
    if redis is None:
        return f"Starting {others} in {settings.data_dir}, with the Redis of MINDCORPUS_REDIS_URL."
    return f"Local mode: starting {redis.server}, {others} in {settings.data_dir}."


def _url(settings: WebSettings) -> str:
    # Who listens on every address, does on this one.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def _go_past_proxies(url: str) -> None:
    """Keep clients in this process from looking for this machine at a proxy."""
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    here = ",".join(filter(None, (known, urlsplit(url).hostname)))
    os.environ |= {"no_proxy": here, "NO_PROXY": here}


def _where(url: str, token: str | None, logs: Path) -> tuple[Text, Table]:
    """Say where the service is, and how to get in; `token` is None if it was given to us."""
    shown = Table.grid(padding=(0, 2, 0, 0))
    for name, text in (
        ("Dashboard", url),
        ("API", f"{url}/api/ai/data, explained at {url}/docs"),
        ("Token", token or "that of MINDCORPUS_TOKEN"),
        ("", "" if token is None else "new with each start; set MINDCORPUS_TOKEN to keep one"),
        ("Logs", str(logs)),
    ):
        shown.add_row(Text(name, "dim"), Text(text, overflow="fold"))
    return heading("The service is up"), shown

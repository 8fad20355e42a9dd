"""rollback: an earlier build becomes the current one again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from mindcorpus.api import rollback
from mindcorpus.cli.inspect import data_dir_option
from mindcorpus.cli.render import outdated, outdated_of
from mindcorpus.cli.terminal import Terminal, print_json
from mindcorpus.settings import Settings
from mindcorpus.storage.store import Store

if TYPE_CHECKING:
    from pathlib import Path


def bring_back(
    *, build: str | None, kind: str | None, data_dir: Path | None, as_json: bool
) -> None:
    """Make an earlier build the current one again, and say what has to be made anew."""
    settings = Settings.load(data_dir=data_dir)
    terminal = Terminal()
    with terminal.watch() as (report, cancel):
        done = rollback(None, build, kind=kind, settings=settings, report=report, cancel=cancel)
    if as_json:
        print_json({**vars(done), "path": str(done.path)})
        return
    kept = f" {done.replaced} is kept." if done.replaced else ""
    text = f"{done.path} is {done.build} again: {done.rows:,} records.{kept}"
    terminal.show(Text(text, "bold green"))
    found = Store(settings.data_dir).status()
    if old := outdated_of(found):
        terminal.show(Text(outdated(old, options=data_dir_option(settings)), "yellow"))

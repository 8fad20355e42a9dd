"""push: an artifact goes to the hub, a storage or a folder; where it is now, and what it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.filesize import decimal
from rich.text import Text

from mindcorpus.api import push
from mindcorpus.cli.tables import harmless
from mindcorpus.cli.terminal import Terminal, print_json
from mindcorpus.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def push_artifact(
    target: str, *, name: str | None, public: bool, data_dir: Path | None, as_json: bool
) -> None:
    """Push the corpus, or a format by its name."""
    settings = Settings.load(data_dir=data_dir)
    terminal = Terminal()
    with terminal.watch() as (report, cancel):
        done = push(
            target, format=name, public=public, settings=settings, report=report, cancel=cancel
        )
    if as_json:
        print_json(done.as_dict())
        return
    held = f"{done.rows:,} records, {done.files:,} files, {decimal(done.bytes)}"
    if not done.changed:
        told = f"{done.address} holds all of it already: {held}."
    else:
        who = {True: ", public", False: ", private", None: ""}[done.public]
        what = done.kind if done.kind == "corpus" else f"{done.kind} export"
        told = f"Pushed the {what} to {done.address}{who}: {held}."
    terminal.show(Text(harmless(told), "bold green"))

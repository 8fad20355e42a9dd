"""clean: removes what is kept beyond the settings, or says what would go; what takes the space."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.filesize import decimal
from rich.text import Text

from mindcorpus.cli.tables import heading, table
from mindcorpus.cli.terminal import Terminal, print_json
from mindcorpus.settings import Settings
from mindcorpus.storage.space import clean, takes
from mindcorpus.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rich.console import RenderableType

_TAKES = {
    "current": "current builds",
    "kept": "kept builds",
    "parts": "parts of sources",
    "staging": "work in progress",
    "cache": "downloads",
}


def clean_up(*, dry_run: bool, data_dir: Path | None, as_json: bool) -> None:
    """Remove what can go, or name it, each with its bytes and why."""
    settings = Settings.load(data_dir=data_dir)
    store = Store.of(settings)
    removed = clean(store, dry_run=dry_run)
    now = takes(store, settings.cache_dir)
    if as_json:
        found = [
            {
                "path": each.path.relative_to(store.data_dir).as_posix(),
                "bytes": each.bytes,
                "why": each.why,
            }
            for each in removed
        ]
        print_json({"dry_run": dry_run, "removed": found, "takes": now})
        return
    terminal = Terminal()
    if removed:
        rows = [(each.path, decimal(each.bytes), each.why) for each in removed]
        terminal.show(table(("Path", "Size", "Because it is"), rows))
    total = decimal(sum(each.bytes for each in removed))
    done = "would be" if dry_run else "were"
    terminal.show(Text(f"\n{total} {done} removed.", "bold"), *takes_parts(now))


def takes_parts(found: Mapping[str, int]) -> list[RenderableType]:
    """Show what takes the space, and how much what yields may take."""
    rows = [(name, decimal(found[key])) for key, name in _TAKES.items() if found[key]]
    may = f"Kept builds and parts may take {decimal(found['allowed'])}, then the longest unused go."
    return [heading("On the disk"), table(("What", "Size"), rows), Text(may, "dim")]

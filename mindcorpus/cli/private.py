"""private: closes what is kept to others on this machine, or says what that would change."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from rich.text import Text

from mindcorpus.cli.tables import table
from mindcorpus.cli.terminal import Terminal, print_json
from mindcorpus.errors import storage_errors
from mindcorpus.privacy import Readers
from mindcorpus.settings import Settings
from mindcorpus.storage.exposure import to_close

if TYPE_CHECKING:
    from pathlib import Path


def close_to_others(*, dry_run: bool, data_dir: Path | None, as_json: bool) -> None:
    """Close the data folder and what is ours in it; links are not followed."""
    settings = Settings.load(data_dir=data_dir)
    changes = []
    with storage_errors(settings.data_dir):
        for path, readers in [*to_close(settings.data_dir, Readers.of(settings.group))]:
            before = path.lstat().st_mode
            changes.append(
                {
                    "path": os.fspath(path),
                    "mode": f"{stat.S_IMODE(before):04o}",
                    "becomes": f"{readers.mode(before):04o}",
                }
            )
            if not dry_run:
                readers.allow(path)
    if as_json:
        print_json(changes)
        return
    terminal = Terminal()
    if not changes:
        terminal.show(Text("Nobody else on this machine can read what is kept.", "bold green"))
        return
    terminal.show(table(("Path", "Mode", "Becomes"), [tuple(each.values()) for each in changes]))
    done = "would be" if dry_run else "were"
    terminal.show(Text(f"\n{len(changes):,} files and folders {done} closed to others.", "bold"))

"""status, stats and verify: they read, and change nothing of what is stored."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.text import Text

from mindcorpus.cli.clean import takes_parts
from mindcorpus.cli.render import status_parts
from mindcorpus.cli.tables import table
from mindcorpus.cli.terminal import Terminal, print_json
from mindcorpus.settings import Settings
from mindcorpus.storage.space import takes
from mindcorpus.storage.store import Store
from mindcorpus.verify import verify


def show_status(data_dir: Path | None, *, as_json: bool) -> None:
    """Show which artifacts exist, how large and how old they are."""
    settings = Settings.load(data_dir=data_dir)
    found = Store(settings.data_dir).status()
    if as_json:
        print_json(found)
        return
    taken = takes_parts(takes(Store.of(settings), settings.cache_dir))
    Terminal().show(*status_parts(found, options=data_dir_option(settings)), *taken)


def data_dir_option(settings: Settings) -> str:
    """Give the option that names the data folder, where it must be given."""
    default = Path(Settings.model_fields["data_dir"].default)
    if settings.data_dir == default:
        return ""
    return f" --data-dir {shlex.quote(str(settings.data_dir))}"


def show_statistics(
    data_dir: Path | None, html: Path | None, *, force: bool, as_json: bool
) -> None:
    """Show the corpus in numbers, or write them as charts."""
    from mindcorpus.cli.stats import show_corpus

    settings = Settings.load(data_dir=data_dir)
    manifest = Store(settings.data_dir).manifest("corpus")
    show_corpus(
        manifest["statistics"],
        manifest["sources"],
        manifest["warnings"],
        html,
        force=force,
        as_json=as_json,
    )


def verify_artifacts(data_dir: Path | None, *, as_json: bool) -> int:
    """Recompute what the manifests say, show what differs; give 1 if anything does."""
    settings = Settings.load(data_dir=data_dir)
    terminal = Terminal()
    with terminal.watch() as (report, cancel):
        problems = verify(settings.data_dir, report, cancel)
    if as_json:
        print_json(problems)
    elif problems:
        rows = [(entry["kind"], entry["path"], entry["problem"]) for entry in problems]
        terminal.show(table(("Artifact", "Path", "Problem"), rows))
    else:
        terminal.show(Text("Everything is as its manifest says.", "bold green"))
    return 1 if problems else 0

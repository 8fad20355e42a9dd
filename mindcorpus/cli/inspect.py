"""sources, status, stats and verify: they read, and change nothing of what is stored."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from mindcorpus.cli.clean import takes_parts
from mindcorpus.cli.render import status_parts
from mindcorpus.cli.stats import show_corpus
from mindcorpus.cli.tables import harmless, heading, table
from mindcorpus.cli.terminal import Terminal, print_json
from mindcorpus.settings import Settings
from mindcorpus.sources.added import read_added
from mindcorpus.sources.catalog import Source
from mindcorpus.storage.space import takes
from mindcorpus.storage.store import Store
from mindcorpus.verify import verify

if TYPE_CHECKING:
    from rich.console import RenderableType


def list_sources(catalogs: tuple[str, ...], data_dir: Path | None, *, as_json: bool) -> None:
    """List the catalogue's sources, their homes and licences, and those of the data folder."""
    added = read_added(Settings.load(data_dir=data_dir).data_dir)
    found = list(added.catalog(Path(file) for file in catalogs))
    for error in added.broken.values():
        Terminal().say(Text(f"warning: {harmless(str(error))}", "yellow"))
    if as_json:
        print_json([source.model_dump(mode="json") for source in found])
        return
    rows = [
        (source.name, source.type, _home(source), source.licence.id, source.licence.commercial)
        for source in found
    ]
    terminal = Terminal()
    terminal.show(table(("Source", "Type", "Home", "Licence", "Commercial"), rows))
    terminal.show(heading("What they are"), *(_described(source) for source in found))


def _home(source: Source) -> str:
    return source.repository or source.url or source.path or ""


def _described(source: Source) -> RenderableType:
    lines = [
        line for line in (source.title, source.licence.terms, source.note, source.absent) if line
    ]
    text = Text(f"\n{source.name}\n", "bold")
    return text.append("\n".join(lines), "not bold")


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

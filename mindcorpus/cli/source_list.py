"""sources: which there are, their homes and licences."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from mindcorpus.cli.tables import harmless, heading, table
from mindcorpus.cli.terminal import Terminal, print_json
from mindcorpus.settings import Settings
from mindcorpus.sources.added import read_added
from mindcorpus.sources.catalog import Source

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

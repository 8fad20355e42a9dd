"""The corpus in numbers: as JSON, as tables, or as one page of charts."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from mindcorpus.cli.render import statistics_parts
from mindcorpus.cli.tables import absent_sources, missing_sources, warnings_and_notes
from mindcorpus.cli.terminal import Terminal, print_json
from mindcorpus.errors import SettingsError, storage_errors
from mindcorpus.privacy import write
from mindcorpus.report.html import render_page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_TITLE = "The mindcorpus mental-health corpus"


def show_corpus(
    statistics: Mapping[str, Any],
    sources: Sequence[Mapping[str, Any]],
    warnings: Sequence[str],
    html: Path | None,
    *,
    force: bool,
    as_json: bool,
) -> None:
    """Show statistics, with what the manifest says of sources and warnings; `html`: write a page.

    Raises `ExistsError` for a page that may not be replaced, `SettingsError` and `StorageError`.
    """
    terminal = Terminal()
    if html is not None:
        if html.exists() and not force:
            terminal.confirm([f"{html} exists"])
        page = render_page(statistics, title=_TITLE, sources=sources, warnings=warnings)
        _replace(html, page)
        terminal.say(f"Wrote {html}.")
    if as_json:
        print_json(statistics)
    elif html is None:
        for part in (
            *statistics_parts(statistics, terminal.full),
            *warnings_and_notes(warnings),
            *missing_sources(statistics.get("missing", ())),
            *absent_sources(statistics.get("absent", ())),
        ):
            terminal.show(part)


def _replace(path: Path, text: str) -> None:
    """Write a file so that it is there whole, or not at all."""
    if not path.parent.is_dir():
        raise SettingsError("no such folder", file=str(path.parent), hint="Make it first.")
    with storage_errors(path.parent):
        new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            write(new, text.encode())
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)

"""build: what would be replaced is told and asked about once, for the corpus and its formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mindcorpus.building.build import build_some
from mindcorpus.cli.local_jobs import (
    chosen_sources,
    existing_told,
    merged_parts,
    outdated_there,
    prepared_parts,
)
from mindcorpus.cli.terminal import Terminal
from mindcorpus.formats.registry import names_of, with_formats
from mindcorpus.preparing.not_made import not_made
from mindcorpus.settings import Settings
from mindcorpus.storage.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from mindcorpus.job_requests import MergeRequest, PrepareRequest


def make_both(
    corpus: MergeRequest, formats: PrepareRequest, data_dir: Path | None, workers: int | None
) -> None:
    """Merge sources and prepare formats of them, and tell what became of every row."""
    settings = Settings.load(data_dir=data_dir, workers=workers)
    terminal = Terminal()
    what = chosen_sources(terminal, corpus, settings)
    store = Store(settings.data_dir)
    names = names_of(formats.format, formats.formats, store.exists, settings.formats)
    if not corpus.force and (
        there := [existing_told(store, kind) for kind in ("corpus", *names) if store.exists(kind)]
    ):
        terminal.confirm(there)
        corpus = corpus.model_copy(update={"force": True})
    terminal.say(
        f"Merging {what} and preparing {' and '.join(names)} in {settings.data_dir}.",
        "Ctrl-C stops it; what is there stays as it is until all that is new is complete.",
    )
    with terminal.watch() as (report, cancel):
        asked = with_formats(formats, tuple(names))
        result, broken = build_some(corpus, asked, settings, report, cancel)
    terminal.show(
        *merged_parts(result.corpus, outdated_there(settings), terminal.full),
        *prepared_parts(store, result.formats),
    )
    if broken:
        raise not_made(broken, result.formats)

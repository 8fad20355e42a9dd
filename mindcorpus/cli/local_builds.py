"""build: what would be replaced is told and asked about once, for the corpus and its formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mindcorpus.building.build import build
from mindcorpus.cli.local_jobs import (
    chosen_sources,
    existing_corpus,
    merged_parts,
    prepared_parts,
)
from mindcorpus.cli.render import existing
from mindcorpus.cli.terminal import Terminal
from mindcorpus.errors import CorruptArtifactError
from mindcorpus.formats.registry import names_of, with_formats
from mindcorpus.settings import Settings
from mindcorpus.storage.status import entry_of
from mindcorpus.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
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
    if not corpus.force and (there := list(_existing(store, names))):
        terminal.confirm(there)
        corpus = corpus.model_copy(update={"force": True})
    terminal.say(
        f"Merging {what} and preparing {' and '.join(names)} in {settings.data_dir}.",
        "Ctrl-C stops it; what is there stays as it is until all that is new is complete.",
    )
    with terminal.watch() as (report, cancel):
        result = build(corpus, with_formats(formats, tuple(names)), settings, report, cancel)
    following = "The formats that were made of it:"
    terminal.show(
        *merged_parts(result.corpus, following, terminal.full),
        *prepared_parts(store, result.formats),
    )


def _existing(store: Store, names: Sequence[str]) -> Iterator[str]:
    """Say what of a corpus and formats exists."""
    if store.exists("corpus"):
        yield existing_corpus(store)
    for name in names:
        if store.exists(name):
            try:
                yield existing(entry_of(store, name)[0])
            except CorruptArtifactError:
                yield f"{store.path(name)} exists, with a damaged manifest"

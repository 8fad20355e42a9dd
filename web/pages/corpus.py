"""The corpus as pages read it: records, index and searches, kept as long as it is the corpus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar, cast

from flask import Flask, current_app

from mindcorpus.errors import CorruptArtifactError, MindcorpusError
from mindcorpus.storage.manifest import read_manifest
from mindcorpus.storage.store import Store
from web.services import services

if TYPE_CHECKING:
    from mindcorpus.corpus.index import Filter
    from mindcorpus.corpus.reader import Records
    from mindcorpus.corpus.search import Search

_SEARCHES = 32  # that are remembered, the last used; the largest costs 16 bytes a record
_EXTENSION = "mindcorpus-corpus"
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Corpus:
    """One published corpus, which never changes; kept, it costs some 20 bytes a record."""

    folder: Path
    manifest: dict[str, Any]
    records: Records
    search: Callable[[Filter, tuple[str, ...]], Search]
    """Gives a search, begun now or as far as it came before."""

    @property
    def statistics(self) -> dict[str, Any]:
        """The statistics of its manifest."""
        return cast("dict[str, Any]", self.manifest["statistics"])


def read_corpus(read: Callable[[Corpus], _Value]) -> _Value:
    """Read from the corpus there is now; raises `NoCorpusError` and `CorruptArtifactError`."""
    with reading_corpus() as corpus:
        return read(corpus)


@contextmanager
def reading_corpus() -> Iterator[Corpus]:
    """Give the corpus there is now; it stays until the context ends, whoever replaces it.

    Raises `NoCorpusError` and `CorruptArtifactError`.
    """
    with Store(services().settings.data_dir).reading("corpus") as folder:
        yield _open(folder)


def whole_manifest(folder: Path) -> dict[str, Any]:
    """Read an artifact's manifest; raises `CorruptArtifactError` also where pages miss a part."""
    manifest = read_manifest(folder)
    needed = {"kind", "rows", "sources", "outputs", "warnings", "settings", "tool"}
    needed |= {"statistics"} if folder.name.startswith("corpus") else {"corpus_sha256", "split"}
    if missing := sorted(needed - manifest.keys()):
        raise CorruptArtifactError(f"the manifest lacks {', '.join(missing)}")
    return manifest


def warm(app: Flask) -> None:
    """Load what reads records, and the index, in a thread of its own; not without a corpus."""
    Thread(target=_warm, args=(app,), name="warm", daemon=True).start()


def _warm(app: Flask) -> None:
    # What is wrong is told by the first page that wants to read.
    with app.app_context(), suppress(MindcorpusError, OSError):
        read_corpus(lambda corpus: corpus.records.one(0) if len(corpus.records.index) else None)


def _open(folder: Path) -> Corpus:
    kept = cast("Corpus | None", current_app.extensions.get(_EXTENSION))
    if kept is None or kept.folder != folder:
        kept = current_app.extensions[_EXTENSION] = _begin(folder)
    return kept


def _begin(folder: Path) -> Corpus:
    manifest = whole_manifest(folder)
    from mindcorpus.corpus.reader import Records  # late: they load pyarrow
    from mindcorpus.corpus.search import Search

    records = Records(folder)

    @lru_cache(maxsize=_SEARCHES)
    def search(wanted: Filter, words: tuple[str, ...]) -> Search:
        return Search(records, wanted, words)

    return Corpus(folder, manifest, records, search)

"""What a prepare decides before anything is planned: which formats, of which corpus and split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mindcorpus.corpus.row_facts import RowFacts
from mindcorpus.errors import ArtifactError, CorruptArtifactError, SettingsError, storage_errors
from mindcorpus.execution.context import JobContext
from mindcorpus.formats.registry import names_of
from mindcorpus.job_requests import DEFAULTED, SPLITTING, PrepareRequest
from mindcorpus.preparing.corpus_files import CorpusFiles
from mindcorpus.preparing.corpus_split import (
    CorpusSplit,
    KnownSplit,
    SplitSettings,
    decide,
    known_split,
)
from mindcorpus.preparing.deciding import choose, load_all, refuse_another_split
from mindcorpus.preparing.making import Making
from mindcorpus.preparing.planning import Plan, Wanted
from mindcorpus.preparing.standing import default_shares
from mindcorpus.settings import Settings
from mindcorpus.storage.kinds import CORPUS
from mindcorpus.storage.store import Store


@dataclass
class Begun:
    """What a prepare is going to make, of which corpus, by which split."""

    wanted: dict[str, Wanted]
    kept: dict[str, dict[str, Any]]
    """The manifests of formats that are up to date."""
    broken: dict[str, SettingsError]
    """Why others cannot be made."""
    source: CorpusFiles
    split: CorpusSplit
    known: KnownSplit
    rows: RowFacts
    build: str = ""
    """The name of the corpus' build."""
    size: int = 0
    """Bytes of its texts, or about as many."""

    def plan(self, making: Making, context: JobContext) -> Plan:
        """Plan the formats; what cannot be made of this corpus goes to `broken`."""
        return making.plan(self.source.parts(), self.source.unchangeable(), context, self.broken)


@contextmanager
def begun(
    request: PrepareRequest, settings: Settings, store: Store, context: JobContext
) -> Iterator[Begun | None]:
    """Decide what a prepare makes, and keep its corpus until the context ends; None: nothing.

    The request has no open fields. Nothing is left to do for a publisher that published all in an
    earlier try. Raises what `prepare` raises before it writes, and `ArtifactError` where the corpus
    is removed meanwhile.
    """
    plain = PrepareRequest().with_defaults(settings.model_dump(include=set(DEFAULTED)))
    names = names_of(request.format, request.formats)
    with storage_errors(settings.data_dir), store.reading("corpus") as corpus:
        missing = [name for name in names if store.published(name) is None]
        if not missing:
            yield None
            return
        classes, broken = load_all(missing)
        store.refuse_foreign("split")
        store.begin("split", *classes)
        with _unless_removed(corpus):
            source = CorpusFiles(corpus)
            known = known_split(store, source.sha256)
            asked = asked_split(request, settings, known.settings)
            split, rows = known.split, None
            if split is None or split.settings != asked:
                rows = source.read_rows(context.report)
                split = decide(rows, asked).of_corpus(source.sha256)
                if known.split is not None and split.id != known.split.id:
                    refuse_another_split(store, known.split, force=request.force)
            wanted, kept = choose(store, classes, request, plain, known.base)
            # Not sooner than needed: where nothing is to be made, nothing is read.
            rows = rows or source.read_rows(context.report)
            context.cancel.check()
            found = wanted, kept, broken, source, split, known, rows
            yield Begun(*found, corpus.name, _size_of(corpus))


def asked_split(
    request: PrepareRequest, settings: Settings, last: Mapping[str, Any] | None
) -> SplitSettings:
    """Give how a request splits; what it leaves open is as it was `last`, if it ever was."""
    asked = request.model_dump(include=set(SPLITTING))
    return SplitSettings.of(asked, {**default_shares(settings), **(last or {})})


def _size_of(corpus: Path) -> int:
    """Give the bytes of all texts of a corpus, or about as many; 0 for one that is not whole."""
    csv = corpus / f"{CORPUS}.csv"
    return csv.stat().st_size if csv.is_file() else 0


@contextmanager
def _unless_removed(corpus: Path) -> Iterator[None]:
    """Tell a corpus that is gone, by a person's hand or an old mindcorpus', from a damaged one."""
    try:
        yield
    except (FileNotFoundError, CorruptArtifactError) as error:
        if corpus.exists() and not isinstance(error, FileNotFoundError):
            raise
        raise ArtifactError(
            "the corpus was removed while formats were made of it", hint="Prepare them again."
        ) from error

"""What is known of the sources' files before any is read: their checksums, cuts and parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mindcorpus.errors import MindcorpusError
from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import Task
from mindcorpus.merging.cuts import Cut, Cuts
from mindcorpus.merging.part_cache import name_of, part_key
from mindcorpus.progress import Tick
from mindcorpus.sources.catalog import Catalog, Source
from mindcorpus.sources.checksums import Checksums, Seen
from mindcorpus.sources.files import Fetched, FetchedFile, verify
from mindcorpus.stages.base import RecordStage


@dataclass(frozen=True)
class KnownFile:
    """A file of a source, and what is known of it."""

    source: Source
    file: FetchedFile
    """With its checksum, where that is known without reading it, or was worth reading it."""
    seen: Seen | None
    """How it was found before anything of it was read; None if it was not."""
    cut: Cut | None = None
    """How it was cut before; None if that is not known."""
    parts: tuple[str, ...] = ()
    """The names of its parts, where the cut is known."""


Known = dict[str, list[KnownFile]]
"""By the names of sources, their files in order."""


def know_files(
    catalog: Catalog,
    fetched: Sequence[Fetched],
    stages: Sequence[RecordStage],
    checksums: Checksums,
    cuts: Cuts,
    context: JobContext,
    *,
    rehash: bool,
) -> Known:
    """Find out what is known of files.

    Those are hashed that were read before and seem to be another state now: they may have the same
    bytes. With `rehash` all are that were read before.
    """
    found: Known = {}
    waiting: list[tuple[str, int]] = []
    for each in fetched:
        files = [_seen(catalog[each.source], file) for file in each.files]
        found[each.source] = files
        for at, known in enumerate(files):
            file, seen = known.file, known.seen
            if file.sha256 or seen is None:
                continue
            if not rehash:
                file = checksums.fill_in(file, seen.stamp)
                files[at] = replace(known, file=file)
            if not file.sha256 and checksums.may_know(file):
                waiting.append((each.source, at))
    tasks = [Task(hash_file, found[name][at].file) for name, at in waiting]
    items = [name for name, _ in waiting]
    size = sum(found[name][at].file.size for name, at in waiting)
    results = context.for_bytes(size).try_all("read", tasks, items, size)
    for (name, at), result in zip(waiting, results, strict=True):
        # Whatever is wrong with it, whoever reads it meets it, and tells it.
        if not isinstance(result, MindcorpusError):
            found[name][at] = replace(found[name][at], file=result)
    return {
        name: [_with_cut(known, stages, cuts) for known in files] for name, files in found.items()
    }


def hash_file(file: FetchedFile, tick: Tick) -> FetchedFile:
    """Read a file and give it with its checksum; raises as `verify` does."""
    return verify(file, "", lambda size: tick(0, size))


def names_of_parts(
    source: Source, file: FetchedFile, cut: Cut, stages: Sequence[RecordStage]
) -> tuple[str, ...]:
    """Name the parts of a file whose checksum is known."""
    return tuple(
        name_of(part_key(source, file, shard, stages, cut.prepared.encoding), source, stages)
        for shard in cut.shards
    )


def _seen(source: Source, file: FetchedFile) -> KnownFile:
    try:
        return KnownFile(source, file, Seen.of(file.local))
    except OSError:
        return KnownFile(source, file, None)


def _with_cut(known: KnownFile, stages: Sequence[RecordStage], cuts: Cuts) -> KnownFile:
    cut = cuts.find(known.source, known.file) if known.file.sha256 else None
    if cut is None:
        return known
    guessed = cut.prepared.encoding if cut.prepared.guessed else ""
    file = replace(known.file, guessed=guessed)
    parts = names_of_parts(known.source, file, cut, stages)
    return replace(known, file=file, cut=cut, parts=parts)

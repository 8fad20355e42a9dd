"""Parts that outlive a merge: each in a folder named by what it was made of.

A merge that is tried again, or repeated, finds what it needs and makes only what changed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import astuple, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from mindcorpus._version import __version__
from mindcorpus.errors import storage_errors
from mindcorpus.merging.code_digest import code_digest
from mindcorpus.merging.kept_facts import named
from mindcorpus.merging.parts import Dropped, Part, PartJob, build_part
from mindcorpus.privacy import write
from mindcorpus.progress import Tick
from mindcorpus.sources.catalog import ADAPTERS, Source
from mindcorpus.sources.files import FetchedFile
from mindcorpus.sources.readers import Drop, Shard, read_rows
from mindcorpus.sources.readers.prepare import prepare
from mindcorpus.stages.base import RecordStage
from mindcorpus.storage.disk import sync
from mindcorpus.storage.sealed import quick_sum, seal, unseal
from mindcorpus.storage.space import remove, unused_parts
from mindcorpus.storage.store import Store

_FACTS = "part.json"
TARGET = "part"
"""What the files of a part are called, but for their endings."""


def part_key(
    source: Source,
    file: FetchedFile,
    shard: Shard,
    stages: Sequence[RecordStage],
    encoding: str = "utf-8",
) -> str:
    """Name a part by all that shapes it: the file's bytes, the shard, mapping, stages, code.

    `encoding` is what the file's text was in, which may have been guessed.
    """
    assert file.sha256, "a part is named after bytes that were read"
    made_of = {
        "code": made_by(source, stages),
        "version": __version__,
        "stages": [[module_of(stage), repr(stage), data_of(stage)] for stage in stages],
        "source": source.name,
        "mapping": source.mapping,
        "file": file.path,
        "sha256": file.sha256,
        "shard": [shard.format, shard.start, shard.stop],
        "read_as": [astuple(shard.dialect), shard.key, shard.said, shard.has_marks, encoding],
    }
    return named(made_of)


def made_by(source: Source, stages: Sequence[RecordStage]) -> str:
    """Digest the code that makes parts of a source in this process."""
    adapters = [ADAPTERS[source.adapter], source.build_adapter()]
    # What keeps them counts as well: of another release, it may keep them in another way.
    makers = (build_part, seal, read_rows, prepare, *adapters, *stages)
    return code_digest(tuple(sorted({module_of(each) for each in makers})))


def name_of(key: str, source: Source, stages: Sequence[RecordStage]) -> str:
    """Name what this process makes of a part's key, which is whose it is that found the files.

    While workers of two releases run, those are not always the same: each finds what its own code
    made, and no other.
    """
    return f"{key}-{made_by(source, stages)[:8]}"


def module_of(maker: object) -> str:
    """Name the module that a function is of, or the class of a thing."""
    return str(getattr(maker, "__module__", type(maker).__module__))


def data_of(stage: object) -> list[str]:
    """Digest the data files that a stage works with."""
    # A stage need not derive from the protocol, which has the default.
    files: tuple[Path, ...] = getattr(stage, "files", ())
    return [_digest(path, (found := path.stat()).st_mtime_ns, found.st_size) for path in files]


@lru_cache
def _digest(path: Path, _changed: int, _size: int) -> str:
    """Digest a file once as long as it seems the same: every shard asks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class BuiltPart(NamedTuple):
    """A part, and the checksums of its files as they were written."""

    part: Part
    sums: tuple[str, str]
    """Of its index and its records."""


def build_kept(job: PartJob, tick: Tick) -> BuiltPart:
    """Read a shard into a part that may be kept, in a folder of its own; raises as `build_part`."""
    job.target.parent.mkdir(mode=0o700, exist_ok=True)
    return _summed(build_part(job, tick))


def _summed(part: Part) -> BuiltPart:
    # Read back at once, from the page cache, it costs next to nothing.
    return BuiltPart(part, (quick_sum(part.index), quick_sum(part.records)))


Absence = Literal["none", "damaged"]


def look_up(folder: Path, _tick: Tick) -> Part | Absence:
    """Give the part of a folder if it is there and all its bytes are what they were.

    Reads all of it, which brings what is read next into memory.
    """
    target = folder / TARGET
    index, records = target.with_suffix(".index.parquet"), target.with_suffix(".arrow")
    if not folder.is_dir():
        return "none"
    try:
        facts = unseal((folder / _FACTS).read_bytes())
        if facts["sums"] != [quick_sum(index), quick_sum(records)]:
            return "damaged"
    except (OSError, ValueError):
        return "damaged" if folder.is_dir() else "none"  # removed just now
    with suppress(OSError):
        os.utime(folder)
    return Part(
        rows=facts["rows"],
        rows_read=facts["rows_read"],
        kept=facts["kept"],
        conversations=facts["conversations"],
        pairs=facts["pairs"],
        index=index,
        records=records,
        dropped=tuple(Dropped(Drop(*first), rows) for first, rows in facts["dropped"]),
        spent=facts["spent"],
        layout=facts["layout"],
    )


class PartCache:
    """The parts of one data folder, in `parts/`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._home = store.parts
        self.damaged: set[str] = set()
        """The names of those that were found damaged."""

    def folder(self, name: str) -> Path:
        """Give where a part of this name is, or would be."""
        return self._home / name

    def names_of(self, names: Iterable[str]) -> list[str]:
        """Give those names of which there is a part, whole or not."""
        return [name for name in dict.fromkeys(names) if self.folder(name).is_dir()]

    def find(self, name: str) -> Part | None:
        """Give a part if it is there whole, and note that it was used."""
        found = look_up(self.folder(name), lambda _rows, _size: None)
        if found == "damaged":
            self.damaged.add(name)
        return found if isinstance(found, Part) else None

    def make(self, name: str, build: Callable[[Path], Part]) -> Part:
        """Build a part with `build(target)` and keep it; one that is there whole already stays."""
        with self._store.stage("part") as staging, storage_errors(self._store.data_dir):
            built = _summed(build(staging.output / TARGET))
            return self.keep(name, built, synced=True)

    def keep(self, name: str, built: BuiltPart, *, synced: bool = False) -> Part:
        """Move a part that was built in a folder of its own to its place; give it as it is there.

        One that is not `synced` may be damaged where the power fails, which is found when it is
        used. Raises `OSError` and `StorageError`.
        """
        part = built.part
        folder = part.records.parent
        facts = {
            "rows": part.rows,
            "rows_read": part.rows_read,
            "kept": part.kept,
            "conversations": part.conversations,
            "pairs": part.pairs,
            "dropped": part.dropped,
            "spent": part.spent,
            "layout": part.layout,
            "sums": built.sums,
        }
        write(folder / _FACTS, seal(facts))
        self._store.close(folder)
        if synced:
            for path in (*folder.iterdir(), folder):
                sync(path)
        self._store.make_folder(self._home)
        self._move(folder, self.folder(name))
        if synced:
            sync(self._home)
        home = self.folder(name)
        return replace(part, index=home / part.index.name, records=home / part.records.name)

    def _move(self, folder: Path, home: Path) -> None:
        try:
            folder.rename(home)
        except OSError:
            if not home.exists():
                raise
            with self._store.locked():
                # Somebody was faster; or a network file system answers a second time.
                if isinstance(look_up(home, lambda _rows, _size: None), Part):
                    return
                home.rename(folder.with_name(f"{folder.name}.damaged"))
                folder.rename(home)

    def forget_unused(self, days: float) -> int:
        """Remove parts that were not used for some days; give how many."""
        return remove(self._store, lambda: unused_parts(self._store, days))

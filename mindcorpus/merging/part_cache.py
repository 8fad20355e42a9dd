"""Parts that outlive a merge: each in a folder named by what it was made of.

A merge that is tried again, or repeated, finds what it needs and makes only what changed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import astuple
from functools import lru_cache
from pathlib import Path

from mindcorpus._version import __version__
from mindcorpus.errors import storage_errors
from mindcorpus.merging.code_digest import code_digest
from mindcorpus.merging.parts import Dropped, Part, build_part
from mindcorpus.sources.catalog import ADAPTERS, Source
from mindcorpus.sources.files import FetchedFile
from mindcorpus.sources.readers import Drop, Shard, read_rows
from mindcorpus.sources.readers.prepare import prepare
from mindcorpus.stages.base import RecordStage
from mindcorpus.storage.disk import sync
from mindcorpus.storage.space import remove, unused_parts
from mindcorpus.storage.store import Store

_FACTS = "part.json"
_TARGET = "part"


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
        "stages": [[_module_of(stage), repr(stage), _data_of(stage)] for stage in stages],
        "source": source.name,
        "mapping": source.mapping,
        "file": file.path,
        "sha256": file.sha256,
        "shard": [shard.format, shard.start, shard.stop],
        "read_as": [astuple(shard.dialect), shard.key, shard.said, shard.has_marks, encoding],
    }
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:32]


def made_by(source: Source, stages: Sequence[RecordStage]) -> str:
    """Digest the code that makes parts of a source in this process."""
    adapters = [ADAPTERS[source.adapter], source.build_adapter()]
    makers = (build_part, read_rows, prepare, *adapters, *stages)
    return code_digest(tuple(sorted({_module_of(each) for each in makers})))


def name_of(key: str, source: Source, stages: Sequence[RecordStage]) -> str:
    """Name what this process makes of a part's key, which is whose it is that found the files.

    While workers of two releases run, those are not always the same: each finds what its own code
    made, and no other.
    """
    return f"{key}-{made_by(source, stages)[:8]}"


def _module_of(maker: object) -> str:
    return str(getattr(maker, "__module__", type(maker).__module__))


def _data_of(stage: RecordStage) -> list[str]:
    # A stage need not derive from the protocol, which has the default.
    files: tuple[Path, ...] = getattr(stage, "files", ())
    return [_digest(path, (found := path.stat()).st_mtime_ns, found.st_size) for path in files]


@lru_cache
def _digest(path: Path, _changed: int, _size: int) -> str:
    """Digest a file once as long as it seems the same: every shard asks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class PartCache:
    """The parts of one data folder, in `parts/`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._home = store.parts

    def find(self, key: str) -> Part | None:
        """Give a part if it is there, and note that it was used."""
        folder = self._home / key
        try:
            facts = json.loads((folder / _FACTS).read_bytes())
            os.utime(folder)
        except FileNotFoundError:
            return None
        target = folder / _TARGET
        return Part(
            rows=facts["rows"],
            rows_read=facts["rows_read"],
            kept=facts["kept"],
            conversations=facts["conversations"],
            pairs=facts["pairs"],
            index=target.with_suffix(".index.parquet"),
            records=target.with_suffix(".arrow"),
            dropped=tuple(Dropped(Drop(*first), rows) for first, rows in facts["dropped"]),
            spent=facts["spent"],
            layout=facts["layout"],
        )

    def make(self, key: str, build: Callable[[Path], Part]) -> Part:
        """Build a part with `build(target)` and keep it; one that is there already stays."""
        with self._store.stage("part") as staging, storage_errors(self._store.data_dir):
            part = build(staging.output / _TARGET)
            facts = {
                "rows": part.rows,
                "rows_read": part.rows_read,
                "kept": part.kept,
                "conversations": part.conversations,
                "pairs": part.pairs,
                "dropped": part.dropped,
                "spent": part.spent,
                "layout": part.layout,
            }
            (staging.output / _FACTS).write_text(json.dumps(facts))
            self._store.close(staging.output)
            for path in (*staging.output.iterdir(), staging.output):
                sync(path)
            self._store.make_folder(self._home)
            try:
                staging.output.rename(self._home / key)
            except OSError:
                # Somebody was faster; or a network file system answers a second time.
                if not (self._home / key / _FACTS).is_file():
                    raise
            sync(self._home)
        found = self.find(key)
        assert found is not None, "a part is not removed within days of its use"
        return found

    def forget_unused(self, days: float) -> int:
        """Remove parts that were not used for some days; give how many."""
        return remove(self._store, lambda: unused_parts(self._store, days))

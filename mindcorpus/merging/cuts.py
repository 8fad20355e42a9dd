"""How files were cut into shards, kept: the next merge knows their parts without opening them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mindcorpus._version import __version__
from mindcorpus.merging.code_digest import code_digest
from mindcorpus.merging.kept_facts import find_facts, keep_facts, named
from mindcorpus.sources.catalog import Source
from mindcorpus.sources.files import FetchedFile
from mindcorpus.sources.readers import Shard, plan_shards
from mindcorpus.sources.readers.dialect import Dialect
from mindcorpus.sources.readers.prepare import Prepared, prepare
from mindcorpus.storage.store import Store

_NOWHERE = Path()


@dataclass(frozen=True)
class Cut:
    """What a file is read as, and its shards; of these it is not said where they lie."""

    prepared: Prepared
    shards: tuple[Shard, ...]

    @classmethod
    def of(cls, prepared: Prepared, shards: Sequence[Shard]) -> Cut:
        """Give how a file was cut that was made ready so."""
        return cls(prepared, tuple(replace(shard, path=_NOWHERE) for shard in shards))

    def at(self, path: Path) -> list[Shard]:
        """Give the shards of what lies at a path: the file, or its copy."""
        return [replace(shard, path=path) for shard in self.shards]


class Cuts:
    """How files were cut, in a data folder; `encodings` are those that were guessed before."""

    def __init__(self, store: Store, encodings: Mapping[str, str]) -> None:
        self._store = store
        self.encodings = encodings

    def find(self, source: Source, file: FetchedFile) -> Cut | None:
        """Give how a file was cut whose checksum is known; None if it never was."""
        facts = find_facts(self._store, self._name(source, file))
        if facts is None:
            return None
        shards = (_shard_of(values) for values in facts["shards"])
        return Cut(Prepared(**facts["prepared"]), tuple(shards))

    def keep(self, source: Source, file: FetchedFile, cut: Cut, scratch: Path) -> None:
        """Keep how a file was cut; raises `OSError`."""
        shards = [{**asdict(shard), "path": ""} for shard in cut.shards]
        facts = {"prepared": asdict(cut.prepared), "shards": shards}
        keep_facts(self._store, self._name(source, file), facts, scratch)

    def _name(self, source: Source, file: FetchedFile) -> str:
        """Name a cut by all that shapes it: bytes, what is said of them or was guessed, code."""
        reading = asdict(source.reading(file.path))
        reading["columns"] = sorted(reading["columns"])
        guess = file.guessed or self.encodings.get(file.sha256, "")
        code = code_digest(tuple(sorted({prepare.__module__, plan_shards.__module__})))
        return named("cut", __version__, code, file.path, file.sha256, reading, guess)


def _shard_of(values: Mapping[str, Any]) -> Shard:
    return Shard(**{**values, "path": _NOWHERE, "dialect": Dialect(**values["dialect"])})

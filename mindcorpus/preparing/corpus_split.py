"""The split of a corpus: decided once, kept beside it, and obeyed by every format.

It is an artifact of its own: a table with the part (and fold) of each corpus row, and a manifest
that says how it was decided, of which corpus, and proves that nothing leaks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mindcorpus._version import __version__
from mindcorpus.arrow import as_flags, as_numbers, coded, numbers
from mindcorpus.corpus.row_facts import Numbers, RowFacts, none_of
from mindcorpus.errors import CorruptArtifactError, SettingsError
from mindcorpus.formats.base import PARTS, Parts
from mindcorpus.job_requests import SPLITTING
from mindcorpus.preparing.split import assign, prove
from mindcorpus.preparing.ties import Ties
from mindcorpus.remedies import Remake
from mindcorpus.storage.files import HashedFile
from mindcorpus.storage.manifest import SCHEMA_VERSION, describe, read_manifest, write_manifest
from mindcorpus.storage.status import Base, common_split
from mindcorpus.storage.store import Store

FILE = "split.parquet"
#: What ties records together; a later release may know more, and then splits anew.
GROUP_KEYS = ("input", "opening", "group")
_SCHEMA = pa.schema(
    [
        ("part", pa.dictionary(pa.int32(), pa.string())),
        ("fold", pa.int32()),
    ]
)
_GROUP_ROWS = 100_000


@dataclass(frozen=True)
class SplitSettings:
    """How a corpus is split."""

    seed: int
    validation_share: float
    test_share: float = 0.0
    folds: int = 0
    """0: none."""

    def __post_init__(self) -> None:
        if self.validation_share + self.test_share >= 1:
            raise SettingsError(
                f"validation ({self.validation_share:g}) and test ({self.test_share:g}) "
                "together leave nothing to train on",
                field="test_share",
                hint="Their shares must add up to less than 1.",
            )

    @classmethod
    def of(cls, asked: Mapping[str, Any], known: Mapping[str, Any]) -> Self:
        """Give what is asked for; what is None there is as `known` has it."""
        said = {name: value for name, value in asked.items() if value is not None}
        values: dict[str, Any] = {name: said.get(name, known[name]) for name in SPLITTING}
        return cls(**values)


@dataclass(frozen=True)
class CorpusSplit:
    """The part of each row of a corpus, and which split that is."""

    settings: SplitSettings
    parts: Parts
    """Shape (rows,): index into `PARTS`, -1 for a record without a response."""
    folds: Numbers
    """Shape (rows,): the fold of each row from 0; -1 for none."""
    id: str = ""
    """The same for the same parts and folds of the same corpus, and for no others.

    "" while it is not known of which corpus it is.
    """
    _proofs: dict[bytes, dict[str, Any]] = field(default_factory=dict, compare=False, repr=False)
    """What was proved of some rows, by the digest of how often each is taken."""

    @property
    def names(self) -> tuple[str, ...]:
        """The parts that there are."""
        return PARTS if self.settings.test_share else PARTS[:2]

    def of_corpus(self, sha256: str) -> CorpusSplit:
        """Give the same split, of the corpus whose manifest has this checksum."""
        return replace(self, id=_id(sha256, self.parts, self.folds))

    def named(self, proof: Mapping[str, Any]) -> dict[str, Any]:
        """Say in a proof which split it proves."""
        return {"id": self.id, **proof}

    def prove(self, rows: RowFacts, times: Any) -> dict[str, Any]:
        """Prove the split of some of the rows, counted from the rows themselves.

        `times` says how often each is taken; each counts so often.
        """
        key = hashlib.sha256(times.tobytes()).digest()
        if key not in self._proofs:
            self._proofs[key] = self._proven(rows, times)
        return self._proofs[key]

    def _proven(self, rows: RowFacts, times: Any) -> dict[str, Any]:
        count, taken = int(times.sum(dtype=np.int64)), int(np.count_nonzero(times))
        # No array of places where every row is there once.
        order = None if (times == 1).all() else np.repeat(np.arange(len(times)), times)
        mine = slice(None) if order is None else order
        return prove(
            Ties.of_rows(rows, order),
            rows.source[mine],
            rows.names,
            self.parts[mine],
            self.names,
            self.settings.validation_share,
            int((self.parts >= 0).sum()) - taken,
            count - taken,
        )


def decide(rows: RowFacts, settings: SplitSettings) -> CorpusSplit:
    """Split the records with a response, stratified by source and kind, by groups.

    Raises `SettingsError` where none is left to train on.
    """
    answered = rows.answered
    kind = np.where(rows.paired, np.int32(2), (rows.turns_json > 0).astype(np.int32))
    strata = (rows.source * 3 + kind)[answered]
    ties = Ties.of_rows(rows, None if answered.all() else answered)
    parts, folds = np.full(len(answered), -1, np.int8), none_of(len(answered))
    parts[answered], dealt = assign(ties, strata, settings)
    if settings.folds:
        folds = np.full(len(answered), -1, np.int32)
        folds[answered] = dealt
    if answered.any() and not (parts == 0).any():
        raise SettingsError(
            "the split leaves no record to train on",
            field="validation_share",
            hint="Give validation and test smaller shares. Records that belong together stay in "
            "one part.",
        )
    return CorpusSplit(settings, parts, folds)


def _id(corpus_sha256: str, parts: Parts, folds: Numbers) -> str:
    digest = hashlib.sha256(corpus_sha256.encode())
    digest.update(parts.tobytes())
    for at in range(0, len(folds), _GROUP_ROWS):
        digest.update(folds[at : at + _GROUP_ROWS].astype("<i8").tobytes())
    return digest.hexdigest()[:32]


def write_split(folder: Path, split: CorpusSplit, rows: RowFacts, corpus_sha256: str) -> None:
    """Write a split into a folder that is there and empty."""
    with (
        HashedFile(folder / FILE) as file,
        pq.ParquetWriter(file, _SCHEMA, compression="zstd") as writer,
    ):
        for at in range(0, max(1, len(split.parts)), _GROUP_ROWS):
            parts, folds = split.parts[at : at + _GROUP_ROWS], split.folds[at : at + _GROUP_ROWS]
            columns = [
                coded(np.maximum(parts, 0).astype(np.int32), PARTS, parts >= 0),
                numbers(np.maximum(folds, 0), pa.int32(), folds >= 0),
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=_SCHEMA))
        file.rows = len(split.parts)
    write_manifest(
        folder,
        {
            "schema_version": SCHEMA_VERSION,
            "kind": "split",
            "tool": {"name": "mindcorpus", "version": __version__},
            "settings": asdict(split.settings),
            "group_keys": list(GROUP_KEYS),
            "id": split.id,
            "corpus_sha256": corpus_sha256,
            "rows": len(split.parts),
            "split": split.named(split.prove(rows, rows.answered.astype(np.uint16))),
            "sources": [],
            "warnings": [],
            "outputs": describe([file.written], folder),
        },
    )


def read_split(folder: Path) -> CorpusSplit:
    """Read a split that was written; raises `CorruptArtifactError`."""
    manifest = read_manifest(folder)
    try:
        # Not `read_table`, which loads pandas.
        table = pq.ParquetFile(folder / FILE).read(use_threads=False)
        column = table.column("part").combine_chunks()
        parts = np.full(len(table), -1, np.int8)
        known = [PARTS.index(name) for name in column.dictionary.to_pylist()]
        codes = as_numbers(column.indices, np.int32)
        parts[as_flags(table.column("part"))] = np.array(known, np.int8)[codes]
        folds, fold = none_of(len(table)), table.column("fold")
        if fold.null_count < len(table):
            folds = np.full(len(table), -1, np.int32)
            folds[as_flags(fold)] = as_numbers(fold, np.int32)
        settings = SplitSettings(**manifest["settings"])
        return CorpusSplit(settings, parts, folds, manifest["id"])
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptArtifactError(
            f"the corpus' split cannot be read: {type(error).__name__}",
            file=str(folder / FILE),
            remedy=Remake(),
        ) from None


@dataclass(frozen=True)
class KnownSplit:
    """What a data folder knows of how its corpus is split."""

    base: Base
    split: CorpusSplit | None
    """None where this corpus was not split yet, or its split is damaged."""
    settings: dict[str, Any] | None
    """How it was split last, though it was another corpus then; None: never."""
    build: str = ""
    """The build that another split would replace."""


def known_split(store: Store, corpus_sha256: str) -> KnownSplit:
    """Find the split of a corpus; one that is damaged is decided anew, as its manifest says."""
    build, settings, split = "", None, None
    if store.exists("split"):
        build = store.folder("split").name
        try:
            folder, manifest = store.current("split")
            build = folder.name
            settings = dict(manifest["settings"])
            known = manifest["group_keys"] == list(GROUP_KEYS)
            if manifest["corpus_sha256"] == corpus_sha256 and known:
                split = read_split(folder)
        except (CorruptArtifactError, KeyError):
            pass
    # As of the corpus that is read, which may be another one by now.
    base = Base(corpus_sha256, split.id if split else common_split(store, corpus_sha256))
    return KnownSplit(base, split, settings, build)

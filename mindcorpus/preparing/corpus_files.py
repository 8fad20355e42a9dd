"""A published corpus as a prepare reads it: its manifest, its parts, its lineage."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mindcorpus.corpus.parquet import ParquetFile
from mindcorpus.corpus.row_facts import RowFacts, read_row_facts
from mindcorpus.progress import Progress, Reporter
from mindcorpus.storage.kinds import CORPUS, MANIFEST
from mindcorpus.storage.manifest import read_manifest, require_files


class CorpusFiles:
    """The files of one corpus."""

    def __init__(self, folder: Path) -> None:
        """Take the folder of a corpus; raises `CorruptArtifactError` for one that is not whole."""
        self.manifest = read_manifest(folder)
        require_files(folder, self.manifest)
        self.sha256 = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
        """Which corpus it is: the sha256 of its manifest."""
        names = (output["path"] for output in self.manifest["outputs"])
        self._parts = [folder / name for name in names if name.startswith(f"{CORPUS}.parquet/")]
        self._lineage = folder / f"{CORPUS}.lineage.parquet"

    def parts(self) -> list[tuple[Path, int]]:
        """Give the Parquet files, in order, each with its rows."""
        return [(path, sum(ParquetFile(path).rows)) for path in self._parts]

    def read_rows(self, report: Reporter) -> RowFacts:
        """Read what is known of the corpus' rows."""
        size = self._lineage.stat().st_size
        report(Progress("read", CORPUS, total=size))
        rows = read_row_facts(self._lineage)
        report(Progress("read", CORPUS, len(rows.source), size, size))
        return rows

    def unchangeable(self) -> list[str]:
        """Name the sources whose licence forbids to change a record."""
        sources = self.manifest["sources"]
        return [each["name"] for each in sources if is_unchangeable(each["licence"])]


def is_unchangeable(licence: Mapping[str, Any]) -> bool:
    """Tell whether a licence, as a manifest has it, forbids to change a record."""
    return licence.get("modification") == "forbidden"

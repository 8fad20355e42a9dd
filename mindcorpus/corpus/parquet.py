"""The corpus' own Parquet files, read back; what is damaged is told as such."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mindcorpus.errors import CorruptArtifactError
from mindcorpus.remedies import Remake


class ParquetFile:
    """An open Parquet file of the corpus."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._damage():
            self._file = pq.ParquetFile(path)
        metadata = self._file.metadata
        groups = range(metadata.num_row_groups)
        self.rows = [metadata.row_group(group).num_rows for group in groups]
        """How many rows each row group has."""
        self.text_bytes = sum(metadata.row_group(group).total_byte_size for group in groups)

    def read_group(self, number: int, columns: Sequence[str]) -> Any:
        """Read some columns of a row group as a table; raises `CorruptArtifactError`."""
        with self._damage():
            return self._file.read_row_group(number, columns=list(columns), use_threads=False)

    @contextmanager
    def _damage(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            raise CorruptArtifactError(
                f"cannot be read: {type(error).__name__}",
                file=self._path.name,
                remedy=Remake(),
            ) from None

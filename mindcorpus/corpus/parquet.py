"""The corpus' own Parquet files, read back; what is damaged is told as such."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mindcorpus.arrow import WORD
from mindcorpus.corpus import turns
from mindcorpus.errors import CorruptArtifactError
from mindcorpus.remedies import Remake

#: Columns that a corpus of an earlier release has not: they say nothing of any of its rows.
_LATER = {
    **{field.name: field.type for field in turns.FIELDS},
    "holds": WORD,
    "group_key": pa.binary(16),
    **dict.fromkeys(("same_answer", "same_opening"), pa.int64()),
    **dict.fromkeys(("turns_json", "system_json", "tools_json", "rejected_json"), pa.int32()),
}


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

    def read_group(self, number: int, columns: Sequence[str]) -> Any:
        """Read some columns of a row group as a table; raises `CorruptArtifactError`."""
        with self._damage():
            there = set(self._file.schema_arrow.names)
            table = self._file.read_row_group(number, columns=list(columns), use_threads=False)
            for name in columns:
                if name not in there and name in _LATER:
                    table = table.append_column(name, pa.nulls(table.num_rows, _LATER[name]))
            return table

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

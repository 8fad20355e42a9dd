"""The records of a part: gathered, and written in batches of about a megabyte of text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from mindcorpus.arrow import texts
from mindcorpus.conversations import Conversation
from mindcorpus.corpus.joined_texts import Counts
from mindcorpus.corpus.turns import FIELDS, arrays_beside
from mindcorpus.limits import BATCH_BYTES
from mindcorpus.merging.row_lines import Line
from mindcorpus.sources.budgets import Meter

#: The kept rows, as they wait for the plan: Arrow, quick to read again, and lightly compressed, as
#: memory for fresh file pages costs more than LZ4 does.
RECORDS = pa.schema(
    [
        ("input", pa.string()),
        ("response", pa.string()),
        ("rejected_response", pa.string()),
        ("tags", pa.string()),
        *FIELDS,
    ]
)
COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
_BATCH_ROWS = 50_000


class RecordsWriter:
    """Records on their way to disk. Where a batch ends depends on the records alone."""

    def __init__(self, stream: Any, meter: Meter) -> None:
        self._stream = stream
        self._meter = meter
        self._batches: list[Any] = []
        self._texts: list[tuple[bytes, bytes, bytes, bytes]] = []
        self._beside: list[tuple[Conversation | None, str]] = []
        self._rows = self._bytes = 0

    def add(self, line: Line) -> None:
        """Take one record."""
        self._texts.append(line.texts)
        self._beside.append(line.beside)
        self._rows += 1
        self._bytes += line.size
        self._flush_if_full()

    def add_all(self, records: Any, sizes: Counts) -> None:
        """Take the records of a record batch, of so many bytes each."""
        self._settle()
        at = 0
        while at < len(sizes):
            # The first with which the batch is full is the last that it takes.
            ends = np.cumsum(sizes[at : at + _BATCH_ROWS - self._rows])
            count = min(int(np.searchsorted(ends, BATCH_BYTES - self._bytes)) + 1, len(ends))
            self._batches.append(records.slice(at, count))
            self._rows += count
            self._bytes += int(ends[count - 1])
            at += count
            self._flush_if_full()

    def _flush_if_full(self) -> None:
        if self._bytes >= BATCH_BYTES or self._rows >= _BATCH_ROWS:
            self.flush()

    def _settle(self) -> None:
        """Make a record batch of the records that came one by one."""
        if self._texts:
            columns = [texts(column) for column in zip(*self._texts, strict=True)]
            columns += arrays_beside(self._beside)
            self._batches.append(pa.RecordBatch.from_arrays(columns, schema=RECORDS))
            self._texts.clear()
            self._beside.clear()

    def flush(self) -> None:
        """Write what is gathered."""
        self._settle()
        if self._batches:
            self._meter.given(self._bytes)
            one, *more = self._batches
            self._stream.write_batch(pa.concat_batches(self._batches) if more else one)
            self._batches.clear()
            self._rows = self._bytes = 0

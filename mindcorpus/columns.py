"""Arrow columns of fixed width as numpy arrays, straight from their buffers.

pyarrow's own way (`to_numpy`, `pq.read_table`) goes through modules that take longer to load than
the numbers to read.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def as_numbers(column: Any, kind: type[np.generic]) -> npt.NDArray[Any]:
    """Give a column's values that are not null as numbers of a kind.

    Values wider than the kind give several numbers each: 16 bytes are two uint64.
    """
    width = column.type.bit_width // (8 * np.dtype(kind).itemsize)
    chunks = column.chunks if hasattr(column, "chunks") else [column]
    pieces = [
        np.frombuffer(values.buffers()[1], kind)[width * values.offset :][: width * len(values)]
        for chunk in chunks
        if len(values := chunk.drop_null() if chunk.null_count else chunk)
    ]
    return np.concatenate(pieces) if pieces else np.empty(0, kind)

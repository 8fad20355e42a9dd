"""The index of a part: a line for each row that was read, and the columns that hold them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mindcorpus.arrow import keys, numbers, texts
from mindcorpus.stages.base import RecordStage

#: The index: one line for each row read (for threads: each comment), in order. A line with a
#: reason was dropped; all others have keys, of which `records.Measured` tells. `…_json` and `…_csv`
#: are the bytes a text takes in JSON and CSV, `json_bytes` and `csv_bytes` those of the whole
#: record in the merged files; `rejected_json` is 0 where a rejected response says nothing, or
#: what the response says. Of a conversation `turns_json` are the bytes of its turns up to the
#: last answer, as messages, `system_json` those of the turns among these that instruct, with a
#: comma each, and `tools_json` those of its tools.
INDEX = pa.schema(
    [
        ("row", pa.int64()),
        ("item", pa.int32()),
        ("reason", pa.string()),
        ("evidence", pa.string()),
        ("changed", pa.string()),
        ("key", pa.binary(16)),
        ("input_key", pa.binary(16)),
        ("answer_key", pa.binary(16)),
        ("opening_key", pa.binary(16)),
        ("group_key", pa.binary(16)),
        ("holds", pa.string()),
        ("turns_json", pa.int32()),
        ("system_json", pa.int32()),
        ("tools_json", pa.int32()),
        ("input_chars", pa.int32()),
        ("response_chars", pa.int32()),
        ("input_words", pa.int32()),
        ("response_words", pa.int32()),
        ("input_json", pa.int32()),
        ("response_json", pa.int32()),
        ("rejected_json", pa.int32()),
        ("input_csv", pa.int32()),
        ("response_csv", pa.int32()),
        ("json_bytes", pa.int64()),
        ("csv_bytes", pa.int64()),
        ("tags", pa.string()),
    ]
)


def index_schema(stages: Sequence[RecordStage]) -> Any:
    """Give the columns of an index: ours, then those that stages add."""
    return pa.schema([*INDEX, *(column for stage in stages for column in stage.facts())])


def open_index(path: Path, schema: Any) -> Any:
    """Open an index for writing."""
    # Of keys and numbers no dictionary would be worth its memory.
    coded = [field.name for field in schema if field.type == pa.string()]
    return pq.ParquetWriter(
        path, schema, compression="snappy", use_dictionary=coded, write_statistics=False
    )


def lines_table(lines: Sequence[tuple[Any, ...]], schema: Any) -> Any:
    """Make a table of lines, each with a value a column."""
    columns = zip(*lines, strict=True)
    arrays = [_array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(column: Sequence[Any], type_: Any) -> Any:
    if type_ == pa.string():
        return texts([value if value is None else value.encode() for value in column])
    if type_ == pa.binary(16):
        return keys(column)
    if pa.types.is_integer(type_) or pa.types.is_floating(type_):
        valid = np.array([value is not None for value in column], bool)
        return numbers([value or 0 for value in column], type_, valid)
    # Only a stage's facts come here, and pay for what it loads.
    return pa.array(column, type_)

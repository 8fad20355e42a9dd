"""The Hugging Face folder: train and validation in Arrow, as `datasets.load_from_disk` reads them.

The Arrow files are written directly, in the layout of `DatasetDict.save_to_disk` (which would
copy everything twice); the library itself writes the description, and the tests load the result.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from mindcorpus.encoding import CSV_END, csv_cell, csv_cell_size
from mindcorpus.hashing import HashedFile, Written
from mindcorpus.manifests import write_text
from mindcorpus.preparing.selection import Numbers, Rows

SCHEMA = pa.schema(
    [
        ("instruction", pa.string()),
        ("input", pa.string()),
        ("output", pa.string()),
        ("source", pa.string()),
        ("tags", pa.list_(pa.string())),
    ]
)
SPLITS = ("train", "validation")
CSV_HEADER = ",".join(SCHEMA.names).encode() + CSV_END


class CsvRows:
    """Encodes records as rows of dataset.csv, and knows their sizes beforehand."""

    def __init__(self, instruction: str) -> None:
        self._instruction = csv_cell(instruction.encode())
        self._ends: dict[tuple[str, tuple[str, ...]], bytes] = {}

    def sizes(self, rows: Rows) -> Numbers:
        """Give the bytes of each corpus row's CSV row: shape (rows,)."""
        source = np.array([csv_cell_size(name.encode()) for name in rows.names])
        tags = np.array([csv_cell_size(tags.encode()) for tags in rows.tag_sets])
        frame = len(self._instruction) + len(SCHEMA) - 1 + len(CSV_END)
        sizes: Numbers = (
            rows.input_csv + rows.response_csv + source[rows.source] + tags[rows.tags] + frame
        )
        return sizes

    def lines(self, table: Any) -> Any:
        """Encode the rows of a table with the columns `input`, `response`, `source` and `tags`."""
        texts = (table.column(name).cast(pa.binary()).to_pylist() for name in ("input", "response"))
        names = (table.column(name).to_pylist() for name in ("source", "tags"))
        for input_, response, source, tags in zip(*texts, *names, strict=True):
            key = source, tuple(tags)
            if key not in self._ends:
                cells = csv_cell(source.encode()), csv_cell(orjson.dumps(tags))
                self._ends[key] = b",".join(cells) + CSV_END
            yield b",".join(
                (self._instruction, csv_cell(input_), csv_cell(response), self._ends[key])
            )


class ArrowFile:
    """One Arrow file of a split, in the making."""

    def __init__(self, file: HashedFile, instruction: str) -> None:
        self._file = file
        self._instruction = pa.scalar(instruction)
        self._stream = pa.ipc.new_stream(file, SCHEMA)

    def write(self, table: Any) -> None:
        """Append the rows of a table with the columns of the corpus."""
        columns = (table.column(name) for name in ("input", "response", "source"))
        tags = table.column("tags").cast(SCHEMA.field("tags").type)
        rows = pa.Table.from_arrays(
            [pa.repeat(self._instruction, table.num_rows), *columns, tags], schema=SCHEMA
        )
        if table.num_rows:
            self._stream.write_table(rows.combine_chunks(), max_chunksize=1000)
        self._file.rows += table.num_rows

    def close(self) -> None:
        """Write the end of the stream."""
        self._stream.close()


def arrow_name(shard: int, shards: int) -> str:
    """Give the name under which `datasets` looks for a shard."""
    return f"data-{shard:05d}-of-{shards:05d}.arrow"


@dataclass(frozen=True)
class LayoutJob:
    """What the description files say: the folder, the files of each split, a digest of the content."""

    folder: Path
    shards: int
    digest: str


@dataclass(frozen=True)
class Layout:
    """The description files."""

    files: tuple[Written, ...]


def write_layout(job: LayoutJob, _tick: Callable[[int, int], None]) -> Layout:
    """Write the JSON files by which `datasets` knows the folder; the features are the library's own."""
    import datasets  # late: 0.6 s and 138 MiB, needed here alone

    info = datasets.DatasetInfo(features=datasets.Features.from_arrow_schema(SCHEMA))
    described = dict(sorted(asdict(info).items()))
    files = [{"filename": arrow_name(shard, job.shards)} for shard in range(job.shards)]
    written = [write_text(job.folder / "dataset_dict.json", json.dumps({"splits": list(SPLITS)}))]
    for split in SPLITS:
        state = {
            "_data_files": files,
            "_fingerprint": hashlib.sha256(f"{job.digest} {split}".encode()).hexdigest()[:16],
            "_format_columns": None,
            "_format_kwargs": dict[str, Any](),
            "_format_type": None,
            "_output_all_columns": False,
            "_split": split,
        }
        folder = job.folder / split
        written.append(write_text(folder / "state.json", json.dumps(state, indent=2)))
        written.append(write_text(folder / "dataset_info.json", json.dumps(described, indent=2)))
    return Layout(tuple(written))

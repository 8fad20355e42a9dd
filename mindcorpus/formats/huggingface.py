"""The Hugging Face folder: train and validation in Arrow, as `datasets.load_from_disk` reads them.

All is written directly, in the layout of `DatasetDict.save_to_disk` (which would copy everything
twice, and takes 0.6 s to load); `mindcorpus verify` and the tests open it with the library itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from mindcorpus.arrow import flags, repeated
from mindcorpus.corpus.encoding import CSV_END, csv_cell, csv_cell_size, interleaved
from mindcorpus.corpus.row_batch import RowBatch
from mindcorpus.corpus.row_facts import Numbers, RowFacts
from mindcorpus.formats.base import (
    PARTS,
    Layout,
    Made,
    OwnLayout,
    Parts,
    Placed,
    Run,
    Taken,
    regions_of,
)
from mindcorpus.storage.files import HashedFile, Region, Written
from mindcorpus.storage.manifest import read_manifest, write_text
from mindcorpus.storage.ordered_hash import SharedFile

SCHEMA = pa.schema(
    [
        ("instruction", pa.string()),
        ("input", pa.string()),
        ("output", pa.string()),
        ("source", pa.string()),
        ("tags", pa.list_(pa.string())),
    ]
)
CSV_HEADER = ",".join(SCHEMA.names).encode() + CSV_END


class CsvRows:
    """Encodes records as rows of dataset.csv, and knows their sizes beforehand."""

    def __init__(self, instruction: str) -> None:
        self._instruction = csv_cell(instruction.encode())
        self._ends: dict[tuple[str, tuple[str, ...]], bytes] = {}

    def sizes(self, rows: RowFacts) -> Numbers:
        """Give the bytes of each corpus row's CSV row: shape (rows,)."""
        source = np.array([csv_cell_size(name.encode()) for name in rows.names])
        tags = np.array([csv_cell_size(tags.encode()) for tags in rows.tag_sets])
        frame = len(self._instruction) + len(SCHEMA) - 1 + len(CSV_END)
        sizes: Numbers = (
            rows.input_csv + rows.response_csv + source[rows.source] + tags[rows.tags] + frame
        )
        return sizes

    def lines(self, rows: RowBatch) -> bytes:
        """Encode rows with the columns `input`, `response`, `source` and `tags`."""
        columns = [rows.csv(name) for name in ("input", "response")]
        return interleaved((self._instruction + b',"', b'","'), columns, self._ends_of(rows.table))

    def _ends_of(self, table: Any) -> list[bytes]:
        """Give what stands behind the texts of each row; most tables have one for all."""
        columns = [table.column(name) for name in ("source", "tags")]
        if all(_is_one_value(column) for column in columns):
            columns = [column.slice(0, 1) for column in columns]
        names = zip(*(column.to_pylist() for column in columns), strict=True)
        ends = [self._end(source, tuple(tags)) for source, tags in names]
        return ends if len(ends) == table.num_rows else ends * table.num_rows

    def _end(self, source: str, tags: tuple[str, ...]) -> bytes:
        if (source, tags) not in self._ends:
            cells = csv_cell(source.encode()), csv_cell(orjson.dumps(tags))
            self._ends[source, tags] = b'",' + b",".join(cells) + CSV_END
        return self._ends[source, tags]


def _is_one_value(column: Any) -> bool:
    """Tell whether all rows hold the same; of lists, whether all are empty."""
    if pa.types.is_list(column.type):
        return not any(len(chunk.flatten()) for chunk in column.chunks)
    return len(column.unique()) == 1


class ArrowFile:
    """One Arrow file of a split, in the making."""

    def __init__(self, file: HashedFile, instruction: str) -> None:
        self._file = file
        self._instruction = instruction
        self._stream = pa.ipc.new_stream(file, SCHEMA)

    def write(self, table: Any) -> None:
        """Append the rows of a table with the columns of the corpus."""
        columns = (table.column(name) for name in ("input", "response", "source"))
        tags = table.column("tags").cast(SCHEMA.field("tags").type)
        rows = pa.Table.from_arrays(
            [repeated(self._instruction, table.num_rows), *columns, tags], schema=SCHEMA
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


def write_layout(
    folder: Path, shards: int, digest: str, parts: Sequence[str] = PARTS[:2]
) -> list[Written]:
    """Write the JSON by which `datasets` knows the folder; `digest` is of all that shapes it."""
    features: dict[str, Any] = {
        name: {"dtype": "string", "_type": "Value"} for name in SCHEMA.names if name != "tags"
    }
    features["tags"] = {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"}
    info = {"citation": "", "description": "", "features": features, "homepage": "", "license": ""}
    files = [{"filename": arrow_name(shard, shards)} for shard in range(shards)]
    written = [write_text(folder / "dataset_dict.json", json.dumps({"splits": list(parts)}))]
    for split in parts:
        state: dict[str, Any] = {
            "_data_files": files,
            "_fingerprint": hashlib.sha256(f"{digest} {split}".encode()).hexdigest()[:16],
            "_format_columns": None,
            "_format_kwargs": {},
            "_format_type": None,
            "_output_all_columns": False,
            "_split": split,
        }
        written.append(write_text(folder / split / "state.json", json.dumps(state, indent=2)))
        written.append(write_text(folder / split / "dataset_info.json", json.dumps(info, indent=2)))
    return written


@dataclass(frozen=True)
class FolderTarget:
    """Where a run's rows go in the folder."""

    arrows: tuple[Path, ...]
    """One a part."""
    table: Region
    instruction: str

    def open(self, stack: ExitStack) -> FolderWriter:
        """Open the run's files and its region of the table."""
        return FolderWriter(self, stack)


class FolderWriter:
    """Writes a run's rows into the table, and into the Arrow file of their part."""

    def __init__(self, target: FolderTarget, stack: ExitStack) -> None:
        self._table = stack.enter_context(target.table.open())
        self._rows = CsvRows(target.instruction)
        self._count = 0
        self._files: list[HashedFile] = []
        self._arrows: list[ArrowFile] = []
        for path in target.arrows:
            file = stack.enter_context(HashedFile(path))
            arrow = ArrowFile(file, target.instruction)
            stack.callback(arrow.close)
            self._files.append(file)
            self._arrows.append(arrow)

    def write(self, rows: RowBatch, parts: Parts) -> None:
        """Write rows with the columns of the corpus."""
        self._table.write(self._rows.lines(rows))
        self._count += rows.num_rows
        for part, arrow in enumerate(self._arrows):
            arrow.write(rows.table.filter(flags(parts == part)))

    def result(self) -> tuple[int, list[Written]]:
        """Give the rows of the table, and the Arrow files."""
        return self._count, [file.written for file in self._files]


class HuggingFace(OwnLayout):
    """A folder with a train and a validation split, and a CSV of all rows."""

    columns = ("input", "response", "source", "tags")

    def plan(self, taken: Mapping[str, Taken], runs: Sequence[Run]) -> Layout:
        """Lay out the table; each run has Arrow files of its own."""
        for name in self.parts:
            (self.folder / name).mkdir()
        (rows,) = taken.values()
        instruction = self.settings["instruction"]
        path = self.folder / "dataset.csv"
        sizes_of = CsvRows(instruction).sizes
        regions = regions_of(path, CSV_HEADER, sizes_of, rows.rows, rows.times, runs)
        assert regions is not None
        targets = [
            FolderTarget(
                tuple(self.folder / part / arrow_name(at, len(runs)) for part in self.parts),
                region,
                instruction,
            )
            for at, region in enumerate(regions)
        ]
        return Layout(targets, [SharedFile(path, tuple(regions))])

    def finish(self, files: Sequence[Written], results: Sequence[Any], digest: str) -> Made:
        """Write what `datasets` knows the folder by; every row is in the table and in one part."""
        (table,) = files
        rows = sum(count for count, _ in results)
        arrows = [file for _, written in results for file in written]
        layout = write_layout(self.folder, len(results), digest, self.parts)
        section = self.sections[0].name
        return Made(
            [replace(table, rows=rows), *arrows, *layout],
            placed=[
                *(Placed(part, section, part) for part in self.parts),
                Placed(table.path.name, section, None),
            ],
        )

    def configs(self, made: Made) -> list[dict[str, Any]]:
        """Name the Arrow files: left alone, `datasets` before 5 takes a lone one for its state."""
        del made
        files = [{"split": part, "path": f"{part}/*.arrow"} for part in self.parts]
        return [{"config_name": self.sections[0].name, "data_files": files}]

    @staticmethod
    def check(folder: Path) -> list[dict[str, str]]:
        """Open the folder as its users will, with `datasets`."""
        parts = read_manifest(folder)["split"]["parts"]
        problem = load_problem(folder, {name: part["rows"] for name, part in parts.items()})
        return [{"path": "dataset_dict.json", "problem": problem}] if problem else []


def load_problem(folder: Path, rows: Mapping[str, int]) -> str:
    """Open a prepared folder as its users will, with `datasets`; say what is wrong, or give ""."""
    import datasets  # late: 0.6 s and 138 MiB, needed here alone

    try:
        loaded = datasets.load_from_disk(str(folder))
        found = {split: loaded[split].num_rows for split in rows}
    except Exception as error:  # noqa: BLE001 - whatever it raises, the folder does not load
        return f"datasets.load_from_disk fails: {type(error).__name__}"
    return "" if found == rows else f"datasets.load_from_disk gives {found}, not {dict(rows)}"


FORMAT = HuggingFace

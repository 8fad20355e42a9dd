"""The lineage of an export: which corpus row each of its lines came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mindcorpus.arrow import WORD, coded, numbers
from mindcorpus.formats.base import PARTS, Placed, Taken
from mindcorpus.preparing.corpus_split import CorpusSplit
from mindcorpus.storage.files import HashedFile, Written
from mindcorpus.storage.kinds import LINEAGE

SCHEMA = pa.schema(
    [
        # A file, or a folder whose files together hold the lines in order.
        ("file", WORD),
        ("part", WORD),
        # Counted from 1.
        ("line", pa.int64()),
        ("corpus_row", pa.int64()),
        ("source", WORD),
        ("fold", pa.int32()),
    ]
)
_GROUP_ROWS = 100_000


def write_export_lineage(
    folder: Path, placed: Sequence[Placed], taken: Mapping[str, Taken], split: CorpusSplit
) -> Written:
    """Write what each line of each file of an export came from; `taken` is by section."""
    with (
        HashedFile(folder / LINEAGE) as file,
        pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer,
    ):
        for each in placed:
            section = taken[each.section]
            rows, source = section.order(each.part), section.rows.source
            if each.per_record > 1:
                rows = np.repeat(rows, each.per_record)
            for at in range(0, len(rows), _GROUP_ROWS):
                mine = rows[at : at + _GROUP_ROWS]
                sources = coded(source[mine], section.rows.names)
                writer.write_table(_table(each, mine, at, sources, split))
        file.rows = 0
    return file.written


def _table(placed: Placed, rows: Any, first: int, sources: Any, split: CorpusSplit) -> Any:
    count = len(rows)
    folds = split.folds[rows]
    return pa.Table.from_arrays(
        [
            coded(np.zeros(count, np.int32), [placed.file]),
            coded(split.parts[rows].astype(np.int32), PARTS),
            numbers(np.arange(first + 1, first + count + 1), pa.int64()),
            numbers(rows, pa.int64()),
            sources,
            numbers(np.maximum(folds, 0), pa.int32(), folds >= 0),
        ],
        schema=SCHEMA,
    )


def located(
    findings: Sequence[Mapping[str, Any]], placed: Sequence[Placed], taken: Mapping[str, Taken]
) -> list[dict[str, Any]]:
    """Give findings with the file and line of each.

    They come with `section` and the number of the record among all of it, from 1, as `line`; None
    where they are of the whole.
    """
    found: list[dict[str, Any]] = []
    for finding in findings:
        section = str(finding.get("section", placed[0].section))
        files = {each.part: each for each in placed if each.section == section}
        told = {name: value for name, value in finding.items() if name != "section"}
        if told["line"] is not None and None not in files:
            order = taken[section].order(None)
            parts = taken[section].parts[order[: told["line"]]]
            mine = files[PARTS[parts[-1]]]
            line = int((parts == parts[-1]).sum())
            told |= {"line": line, "reason": f"{mine.file}: {told['reason']}"}
        found.append(told)
    return found

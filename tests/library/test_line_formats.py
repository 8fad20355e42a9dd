"""What formats' writers are given: numbers of lines in their files, and slices of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mindcorpus.corpus.row_facts import Flags, RowFacts
from mindcorpus.formats.base import Encoder, LineFormat, Made, Run, Taken
from mindcorpus.formats.registry import FormatEntry
from mindcorpus.preparing import runs
from mindcorpus.preparing.runs import RunJob, write_run
from mindcorpus.records import COLUMNS
from mindcorpus.storage.files import Written

ROWS = 60


class NumberedLines(Encoder):
    """Writes the number of each line, and tells them all."""

    def __init__(self, first_line: int) -> None:
        self._numbers = count(first_line)
        self._told: list[int] = []

    def lines(self, table: Any) -> Iterable[bytes]:
        for _ in range(table.num_rows):
            self._told.append(next(self._numbers))
            yield b"%d\n" % self._told[-1]

    def result(self) -> list[int]:
        return self._told


class Numbered(LineFormat):
    columns = ("input",)

    def encoder(self, first_line: int) -> NumberedLines:
        return NumberedLines(first_line)

    def describe(self, encoded: Sequence[Sequence[Any]], outputs: Sequence[Written]) -> Made:
        findings = [
            {"file": output.path.name, "line": line}
            for output, told in zip(outputs, encoded, strict=True)
            for run in told
            for line in run
        ]
        return Made(outputs, findings=findings)


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    """Write a corpus of two parts."""
    texts = {name: ["word " * 40] * ROWS for name in COLUMNS}
    paths = [tmp_path / f"{at}.parquet" for at in range(2)]
    for path in paths:
        pq.write_table(pa.table({**texts, "tags": ["[]"] * ROWS}), path)
    return paths


def saved(path: Path, flags: Flags) -> Path:
    np.save(path, flags)
    return path


@pytest.mark.parametrize("suffix", ["", ".jsonl"])
def test_lines_are_numbered_in_their_file_over_all_runs(
    suffix: str, parts: list[Path], tmp_path: Path
) -> None:
    rows = np.arange(2 * ROWS)
    taken = rows % 7 > 0
    held_out = taken & (rows % 3 == 0)
    cut = [Run((part,), at * ROWS, (at + 1) * ROWS) for at, part in enumerate(parts)]
    for name in ("numbered", "scratch"):
        (tmp_path / name).mkdir()
    entry = FormatEntry("numbered", "", "", "numbered", "", suffix=suffix)
    made = Numbered(entry, {}, tmp_path / "numbered", tmp_path / "scratch")
    layout = made.plan(Taken(cast("RowFacts", None), taken, held_out), cut)
    files = saved(tmp_path / "taken.npy", taken), saved(tmp_path / "held.npy", held_out)
    results = [
        write_run(RunJob(run, *files, (Numbered.columns,), (target,)), lambda *_: None)[0]
        for run, target in zip(cut, layout.targets, strict=True)
    ]
    outputs = [Written(file.path, 0, "", 0) for file in layout.files]
    told = made.finish(outputs, results, "", {})
    sides = {"train.jsonl": taken & ~held_out, "validation.jsonl": held_out}
    expected = {name: int(side.sum()) for name, side in sides.items()}
    if suffix:
        expected = {"numbered.jsonl": int(taken.sum())}
    assert list(told.findings) == [
        {"file": name, "line": line}
        for name, size in expected.items()
        for line in range(1, size + 1)
    ]
    assert {output.path.name: output.rows for output in told.outputs} == expected


@dataclass(frozen=True)
class Slices:
    """Tells how many rows each slice has."""

    def open(self, stack: ExitStack) -> SliceCounter:
        del stack
        return SliceCounter()


class SliceCounter:
    def __init__(self) -> None:
        self._sizes: list[int] = []

    def write(self, table: Any, held_out: Flags) -> None:
        assert table.num_rows == len(held_out)
        self._sizes.append(table.num_rows)

    def result(self) -> list[int]:
        return self._sizes


def test_slices_are_the_same_whatever_formats_read(
    parts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "BATCH_BYTES", 4096)
    files = (
        saved(tmp_path / "taken.npy", np.ones(2 * ROWS, bool)),
        saved(tmp_path / "held.npy", np.zeros(2 * ROWS, bool)),
    )
    run = Run(tuple(parts), 0, 2 * ROWS)

    def slices(*columns: tuple[str, ...]) -> list[int]:
        job = RunJob(run, *files, columns, (Slices(),) * len(columns))
        first, *others = write_run(job, lambda *_: None)
        assert all(other == first for other in others)
        sizes: list[int] = first
        return sizes

    rejected, chat = ("rejected_response",), ("input", "response")
    alone = slices(rejected)
    assert len(alone) > 2
    assert sum(alone) == 2 * ROWS
    assert slices(chat) == alone
    assert slices(chat, rejected) == alone
    assert slices(chat, ("input", "response", "source", "tags")) == alone

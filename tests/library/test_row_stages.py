"""What row stages say of records, carried to the index, the lineage and the statistics unharmed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from raw_files import ENOUGH

from mindcorpus.corpus.kin import Kin
from mindcorpus.corpus.lineage import (
    LineageJob,
    PartOrigin,
    read_changes,
    write_lineage,
    written_changes,
)
from mindcorpus.corpus.verdicts import Reason, Verdicts
from mindcorpus.errors import SettingsError
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.choice import choose_stages
from mindcorpus.merging.parts import Part, PartJob, build_part
from mindcorpus.merging.statistics import StatisticsJob, compute_statistics
from mindcorpus.sources.columns_adapter import Columns
from mindcorpus.sources.readers import Shard
from mindcorpus.stages.base import Record, RecordStage, Verdict
from mindcorpus.stages.registry import StageEntry, register, remove


@dataclass(frozen=True)
class Says:
    """Says the same of every record."""

    files: ClassVar[tuple[Path, ...]] = ()
    verdict: Verdict
    columns: pa.Schema

    def apply(self, record: Record) -> tuple[Record, Verdict]:
        return record, self.verdict

    def facts(self) -> pa.Schema:
        return self.columns


_CLASH = """
from dataclasses import dataclass
import pyarrow as pa

@dataclass(frozen=True)
class STAGE:
    def apply(self, record):
        raise AssertionError

    def facts(self):
        return pa.schema([("key", pa.int32())])
"""


def test_a_column_that_is_there_already_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clashing_stage.py").write_text(_CLASH)
    monkeypatch.syspath_prepend(tmp_path)
    entry = StageEntry("clashing", "", "", "record", on=False, module="clashing_stage")
    register(entry)
    try:
        with pytest.raises(SettingsError, match="two row stages give key, or one does what is"):
            choose_stages(MergeRequest(stages=("clashing",)))
    finally:
        remove(entry)


def part_of(folder: Path, *stages: RecordStage) -> Part:
    """Make a part of two records and a dropped row between them."""
    rows = folder / "rows.jsonl"
    rows.write_text('{"q": "one", "a": "1"}\n{"q": " ", "a": "-"}\n{"q": "two", "a": "2"}\n')
    shard = Shard(rows, rows.name, "jsonl", 0, rows.stat().st_size)
    adapter = Columns(input="q", response="a")
    job = PartJob(shard, "own", "talk", (), adapter, stages, ENOUGH, folder / "part")
    return build_part(job, lambda *_: None)


def origin_of(part: Part) -> PartOrigin:
    return PartOrigin(part.index, part.kept, "own", "talk", "rows.jsonl", "", "MIT", 0)


def statistics_of(folder: Path, part: Part, verdicts: Verdicts) -> dict[str, Any]:
    job = StatisticsJob((origin_of(part),), verdicts.save(folder), folder)
    return compute_statistics(job, lambda *_: None)


def lineage_of(folder: Path, part: Part, verdicts: Verdicts) -> list[dict[str, Any]]:
    kin = Kin.none(part.kept).save(folder)
    job = LineageJob((origin_of(part),), verdicts.save(folder), kin, folder / "lineage.parquet")
    write_lineage(job, lambda *_: None)
    found: list[dict[str, Any]] = pq.read_table(job.target).to_pylist()
    return found


@pytest.mark.parametrize(
    "changes", [[], ["cut"], ["[redacted]"], ["["], ["cut", "[redacted]"], ["[1]", "[2]"]]
)
def test_changes_are_read_as_they_were_written(changes: list[str]) -> None:
    assert read_changes(written_changes(changes)) == changes


def test_a_change_that_looks_like_an_array_is_counted_as_the_word_it_is(tmp_path: Path) -> None:
    part = part_of(tmp_path, Says(Verdict(changed=("[redacted]",)), pa.schema([])))
    none = Verdicts.none(2)
    changed = [row["changed"] for row in lineage_of(tmp_path, part, none)]
    assert changed == ['["[redacted]"]', None, '["[redacted]"]']
    told = statistics_of(tmp_path, part, none)
    assert told["sources"]["own"]["changed"] == {"[redacted]": 2}


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (pa.binary(32), b"k" * 32),
        (pa.binary(16), b"k" * 16),
        (pa.binary(), b"any"),
        (pa.list_(pa.int32()), [1, 2]),
        (pa.bool_(), True),
        (pa.int8(), -1),
        (pa.float64(), 0.5),
        (pa.string(), "word"),
        (pa.dictionary(pa.int32(), pa.string()), "word"),
    ],
)
def test_facts_may_be_of_any_type(type_: pa.DataType, value: Any, tmp_path: Path) -> None:
    part = part_of(tmp_path, Says(Verdict(facts=(value,)), pa.schema([("fact", type_)])))
    column = pq.read_table(part.index).column("fact")
    assert column.type == type_
    assert column.to_pylist() == [value, None, value]


def test_rows_left_out_twice_for_one_reason_are_all_counted(tmp_path: Path) -> None:
    part = part_of(tmp_path)
    verdicts = Verdicts.none(2).leave_out(np.array([1]), Reason("rare"))
    verdicts = verdicts.leave_out(np.array([0]), Reason("rare"))
    told = statistics_of(tmp_path, part, verdicts)
    assert told["sources"]["own"]["dropped"]["rare"] == 2


def test_a_record_that_none_stands_for_has_the_evidence_of_its_stage(tmp_path: Path) -> None:
    left_out = Verdicts.none(2).leave_out(np.array([1]), Reason("rare", alone="fewer than 2 alike"))
    *_, row = lineage_of(tmp_path, part_of(tmp_path), left_out)
    told = (row["status"], row["reason"], row["evidence"])
    assert told == ("dropped", "rare", "fewer than 2 alike")

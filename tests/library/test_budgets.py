"""Budgets on what is decoded and written: counted while it happens, and told with their setting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from raw_files import ENOUGH, read, values

from mindcorpus.errors import DataError, MindcorpusError
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.distributed import find_files
from mindcorpus.merging.distributed_writing import merge_parts
from mindcorpus.merging.merge import merge
from mindcorpus.progress import Cancellation, silent
from mindcorpus.settings import Settings
from mindcorpus.sources.budgets import Budgets, Meter
from mindcorpus.sources.readers import Drop, Row, plan_shards, read_rows
from mindcorpus.sources.readers import parquet as parquet_reader

MIB = 1 << 20
GIB = 1 << 30
LICENCE = '{ id = "MIT", commercial = "yes", terms = "MIT" }'


def catalog(folder: Path, **adapters: str) -> str:
    """Write a catalogue of sources, each of a file of its name, with these adapters and options."""
    path = folder / "own.toml"
    path.write_text(
        "".join(
            f'[[source]]\nname = "{name}"\npath = "{name}.json"\ntype = "own"\n'
            f"licence = {LICENCE}\n{adapter}\n"
            for name, adapter in adapters.items()
        )
    )
    return str(path)


PAIRS = 'options = { input = "q", response = "a" }'


def write(folder: Path, name: str, rows: list[Any]) -> int:
    path = folder / f"{name}.json"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path.stat().st_size


def refused(folder: Path, workers: int, *names: str, **limits: float) -> MindcorpusError:
    """Merge sources in a folder of settings; give the error, after which nothing is there."""
    data = folder / f"data-{workers}"
    settings = Settings(data_dir=data, workers=workers, **limits)  # type: ignore[arg-type]
    request = MergeRequest(catalogs=(str(folder / "own.toml"),), sources=names)
    with pytest.raises(DataError) as caught:
        merge(request, settings)
    assert not list(data.glob("merged*"))
    assert not list((data / "artifacts").glob("*"))
    return caught.value


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_over_its_budget_is_named_with_the_setting(tmp_path: Path, workers: int) -> None:
    catalog(tmp_path, one=PAIRS)
    size = write(tmp_path, "one", [{"q": f"{n} " + "x" * 1000, "a": "y"} for n in range(3000)])
    error = refused(tmp_path, workers, "one", file_limit_gb=(size - 1) / GIB)
    assert (error.source, error.file) == ("one", "one.json")
    assert "budget of 3 MiB" in error.title
    assert "MINDCORPUS_FILE_LIMIT_GB" in error.advice


@pytest.mark.parametrize("workers", [1, 2])
def test_all_sources_together_have_a_budget(tmp_path: Path, workers: int) -> None:
    catalog(tmp_path, one=PAIRS, two=PAIRS)
    rows = [{"q": f"{n} " + "x" * 1000, "a": "y"} for n in range(1000)]
    size = write(tmp_path, "one", rows) + write(tmp_path, "two", rows)
    error = refused(tmp_path, workers, "one", "two", job_limit_gb=(size - 1) / GIB)
    assert "what the sources decode to" in error.title
    assert "MINDCORPUS_JOB_LIMIT_GB" in error.advice

    # In steps, as the service takes them, each source is within the budget, and both are not.
    request = MergeRequest(catalogs=(str(tmp_path / "own.toml"),), sources=("one", "two"))
    settings = Settings(data_dir=tmp_path / "steps", job_limit_gb=(size - 1) / GIB)
    found = {
        name: find_files(request, name, settings, silent, Cancellation()) for name in ("one", "two")
    }
    with pytest.raises(DataError, match="what the sources decode to"):
        merge_parts(request, found, settings, silent, Cancellation())


def test_what_is_written_has_a_budget_before_it_is_written(tmp_path: Path) -> None:
    catalog(tmp_path, one=PAIRS)
    size = write(tmp_path, "one", [{"q": str(n), "a": "y"} for n in range(20_000)])
    error = refused(tmp_path, 1, "one", job_limit_gb=2 * size / GIB)
    assert "what the merge writes" in error.title


def test_a_text_that_many_records_share_counts_for_each_of_them(tmp_path: Path) -> None:
    catalog(tmp_path, one='adapter = "threads"')
    comments = [{"comment_text": f"{n}", "label": "effective"} for n in range(20)]
    size = write(tmp_path, "one", [{"post_text": "x" * MIB, "comments": comments}])
    assert size < 1.1 * MIB
    error = refused(tmp_path, 1, "one", file_limit_gb=10 * MIB / GIB)
    assert "what is made of the file" in error.title
    assert error.file == "one.json"


def test_a_budget_follows_the_size_of_a_file_and_its_shards_share_it() -> None:
    budgets = Budgets(64 * GIB, 200, 256 * GIB)
    assert budgets.of_file(1).bytes == 256 * MIB
    assert budgets.of_file(10 * MIB).bytes == 2000 * MIB
    assert budgets.of_file(10 * MIB).setting == "expansion_limit"
    assert budgets.of_file(10 * GIB).bytes == 64 * GIB
    assert budgets.of_file(10 * GIB).setting == "file_limit_gb"
    assert budgets.of_shard(10 * MIB, 1) == budgets.of_file(10 * MIB)
    assert budgets.of_shard(10 * MIB, 1000).bytes == 8 * MIB
    with pytest.raises(DataError, match="256 MiB"):
        budgets.check_file("file", 1, [200 * MIB, 57 * MIB])
    budgets.check_file("file", 1, [200 * MIB, 56 * MIB])


# Parquet's rows


def test_a_row_of_parquet_that_is_too_long_is_a_drop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_reader, "MAX_RECORD_BYTES", 2000)
    monkeypatch.setattr(parquet_reader, "BATCH_BYTES", 1000)
    texts = ["a", "b" * 1900, "c" * 3000, "d"]
    for coded in (False, True):
        table = pa.table({"q": texts})
        if coded:
            table = pa.table({"q": table["q"].dictionary_encode()})
        path = tmp_path / "file.parquet"
        pq.write_table(table, path)
        rows = read(path)
        assert values([rows[0], rows[1], rows[3]]) == [{"q": texts[at]} for at in (0, 1, 3)]
        assert isinstance(rows[2], Drop)
        assert rows[2].reason == "too-long"
        assert "c" * 4 not in rows[2].evidence


def test_rows_that_do_not_fit_at_once_are_decoded_in_smaller_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By its footer a row takes a byte; decoded, all take 200 MiB.
    text = "x" * 100_000
    rows = 2000
    often = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([text]))
    path = tmp_path / "file.parquet"
    table = pa.table({"n": range(rows), "q": often})
    pq.write_table(table, path, store_schema=False, use_dictionary=["q"])
    monkeypatch.setattr(parquet_reader, "DECODE_BYTES", 48 * MIB)
    (shard,) = plan_shards(path, path.name, "parquet")
    meter = Meter(ENOUGH, path.name)
    for at, row in enumerate(read_rows(shard, lambda *_: None, meter)):
        assert isinstance(row, Row)
        assert (row.number, row.value["n"], len(row.value["q"])) == (at, at, len(text))
    assert at == rows - 1
    assert rows * len(text) <= meter.spent < 1.1 * rows * len(text)


def test_progress_is_of_the_files_bytes_whatever_its_footer_says(tmp_path: Path) -> None:
    path = tmp_path / "file.parquet"
    pq.write_table(pa.table({"q": ["x" * 1000] * 5000}), path, row_group_size=777)
    told = 0

    def tick(_rows: int, size: int) -> None:
        nonlocal told
        assert size >= 0
        told += size

    for shard in plan_shards(path, path.name, "parquet"):
        for _ in read_rows(shard, tick, Meter(ENOUGH, path.name)):
            pass
    size = path.stat().st_size
    assert size / 3 < told <= size

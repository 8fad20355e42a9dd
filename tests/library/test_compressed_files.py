"""Compressed files through a merge: the same bytes as from the plain file, and no bombs."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from files_of_data import PACKED, ROWS, lines_of, merge_own, pairs_of, written, zipped

from mindcorpus.errors import DataError
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.distributed import find_files, make_parts
from mindcorpus.merging.distributed_writing import merge_parts
from mindcorpus.merging.merge import MergeResult
from mindcorpus.merging.shards import SourceFiles
from mindcorpus.progress import Cancellation, silent
from mindcorpus.settings import Settings
from mindcorpus.sources import readers
from mindcorpus.storage.store import Store

MIB = 1024 * 1024
TABLE = b"question,answer\n" + b"".join(b"How %d?,So %d.\n" % (at, at) for at in range(500))


def artifacts(result: MergeResult) -> list[bytes]:
    """Give the bytes of what names no input: JSON, CSV, Parquet."""
    parquet = result.parquet_path
    files = sorted(parquet.iterdir()) if parquet.is_dir() else [parquet]
    return [path.read_bytes() for path in (result.json_path, result.csv_path, *files)]


@pytest.mark.parametrize("ending", PACKED)
@pytest.mark.parametrize(
    ("name", "content"), [("rows.jsonl", lines_of(ROWS)), ("rows.csv", TABLE)], ids=["lines", "csv"]
)
def test_a_compressed_file_gives_the_same_bytes_as_its_plain_one(
    tmp_path: Path, ending: str, name: str, content: bytes
) -> None:
    packed = zipped(content, name) if ending == ".zip" else PACKED[ending](content)
    plain = merge_own(written(tmp_path / "a", {name: content}), tmp_path / "plain")
    read = merge_own(written(tmp_path / "b", {f"{name}{ending}": packed}), tmp_path / "read")

    assert artifacts(read) == artifacts(plain)
    assert read.manifest["sources"][0]["files"][0]["size"] == len(packed)


def test_it_is_cut_after_decoding_and_read_by_several_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "SHARD_BYTES", 1000)
    rows = [{"question": f"Wie geht’s {at}?", "answer": "Gut. " * 20} for at in range(200)]
    content = lines_of(rows)
    plain = merge_own(written(tmp_path / "a", {"rows.jsonl": content}), tmp_path / "plain")
    home = written(tmp_path / "b", {"rows.jsonl.gz": PACKED[".gz"](content)})

    assert artifacts(merge_own(home, tmp_path / "one")) == artifacts(plain)
    assert artifacts(merge_own(home, tmp_path / "two", workers=2)) == artifacts(plain)


def test_a_folder_s_compressed_files_are_read_beside_the_plain_ones(tmp_path: Path) -> None:
    home = written(
        tmp_path / "data",
        {
            "a.jsonl": lines_of(ROWS[:1]),
            "b.jsonl.gz": PACKED[".gz"](lines_of(ROWS[1:2])),
            "c.zip": zipped(lines_of(ROWS[2:]), "inner/rows.jsonl"),
        },
    )
    assert pairs_of(merge_own(home, tmp_path / "out")) == ROWS


@pytest.mark.parametrize("ending", PACKED)
def test_a_file_that_is_named_is_read_compressed(tmp_path: Path, ending: str) -> None:
    content = lines_of(ROWS)
    packed = zipped(content, "any.jsonl") if ending == ".zip" else PACKED[ending](content)
    home = written(tmp_path / "data", {f"rows.jsonl{ending}": packed})

    assert pairs_of(merge_own(home / f"rows.jsonl{ending}", tmp_path / "out")) == ROWS


def test_parquet_and_arrays_are_read_compressed_as_well(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS[:2]), tmp_path / "rows.parquet")
    home = written(
        tmp_path / "data",
        {
            "a.parquet.zst": PACKED[".zst"]((tmp_path / "rows.parquet").read_bytes()),
            "b.json.bz2": PACKED[".bz2"](json.dumps(ROWS[2:]).encode()),
        },
    )
    assert pairs_of(merge_own(home, tmp_path / "out")) == ROWS


@pytest.mark.parametrize("ending", [".gz", ".zst", ".zip"])
def test_a_bomb_ends_in_its_budget(tmp_path: Path, ending: str) -> None:
    content = lines_of([{"question": "a" * MIB, "answer": "b"}]) * 300
    packed = PACKED[ending](content)
    assert len(packed) < MIB
    home = written(tmp_path / "data", {f"rows.jsonl{ending}": packed})

    with pytest.raises(DataError, match="budget of 256 MiB") as caught:
        merge_own(home, tmp_path / "out")
    assert "MINDCORPUS_EXPANSION_LIMIT" in caught.value.hint
    assert sum(each.stat().st_size for each in (tmp_path / "out").rglob("*")) < MIB


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zst", ".zip"])
def test_a_file_that_is_cut_off_fails_its_source_and_names_it(tmp_path: Path, ending: str) -> None:
    packed = PACKED[ending](TABLE)
    home = written(tmp_path / "data", {f"rows.csv{ending}": packed[: len(packed) // 2]})

    with pytest.raises(DataError, match="cut off") as caught:
        merge_own(home, tmp_path / "out")
    assert (caught.value.source, caught.value.file) == ("Own", f"rows.csv{ending}")


def test_workers_of_a_service_unpack_a_file_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bundles of shards that any process takes: the copy lies beside the parts, for all of them."""
    monkeypatch.setattr(readers, "SHARD_BYTES", 2000)
    rows = [{"question": f"Wie geht’s {at}?", "answer": "Gut. " * 20} for at in range(300)]
    packed = PACKED[".gz"](lines_of(rows))
    plain = merge_own(written(tmp_path / "a", {"rows.jsonl": lines_of(rows)}), tmp_path / "plain")
    merge_own(written(tmp_path / "b", {"rows.jsonl.gz": packed}), tmp_path / "whole")
    request = MergeRequest(catalogs=(str(tmp_path / "whole.toml"),), sources=("Own",))
    settings = Settings(data_dir=tmp_path / "fanned", workers=1)

    found = find_files(request, "Own", settings, silent, Cancellation())
    assert found is not None
    travelled = SourceFiles.from_dict(json.loads(json.dumps(found.as_dict())))
    assert len(travelled.shards) > 10
    (copy,) = [path for path in Store.of(settings).parts.iterdir() if (path / "rows").is_file()]
    stamp = (copy / "rows").stat().st_mtime_ns
    for shard in travelled.shards:
        make_parts(request, travelled, [shard], settings, silent, Cancellation())
    assert (copy / "rows").stat().st_mtime_ns == stamp
    result = merge_parts(request, {"Own": travelled}, settings, silent, Cancellation())
    assert artifacts(result) == artifacts(plain)

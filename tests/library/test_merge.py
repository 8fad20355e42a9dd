"""A merge: every row accounted for, three files of the same records, always the same bytes."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pandas as pd
import pyarrow.parquet as pq
import pytest
from corpora import (
    HOMES,
    KEYS,
    NAMES,
    SAMPLE,
    SHARED,
    digests,
    merge_own,
    merge_sample,
    own_rows,
    read_csv,
    read_json,
    read_parquet,
)
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st
from plain_reading import accounts, fold, merged, read_native
from sample_numbers import KEPT, OUTCOMES, Outcome

from mindcorpus.corpus import turns
from mindcorpus.errors import SourcesError
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging import parts
from mindcorpus.merging.merge import merge
from mindcorpus.settings import Settings
from mindcorpus.sources import readers
from mindcorpus.verify import verify

if TYPE_CHECKING:
    from made_sample import Made

pytest_plugins = ("made_sample",)


def native(name: str) -> Path:
    """Where the sample's files of a source lie."""
    return SAMPLE / "datasets" / HOMES[name] if name in HOMES else SAMPLE / "raw" / name


# What is counted


def test_every_row_of_the_sample_is_accounted_for(sample: Made) -> None:
    answered = Counter(
        record["source"] for record in read_json(sample.merged.json_path) if record["response"]
    )
    found = {
        entry["name"]: Outcome(
            entry["read"],
            entry["kept"],
            answered[entry["name"]],
            entry["dropped"],
            entry["duplicates"],
        )
        for entry in sample.merged.manifest["sources"]
    }
    assert found == OUTCOMES
    for each in found.values():
        assert each.read == each.kept + sum(each.dropped.values()) + sum(each.duplicates.values())


def test_a_plain_reading_of_the_same_files_gives_the_same_corpus(sample: Made) -> None:
    outcomes = list(read_native(SAMPLE / "datasets", SAMPLE / "raw/RedditESS"))
    records, final = merged(outcomes)
    assert read_json(sample.merged.json_path) == records
    found = {entry["name"]: entry for entry in sample.merged.manifest["sources"]}
    for name, counts in accounts(final, records).items():
        assert {what: found[name][what] for what in counts} == counts


@pytest.mark.skipif(not (SHARED / "hub").is_dir(), reason="the real slices are not here")
def test_a_plain_reading_of_the_real_slices_gives_the_same_corpus(tmp_path: Path) -> None:
    root, reddit = SHARED / "hub/datasets", SHARED / "local/RedditESS"
    paths = {**{name: str(root / home) for name, home in HOMES.items()}, "RedditESS": str(reddit)}
    settings = Settings(data_dir=tmp_path, workers=2)
    result = merge(MergeRequest(paths=paths), settings)
    records, final = merged(list(read_native(root, reddit)))
    assert read_json(result.json_path) == records
    found = {entry["name"]: entry for entry in result.manifest["sources"]}
    for name, counts in accounts(final, records).items():
        assert {what: found[name][what] for what in counts} == counts


# The three files


def test_json_csv_and_parquet_hold_the_same_records(sample: Made) -> None:
    records = read_json(sample.merged.json_path)
    assert len(records) == sample.merged.manifest["rows"] == KEPT
    assert all(list(record) == KEYS for record in records)
    assert read_csv(sample.merged.csv_path) == records
    rows = read_parquet(sample.merged.parquet_path)
    assert [{key: row[key] for key in KEYS} for row in rows] == records
    # Turns stand beside them where the six fields do not say all.
    assert {row["source"] for row in rows if row["messages"]} == {"TRACE"}
    assert all(row["messages"] for row in rows if row["source"] == "TRACE")
    frame = pd.read_csv(sample.merged.csv_path, keep_default_na=False, dtype=str)
    assert list(frame.columns) == KEYS
    frame["tags"] = [json.loads(tags) for tags in frame["tags"]]
    assert frame.to_dict("records") == records
    assert pd.read_json(sample.merged.json_path, dtype=False).to_dict("records") == records


def test_nothing_is_null_and_every_field_has_its_type(sample: Made) -> None:
    for record in read_json(sample.merged.json_path):
        assert all(isinstance(record[key], str) for key in KEYS[:-1])
        assert all(isinstance(tag, str) and tag for tag in record["tags"])
        assert record["input"].strip()
        assert record["source"] in NAMES
    for file in sorted(sample.merged.parquet_path.iterdir()):
        schema = pq.read_schema(file)
        assert schema.names == [*KEYS, *turns.NAMES]
        assert [field.name for field in schema if field.nullable] == [*turns.NAMES]


def test_the_json_is_an_array_of_one_record_a_line(sample: Made) -> None:
    head, *lines, tail, end = sample.merged.json_path.read_bytes().split(b"\n")
    assert (head, tail, end) == (b"[", b"]", b"")
    records = [orjson.loads(line.removesuffix(b",")) for line in lines]
    assert records == read_json(sample.merged.json_path)
    assert all(line.endswith(b"},") for line in lines[:-1])
    assert "«" not in lines[0].decode()
    assert "≥".encode() in sample.merged.json_path.read_bytes()  # as it is, not escaped


def test_the_csv_is_rfc_4180_with_tags_as_a_json_array(sample: Made) -> None:
    raw = sample.merged.csv_path.read_bytes()
    assert raw.startswith(",".join(KEYS).encode() + b"\r\n")
    assert raw.endswith(b'"[""not-depression""]"\r\n')


def test_decoys_and_held_out_splits_are_not_merged(sample: Made) -> None:
    inputs = {record["input"] for record in read_json(sample.merged.json_path)}
    test_split = SAMPLE / "datasets/PomboLabs/TRACE/data/splits/test.jsonl"
    for line in test_split.read_text("utf-8").splitlines():
        said = {turn["role"]: turn["content"] for turn in json.loads(line)["messages"]}
        assert said["user"] not in inputs


# The same bytes


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_number_of_workers_changes_no_byte(workers: int, sample: Made, tmp_path: Path) -> None:
    merge_sample(tmp_path, workers=workers)
    assert digests(tmp_path / "artifacts/corpus") == digests(sample.data_dir / "artifacts/corpus")


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize(("batch", "shard"), [(1, None), (5000, None), (None, 4000), (700, 30_000)])
def test_batches_and_shards_change_no_byte_of_json_and_csv(
    batch: int | None,
    shard: int | None,
    workers: int,
    sample: Made,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if batch:
        monkeypatch.setattr(parts, "BATCH_BYTES", batch)
    if shard:
        monkeypatch.setattr(readers, "SHARD_BYTES", shard)
    result = merge_sample(tmp_path, workers=workers)
    assert result.json_path.read_bytes() == sample.merged.json_path.read_bytes()
    assert result.csv_path.read_bytes() == sample.merged.csv_path.read_bytes()
    assert read_parquet(result.parquet_path) == read_parquet(sample.merged.parquet_path)
    assert read_parquet(result.lineage_path) == read_parquet(sample.merged.lineage_path)
    assert result.statistics == sample.merged.statistics
    assert verify(tmp_path) == []


def test_the_order_in_which_sources_are_named_changes_nothing(tmp_path: Path) -> None:
    one = merge_sample(tmp_path / "one", sources=("TRACE", "Psych-101"))
    two = merge_sample(tmp_path / "two", sources=("Psych-101", "TRACE"))
    assert one.json_path.read_bytes() == two.json_path.read_bytes()
    assert one.manifest["settings"] == two.manifest["settings"]


# Any text

blanks = st.sampled_from([" ", "\t", "\r\n", "\n", "\u00a0", "\u2028", "\x1c", "\x85"])
specials = st.sampled_from(
    ['"', '""', ",", ";", "NA", "null", "\\", "é", "e\u0301", "😀", "\x00", "\ufeff"]
)
texts = st.one_of(
    st.just(""),
    st.lists(st.one_of(blanks, specials, st.text(max_size=5)), max_size=6).map("".join),
    st.sampled_from(["a", "a ", "b"]),
)


@runs(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(texts, texts), min_size=1, max_size=30))
def test_any_text_comes_back_as_it_was_or_is_dropped_and_counted(
    rows: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    # One row that is always kept: a source of which nothing is kept is an error.
    rows = [*rows, ("kept", "always")]
    catalog = own_rows(folder, "mine", [{"q": q, "a": a} for q, a in rows])
    # Most of the rows may be lost: that is meant.
    result = merge_own(folder / "data", catalog, allow_loss={"mine": 1.0})
    expected, reasons, seen = [], Counter[str](), set()
    for question, answer in rows:
        key = fold(question), fold(answer)
        if not question.strip():
            reasons["blank-input"] += 1
        elif not answer.strip():
            reasons["blank-response"] += 1
        elif "\0" in question + answer:
            reasons["nul-character"] += 1
        elif key in seen:
            reasons["duplicate"] += 1
        else:
            seen.add(key)
            expected.append((question, answer))
    for records in (
        read_json(result.json_path),
        read_csv(result.csv_path),
        read_parquet(result.parquet_path),
    ):
        assert [(record["input"], record["response"]) for record in records] == expected
    source = result.statistics["sources"]["mine"]
    assert source["read"] == len(rows)
    assert (
        Counter(source["dropped"]) + Counter(duplicate=source["duplicates"].get("mine", 0))
        == reasons
    )


def test_a_source_with_one_bad_file_is_missing_as_a_whole(tmp_path: Path) -> None:
    home = tmp_path / "MentalChat16K"
    shutil.copytree(SAMPLE / "datasets" / "ShenLab" / "MentalChat16K", home)
    (home / "Synthetic_Data_10K.csv").write_bytes(b"")
    request = MergeRequest(sample=True, paths={"MentalChat16K": str(home)}, allow_missing=True)
    result = merge(request, Settings(data_dir=tmp_path / "data", workers=2))
    assert [entry["source"] for entry in result.missing] == ["MentalChat16K"]
    assert "MentalChat16K" not in {entry["name"] for entry in result.manifest["sources"]}
    assert result.statistics["missing"] == result.manifest["missing"]


def test_every_failure_is_told_with_what_to_do(tmp_path: Path) -> None:
    paths = {"TRACE": str(tmp_path / "no"), "Psych-101": str(tmp_path / "none")}
    with pytest.raises(SourcesError) as caught:
        merge(MergeRequest(sample=True, paths=paths), Settings(data_dir=tmp_path / "data"))
    assert [failure.source for failure in caught.value.failures] == ["Psych-101", "TRACE"]
    assert all(failure.advice for failure in caught.value.failures)

"""What the manifest says of a merge, whatever users ask for; and sources of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from corpora import (
    HOMES,
    NAMES,
    SAMPLE,
    digests,
    merge_own,
    merge_sample,
    own_rows,
    own_source,
    read_json,
)
from sample_numbers import OUTCOMES, READ

from mindcorpus.errors import DataError, NotFoundError, SettingsError, SourcesError
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.merge import MergeResult, merge
from mindcorpus.settings import Settings
from mindcorpus.sources import readers
from mindcorpus.verify import verify

if TYPE_CHECKING:
    from made_sample import Made

pytest_plugins = ("made_sample",)


def native(name: str) -> Path:
    """Where the sample's files of a source lie."""
    return SAMPLE / "datasets" / HOMES[name] if name in HOMES else SAMPLE / "raw" / name


# What the manifest says


def test_the_manifest_names_files_as_they_are_and_no_place_of_this_machine(sample: Made) -> None:
    manifest = json.loads(sample.merged.manifest_path.read_text("utf-8"))
    assert manifest == sample.merged.manifest
    folder = sample.data_dir / "artifacts/corpus"
    outputs = {output["path"]: output for output in manifest["outputs"]}
    found = digests(folder)
    del found["manifest.json"]
    assert {path: output["sha256"] for path, output in outputs.items()} == found
    assert all(
        (folder / path).stat().st_size == output["bytes"] for path, output in outputs.items()
    )
    rows = {path: output["rows"] for path, output in outputs.items()}
    assert sum(count for path, count in rows.items() if ".parquet/" in path) == manifest["rows"]
    assert rows["merged_mental_health_dataset.json"] == manifest["rows"]
    assert rows["merged_mental_health_dataset.lineage.parquet"] == READ
    for file in ("manifest.json", "README.md", "merged_mental_health_dataset.lineage.parquet"):
        raw = (folder / file).read_bytes()
        for place in (str(sample.data_dir), str(SAMPLE), str(Path.home()) + "/", "/tmp/"):
            assert place.encode() not in raw
    assert verify(sample.data_dir) == []


def test_the_manifest_names_every_source_file_with_its_checksum(sample: Made) -> None:
    for entry in sample.merged.manifest["sources"]:
        found = digests(native(entry["name"]))
        for file in entry["files"]:
            assert file["sha256"] == found[file["path"]]
            assert file["size"] == (native(entry["name"]) / file["path"]).stat().st_size
        assert entry["origin"] == "sample"
        assert entry["licence"]["id"]


@pytest.mark.parametrize(
    ("request_", "names"),
    [
        ({"sources": ("Psych-101", "TRACE")}, {"Psych-101", "TRACE"}),
        ({"exclude": ("TRACE",)}, {*NAMES} - {"TRACE"}),
        (
            {"commercial_only": True},
            {"Human-Like-DPO-Dataset", "Psych-101", "MentalChat16K", "Depression-Reddit-Cleaned"},
        ),
        ({"commercial_only": True, "exclude": ("MentalChat16K", "Psych-101")},
         {"Human-Like-DPO-Dataset", "Depression-Reddit-Cleaned"}),
    ],
)  # fmt: skip
def test_a_request_chooses_sources_and_the_manifest_says_so(
    request_: dict[str, Any], names: set[str], tmp_path: Path
) -> None:
    result = merge_sample(tmp_path, **request_)
    manifest = result.manifest
    assert {entry["name"] for entry in manifest["sources"]} == names
    assert {record["source"] for record in read_json(result.json_path)} == names
    asked = json.loads(json.dumps(request_))
    assert {**manifest["settings"], **asked} == manifest["settings"]
    licences = {entry["name"]: entry["licence"]["warning"] for entry in manifest["sources"]}
    assert result.warnings == tuple(warning for warning in licences.values() if warning)
    assert manifest["missing"] == manifest["absent"] == []


def test_duplicates_are_told_of_the_sources_that_are_merged(tmp_path: Path) -> None:
    counted = merge_sample(tmp_path, sources=("MentalChat16K",)).statistics["sources"][
        "MentalChat16K"
    ]
    assert counted["duplicates"] == {"MentalChat16K": 1}
    assert counted["kept"] == 72  # its twin in the counselling source is not there


def test_an_option_changes_records_and_the_mapping_s_checksum(sample: Made, tmp_path: Path) -> None:
    result = merge_sample(tmp_path, sources=("Psych-101",), options={"Psych-101.max_chars": "0"})
    before = [
        record for record in read_json(sample.merged.json_path) if record["source"] == "Psych-101"
    ]
    after = read_json(result.json_path)
    assert sorted(len(record["input"]) for record in before)[-2] <= 8000  # one has no nearer mark
    assert max(len(record["input"]) for record in after) > 50_000
    entry = {source["name"]: source for source in sample.merged.manifest["sources"]}["Psych-101"]
    assert result.manifest["sources"][0]["mapping_sha256"] != entry["mapping_sha256"]
    assert result.manifest["sources"][0]["files"] == entry["files"]
    assert result.manifest["settings"]["options"] == {"Psych-101.max_chars": "0"}


def test_a_path_reads_a_user_s_copy_and_is_told_by_name_alone(sample: Made, tmp_path: Path) -> None:
    paths = {"RedditESS": str(SAMPLE / "raw/RedditESS"), "TRACE": str(native("TRACE"))}
    settings = Settings(data_dir=tmp_path, workers=2)
    result = merge(MergeRequest(sources=("TRACE", "RedditESS"), paths=paths), settings)
    assert result.manifest["settings"]["paths"] == ["RedditESS", "TRACE"]
    assert [entry["origin"] for entry in result.manifest["sources"]] == ["local", "local"]
    assert str(SAMPLE) not in result.manifest_path.read_text("utf-8")
    assert result.statistics["by_source"] == {
        name: OUTCOMES[name].kept for name in ("RedditESS", "TRACE")
    }
    assert not (tmp_path / "sources.lock").exists()  # nothing to lock


def test_redditess_is_found_in_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/RedditESS").symlink_to(SAMPLE / "raw/RedditESS")
    request = MergeRequest(sources=("RedditESS",))
    result = merge(request, Settings(data_dir=tmp_path, workers=1))
    assert result.statistics["by_source"] == {"RedditESS": OUTCOMES["RedditESS"].kept}
    assert "keep the corpus to yourself" in result.notes[0]


def test_redditess_alone_and_absent_leaves_nothing_to_merge(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no source is left"):
        merge(MergeRequest(sources=("RedditESS",)), Settings(data_dir=tmp_path, workers=1))
    with pytest.raises(NotFoundError) as caught:
        merge(
            MergeRequest(sources=("RedditESS",), paths={"RedditESS": str(tmp_path / "nowhere")}),
            Settings(data_dir=tmp_path, workers=1),
        )
    assert "--path RedditESS=FOLDER" in caught.value.advice


# Sources of a user's own


def test_a_user_s_catalogue_is_merged_after_the_seven(tmp_path: Path) -> None:
    rows = [{"q": "How are you?", "a": "Well, thank you."}, {"q": "", "a": "No question"}]
    file = own_rows(tmp_path, "mine", rows, tags=["own", "small"])
    result = merge_sample(tmp_path / "data", workers=2, catalogs=(file,))
    assert [entry["name"] for entry in result.manifest["sources"]] == [*NAMES, "mine"]
    last = read_json(result.json_path)[-1]
    assert last == {
        "input": "How are you?",
        "response": "Well, thank you.",
        "rejected_response": "",
        "source": "mine",
        "type": "own",
        "tags": ["own", "small"],
    }
    assert result.statistics["sources"]["mine"]["dropped"] == {"blank-input": 1}
    assert str(tmp_path) not in result.manifest_path.read_text("utf-8")


def test_a_user_s_record_that_one_of_the_seven_has_is_the_duplicate(tmp_path: Path) -> None:
    known = json.loads((native("Human-Like-DPO-Dataset") / "data.json").read_text("utf-8"))[0]
    # The same pair: with another rejected answer, or with none, it would be another record.
    pair = {"q": known["prompt"] + " ", "a": known["chosen"], "r": known["rejected"]}
    file = own_rows(
        tmp_path, "mine", [pair, {"q": "x", "a": "y"}], options='rejected_response = "r"\n'
    )
    counted = merge_sample(tmp_path / "data", catalogs=(file,)).statistics["sources"]["mine"]
    assert counted["duplicates"] == {"Human-Like-DPO-Dataset": 1}


def write_json(path: Path) -> None:
    path.write_text('[{"q": "one", "a": "two"}, {"q": "three", "a"', "utf-8")


def write_csv(path: Path) -> None:
    path.write_text('q,a\none,two\n"three,four\n', "utf-8")


def write_parquet(path: Path) -> None:
    path.write_bytes(b"PAR1 cut off")


def write_empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("file", "spoil", "row"),
    [
        ("own.json", write_json, 1),
        ("own.csv", write_csv, 1),
        ("own.parquet", write_parquet, None),
        ("own.jsonl", write_empty, None),
    ],
)
def test_a_broken_file_is_named_with_its_row_and_nothing_is_published(
    file: str, spoil: Callable[[Path], None], row: int | None, workers: int, tmp_path: Path
) -> None:
    spoil(tmp_path / file)
    catalog = own_source(tmp_path, "mine", file)
    with pytest.raises(DataError) as caught:
        merge_sample(
            tmp_path / "data", workers=workers, sources=("TRACE", "mine"), catalogs=(catalog,)
        )
    assert (caught.value.source, caught.value.file, caught.value.row) == ("mine", file, row)
    assert "--allow-missing" in caught.value.advice
    assert not (tmp_path / "data/artifacts/corpus").exists()
    assert list((tmp_path / "data/staging").iterdir()) == []
    result = merge_sample(
        tmp_path / "data", sources=("TRACE", "mine"), catalogs=(catalog,), allow_missing=True
    )
    assert [entry["code"] for entry in result.missing] == ["bad-data"]
    assert result.warnings[0].startswith("Published without mine: ")
    assert result.statistics["by_source"] == {"TRACE": OUTCOMES["TRACE"].kept}


def test_all_failures_are_told_at_once(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_empty(tmp_path / f"{name}.jsonl")
    files = tuple(own_source(tmp_path, name, f"{name}.jsonl") for name in ("one", "two"))
    with pytest.raises(SourcesError, match="2 sources failed: one, two") as caught:
        merge_own(tmp_path / "data", *files)
    assert [type(failure) for failure in caught.value.failures] == [DataError, DataError]
    assert all(failure.advice for failure in caught.value.failures)


def test_a_source_of_which_nothing_is_kept_fails_with_the_first_reason(tmp_path: Path) -> None:
    file = own_rows(tmp_path, "mine", [{"question": "one", "a": "two"}] * 3)
    with pytest.raises(DataError, match="none of its 3 rows") as caught:
        merge_own(tmp_path / "data", file)
    assert "missing-column: there is no 'q'; the row has 'question', 'a'" in str(caught.value)
    assert caught.value.row == 0


def rows_of(result: MergeResult) -> int:
    return len(read_json(result.json_path))


def test_one_corpus_of_one_record_and_one_of_many_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = own_rows(tmp_path, "mine", [{"q": "one", "a": "two"}])
    assert rows_of(merge_own(tmp_path / "data", file)) == 1
    monkeypatch.setattr(readers, "SHARD_BYTES", 60)
    many = own_rows(tmp_path, "many", [{"q": f"{n % 7}", "a": f"{n % 3}"} for n in range(90)])
    # 21 differing pairs; most parts hold nothing but duplicates, and become no file.
    result = merge_own(tmp_path / "many data", many, workers=3)
    assert rows_of(result) == 21
    assert len(list(result.parquet_path.iterdir())) < 15
    assert verify(tmp_path / "many data") == []

"""Training formats: the right records in order, what their users load, and the provider's rules."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
import pandas as pd
import pyarrow as pa
import pytest
from corpora import (
    copy_of,
    digests,
    merge_own,
    merge_sample,
    own_rows,
    read_csv,
    read_json,
    read_parquet,
)
from plain_reading import fold
from registered import FORMATS
from sample_numbers import ANSWERED, UNANSWERED

from mindcorpus.errors import CorruptArtifactError, NoCorpusError, SettingsError
from mindcorpus.formats import chat_rules
from mindcorpus.formats.chat_file import check_chat_file
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing import runs
from mindcorpus.preparing.prepare import PrepareResult, prepare
from mindcorpus.settings import INSTRUCTION, SYSTEM_PROMPT, Settings
from mindcorpus.storage.manifest import read_manifest
from mindcorpus.verify import verify

if TYPE_CHECKING:
    from made_sample import Made

pytest_plugins = ("made_sample",)

COLUMNS = ["instruction", "input", "output", "source", "tags"]


def make(data_dir: Path, workers: int = 1, **choices: Any) -> dict[str, PrepareResult]:
    """Prepare with fields of a request, or of the settings."""
    asked = {
        name: choices.pop(name) for name in (*choices,) if name in PrepareRequest.__annotations__
    }
    settings = Settings(data_dir=data_dir, workers=workers, **choices)
    return prepare(PrepareRequest(**asked), settings)


def chats(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def answered(sample: Made) -> list[dict[str, Any]]:
    return [record for record in read_json(sample.merged.json_path) if record["response"]]


def arrow(folder: Path) -> list[dict[str, Any]]:
    """Read a split with plain pyarrow, in the order that its description names."""
    state = json.loads((folder / "state.json").read_text())
    rows: list[dict[str, Any]] = []
    for file in state["_data_files"]:
        with pa.OSFile(str(folder / file["filename"])) as raw, pa.ipc.open_stream(raw) as stream:
            rows += stream.read_all().to_pylist()
    return rows


# OpenAI


def test_the_chat_file_has_each_record_with_a_response_in_order(sample: Made) -> None:
    found = chats(sample.prepared["openai"].path)
    rows = [row for row in read_parquet(sample.merged.parquet_path) if row["response"]]
    # The rows of TRACE have system turns of their own.
    configured = [{"content": SYSTEM_PROMPT}]
    assert {row["source"] for row in rows if row["messages"]} == {"TRACE"}
    assert found == [
        {
            "messages": [
                {"role": "system", "content": (row["messages"] or configured)[0]["content"]},
                {"role": "user", "content": row["input"]},
                {"role": "assistant", "content": row["response"]},
            ]
        }
        for row in rows
    ]
    result = sample.prepared["openai"]
    assert result.rows == len(found) == ANSWERED
    assert result.skipped == {"no-response": UNANSWERED}
    raw = result.path.read_bytes()
    assert raw.endswith(b"}\n")
    assert "≥".encode() in raw


def test_the_rules_were_applied_to_that_very_file(sample: Made) -> None:
    result = sample.prepared["openai"]
    report = check_chat_file(result.path)
    assert result.findings == report.findings
    assert result.manifest["finding_counts"] == report.counts
    assert report.ok
    assert report.examples == ANSWERED


@pytest.mark.parametrize("workers", [1, 2])
def test_findings_are_those_of_the_whole_file_however_it_was_written(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_RUN_BYTES", 1)
    files = [
        own_rows(
            tmp_path, f"source-{at}", [{"q": f"{at} {n}", "a": "word " * 70_000} for n in range(at)]
        )
        for at in (1, 4)
    ]
    merge_own(tmp_path, *files)
    result = make(tmp_path, workers, format="openai")["openai"]
    report = check_chat_file(result.path)
    assert result.findings == report.findings
    assert result.manifest["finding_counts"] == report.counts
    assert {finding.line for finding in result.findings} == {None, 1, 2, 3, 4, 5}
    assert "too-few-examples" in report.counts


def test_a_file_over_the_provider_s_limit_is_found(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_rules, "MAX_FILE_BYTES", 100_000)
    result = make(copied, format="openai", force=True)["openai"]
    (finding,) = (each for each in result.findings if each.code == "file-too-large")
    assert finding.line is None
    assert f"{result.path.stat().st_size:,} bytes" in finding.reason
    assert result.findings == check_chat_file(result.path).findings


def test_the_system_prompt_is_a_setting(copied: Path) -> None:
    prompt = 'Be kind; say "hello".\nÉvitez les clichés 🙂'
    result = make(copied, format="openai", force=True, system_prompt=prompt)["openai"]
    assert {chat["messages"][0]["content"] for chat in chats(result.path)} == {prompt}
    assert result.manifest["settings"]["system_prompt"] == prompt
    assert verify(copied) == []


# Hugging Face


def test_datasets_loads_the_folder(sample: Made) -> None:
    loaded = datasets.load_from_disk(str(sample.prepared["huggingface"].path))
    assert list(loaded) == ["train", "validation"]
    for split in loaded.values():
        assert split.column_names == COLUMNS
        assert split.features == datasets.Features(
            {
                **{name: datasets.Value("string") for name in COLUMNS[:-1]},
                "tags": datasets.List(datasets.Value("string")),
            }
        )
    assert loaded["train"].num_rows + loaded["validation"].num_rows == ANSWERED
    assert abs(loaded["validation"].num_rows / ANSWERED - 0.2) <= 0.005
    assert loaded["train"].to_list() == arrow(sample.prepared["huggingface"].path / "train")


def test_plain_pyarrow_and_the_table_give_the_same_rows(sample: Made) -> None:
    folder = sample.prepared["huggingface"].path
    table = read_csv(folder / "dataset.csv")
    assert table == [
        {
            "instruction": INSTRUCTION,
            "input": record["input"],
            "output": record["response"],
            "source": record["source"],
            "tags": record["tags"],
        }
        for record in answered(sample)
    ]
    train, validation = arrow(folder / "train"), arrow(folder / "validation")
    # Each side is in the table's order, and together they are the table.
    rest = iter(table)
    assert all(row in rest for row in train)
    rest = iter(table)
    assert all(row in rest for row in validation)
    as_text = [json.dumps(row) for row in (*train, *validation)]
    assert Counter(as_text) == Counter(json.dumps(row) for row in table)
    frame = pd.read_csv(folder / "dataset.csv", keep_default_na=False, dtype=str)
    assert list(frame.columns) == COLUMNS
    assert list(frame["output"]) == [row["output"] for row in table]


def test_no_input_is_in_both_splits_and_the_manifest_proves_it(sample: Made) -> None:
    result = sample.prepared["huggingface"]
    inputs = {
        split: [fold(row["input"]) for row in arrow(result.path / split)]
        for split in ("train", "validation")
    }
    assert not set(inputs["train"]) & set(inputs["validation"])
    proof = json.loads((result.path / "manifest.json").read_text("utf-8"))["split"]
    assert proof == result.split
    assert proof["overlap"] == 0
    assert proof["parts"] == {
        split: {"rows": len(rows), "groups": len(set(rows))} for split, rows in inputs.items()
    }
    assert proof["share"] == round(len(inputs["validation"]) / ANSWERED, 6)
    for split in inputs:
        counts = Counter(row["source"] for row in arrow(result.path / split))
        assert {name: recorded[split] for name, recorded in proof["by_source"].items()} == counts


def test_instruction_share_and_seed_are_settings(copied: Path) -> None:
    def held_out(**given: Any) -> list[str]:
        result = make(copied, force=True, **given)["huggingface"]
        assert verify(copied) == []
        return [row["input"] for row in arrow(result.path / "validation")]

    first = held_out(instruction='Say "yes", or:\nno.')
    table = read_csv(copied / "mental_health_huggingface/dataset.csv")
    assert {row["instruction"] for row in table} == {'Say "yes", or:\nno.'}
    assert held_out() == first
    other = held_out(seed=7)
    assert other != first
    # The corpus is split so from now on, whatever the settings say.
    assert held_out() == other
    assert len(held_out(validation_share=0.5)) == pytest.approx(ANSWERED / 2, abs=2)
    split = read_manifest(copied / "artifacts/split")
    assert (split["settings"]["seed"], split["settings"]["validation_share"]) == (7, 0.5)


def test_a_setting_decides_the_first_split_of_a_corpus(tmp_path: Path) -> None:
    merge_sample(tmp_path)
    settings = Settings(data_dir=tmp_path, workers=1, seed=7, validation_share=0.3)
    prepare(PrepareRequest(), settings)
    split = read_manifest(tmp_path / "artifacts/split")
    expected = {"seed": 7, "validation_share": 0.3, "test_share": 0.0, "folds": 0}
    assert split["settings"] == expected
    make(tmp_path, force=True)
    assert read_manifest(tmp_path / "artifacts/split") == split


def test_one_group_that_is_nearly_all_is_told(tmp_path: Path) -> None:
    rows = [{"q": "always the same", "a": f"answer {n}"} for n in range(30)]
    merge_own(tmp_path, own_rows(tmp_path, "mine", [*rows, {"q": "another", "a": "answer"}]))
    result = make(tmp_path, format="huggingface")["huggingface"]
    assert result.split
    assert "the largest such group has 30 of 31 rows" in result.split["note"]
    assert result.split["note"] in result.warnings
    assert datasets.load_from_disk(str(result.path))["validation"].num_rows == 1


def test_an_empty_side_loads_too(tmp_path: Path) -> None:
    merge_own(tmp_path, own_rows(tmp_path, "mine", [{"q": "one", "a": "answer"}]))
    result = make(tmp_path)["huggingface"]
    loaded = datasets.load_from_disk(str(result.path))
    assert {split: rows.num_rows for split, rows in loaded.items()} == {"train": 1, "validation": 0}
    assert verify(tmp_path) == []


# Both


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_number_of_workers_changes_no_byte(workers: int, sample: Made, copied: Path) -> None:
    make(copied, workers, force=True)
    for kind in FORMATS:
        old, new = (digests(folder / "artifacts" / kind) for folder in (sample.data_dir, copied))
        assert new == old


@pytest.mark.parametrize("workers", [1, 2])
def test_how_the_work_is_cut_changes_no_row(
    workers: int, sample: Made, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_RUN_BYTES", 1)
    make(copied, workers, force=True)
    new, old = copied / "mental_health_huggingface", sample.prepared["huggingface"].path
    assert (new / "dataset.csv").read_bytes() == (old / "dataset.csv").read_bytes()
    chat = "mental_health_openai.jsonl"
    assert (copied / chat).read_bytes() == (sample.data_dir / chat).read_bytes()
    for split in ("train", "validation"):
        assert len(list((new / split).glob("*.arrow"))) == 9
        assert arrow(new / split) == arrow(old / split)
    told = sample.prepared["huggingface"].manifest["split"]["parts"]["train"]["rows"]
    assert datasets.load_from_disk(str(new))["train"].num_rows == told
    assert verify(copied) == []


def test_choices_hold_for_both_and_are_in_the_manifests(copied: Path) -> None:
    choices: dict[str, Any] = {
        "exclude": ("TRACE",),
        "types": ("clinical", "psychology"),
        "caps": {"Psych-101": 12},
    }
    results = make(copied, force=True, **choices)
    for result in results.values():
        manifest = json.loads(result.manifest_path.read_text("utf-8"))
        assert manifest == result.manifest
        assert manifest["rows"] == result.rows == 12
        recorded = manifest["settings"]
        assert (recorded["exclude"], recorded["types"]) == (["TRACE"], ["clinical", "psychology"])
        assert recorded["caps"] == {"Psych-101": 12}
        assert sum(entry["kept"] for entry in manifest["sources"]) == 12
        for entry in manifest["sources"]:
            assert entry["read"] == entry["kept"] + sum(entry["dropped"].values())
    inputs = [chat["messages"][1]["content"] for chat in chats(results["openai"].path)]
    assert inputs == [row["input"] for row in read_csv(results["huggingface"].path / "dataset.csv")]


def test_manifests_name_the_corpus_by_its_checksum_and_no_place(sample: Made) -> None:
    corpus = digests(sample.data_dir / "artifacts/corpus")["manifest.json"]
    for kind, result in sample.prepared.items():
        folder = sample.data_dir / "artifacts" / kind
        raw = (folder / "manifest.json").read_text("utf-8")
        assert result.manifest["corpus_sha256"] == corpus
        assert not re.search(rf"{re.escape(str(sample.data_dir))}|/tmp/", raw)
        found = digests(folder)
        del found["manifest.json"]
        assert {output["path"]: output["sha256"] for output in result.manifest["outputs"]} == found
        assert any("non-commercial" in warning for warning in result.warnings)


def test_a_warning_is_passed_on_for_the_sources_that_are_in_it(copied: Path) -> None:
    results = make(copied, force=True, exclude=("TRACE", "RedditESS"))
    for result in results.values():
        assert not any("TRACE" in warning or "RedditESS" in warning for warning in result.warnings)


def test_without_a_corpus_there_is_nothing_to_prepare(tmp_path: Path) -> None:
    with pytest.raises(NoCorpusError):
        make(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_corpus_without_answers_gives_no_format(tmp_path: Path) -> None:
    merge_sample(tmp_path, sources=("Depression-Reddit-Cleaned",))
    with pytest.raises(SettingsError, match="no record is left"):
        make(tmp_path)
    assert list((tmp_path / "staging").iterdir()) == []
    assert not (tmp_path / "mental_health_openai.jsonl").exists()


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("how", ["missing", "cut"])
def test_a_damaged_corpus_is_said_to_be_damaged(
    how: str, workers: int, sample: Made, tmp_path: Path
) -> None:
    data_dir = copy_of(sample.data_dir, tmp_path / "data")
    part = data_dir / "merged_mental_health_dataset.parquet/part-00003.parquet"
    if how == "missing":
        part.unlink()
    else:
        part.write_bytes(part.read_bytes()[:5000])
    before = digests(data_dir / "artifacts/openai")
    with pytest.raises(CorruptArtifactError):
        make(data_dir, workers, force=True)
    assert digests(data_dir / "artifacts/openai") == before
    assert list((data_dir / "staging").iterdir()) == []


def test_preparing_does_not_load_what_it_does_not_need(sample: Made, copied: Path) -> None:
    script = (
        "import sys; from mindcorpus import prepare_all_formats; "
        f"prepare_all_formats({str(copied)!r}, force=True); "
        "print([name for name in ('datasets', 'pandas', 'huggingface_hub') if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )
    assert found.stdout == "[]\n"

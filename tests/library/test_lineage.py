"""Lineage: every row that was read is in it once, leads back to its file, and tells no text."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from corpora import (
    HOMES,
    SAMPLE,
    merge_own,
    own_rows,
    own_source,
    read_json,
    read_parquet,
)
from plain_reading import fold, merged, read_native, words
from sample_numbers import OUTCOMES

from mindcorpus.errors import DataError
from mindcorpus.merging import part_records, parts
from mindcorpus.sources import readers

if TYPE_CHECKING:
    from made_sample import Made

pytest_plugins = ("made_sample",)

CANARY = "xylophonequartz"


@pytest.fixture
def lineage(sample: Made) -> list[dict[str, Any]]:
    return read_parquet(sample.merged.lineage_path)


def raw_rows(source: str, file: str) -> list[Any]:
    """Read a file of the sample by position."""
    home = SAMPLE / "datasets" / HOMES[source] if source in HOMES else SAMPLE / "raw" / source
    path = home / file
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as table:
            return list(csv.DictReader(table))
    text = path.read_text("utf-8")
    if text.lstrip().startswith("["):
        found: list[Any] = json.loads(text)
        return found
    return [json.loads(line) for line in text.splitlines() if line]


def test_every_row_read_is_in_it_once(lineage: list[dict[str, Any]]) -> None:
    places = [(row["source"], row["file"], row["row"], row["item"]) for row in lineage]
    assert len(set(places)) == len(places)
    outcomes = list(read_native(SAMPLE / "datasets", SAMPLE / "raw/RedditESS"))
    assert sorted(places) == sorted(
        (each.source, each.file, each.row, each.item) for each in outcomes
    )
    for source, file in {(row["source"], row["file"]) for row in lineage}:
        rows = {row["row"] for row in lineage if (row["source"], row["file"]) == (source, file)}
        assert rows == set(range(len(raw_rows(source, file))))


def test_its_counts_are_those_of_the_manifest(sample: Made, lineage: list[dict[str, Any]]) -> None:
    for entry in sample.merged.manifest["sources"]:
        mine = [row for row in lineage if row["source"] == entry["name"]]
        assert len(mine) == entry["read"]
        status = Counter(row["status"] for row in mine)
        assert status["kept"] == entry["kept"]
        assert status["duplicate"] == sum(entry["duplicates"].values())
        dropped = Counter(row["reason"] for row in mine if row["status"] == "dropped")
        assert dropped == entry["dropped"]
        assert (
            Counter(row["changed"] for row in mine if row["status"] == "kept" and row["changed"])
            == (entry["changed"])
        )


def test_a_row_leads_to_its_record_and_a_duplicate_to_its_twin(
    sample: Made, lineage: list[dict[str, Any]]
) -> None:
    records = read_json(sample.merged.json_path)
    _, final = merged(list(read_native(SAMPLE / "datasets", SAMPLE / "raw/RedditESS")))
    expected = {(each.source, each.file, each.row, each.item): each for each in final}
    for row in lineage:
        outcome = expected[row["source"], row["file"], row["row"], row["item"]]
        if row["status"] == "kept":
            assert records[row["corpus_row"]] == outcome.record
            assert row["reason"] is None
        elif row["status"] == "duplicate":
            assert row["evidence"] == f"the same as corpus row {outcome.reason.split()[1]}"
            assert row["corpus_row"] is None
        else:
            assert (row["status"], row["reason"]) == ("dropped", outcome.reason)
            assert row["corpus_row"] is None
    places = [row["corpus_row"] for row in lineage if row["status"] == "kept"]
    assert sorted(places) == list(range(len(records)))


def test_the_texts_it_points_at_stand_in_the_source_s_file(
    sample: Made, lineage: list[dict[str, Any]]
) -> None:
    records = read_json(sample.merged.json_path)
    columns = {
        "Human-Like-DPO-Dataset": ("prompt", "chosen"),
        "mental_health_counseling_conversations": ("Context", "Response"),
        "MentalChat16K": ("input", "output"),
        "Depression-Reddit-Cleaned": ("clean_text", None),
    }
    looked = 0
    for row in lineage:
        if row["status"] == "kept" and row["source"] in columns:
            question, answer = columns[row["source"]]
            raw = raw_rows(row["source"], row["file"])[row["row"]]
            assert records[row["corpus_row"]]["input"] == raw[question]
            if answer:
                # A run-on was cut off its end, and that is said.
                assert raw[answer].startswith(records[row["corpus_row"]]["response"])
                assert (raw[answer] == records[row["corpus_row"]]["response"]) != bool(
                    row["changed"]
                )
            looked += 1
    assert looked == sum(OUTCOMES[name].kept for name in columns)


def test_it_knows_licence_revision_lengths_and_tags(
    sample: Made, lineage: list[dict[str, Any]]
) -> None:
    records = read_json(sample.merged.json_path)
    licences = {
        entry["name"]: entry["licence"]["id"] for entry in sample.merged.manifest["sources"]
    }
    for row in lineage:
        assert row["licence"] == licences[row["source"]]
        assert row["revision"] == "sample"
        if row["status"] != "kept":
            continue
        record = records[row["corpus_row"]]
        assert json.loads(row["tags"]) == record["tags"]
        assert row["type"] == record["type"]
        for side in ("input", "response"):
            assert row[f"{side}_chars"] == len(record[side])
            assert row[f"{side}_words"] == words(record[side])


def test_equal_inputs_have_equal_keys_and_others_do_not(
    sample: Made, lineage: list[dict[str, Any]]
) -> None:
    records = read_json(sample.merged.json_path)
    kept = [row for row in lineage if row["status"] == "kept"]
    pairs = {(fold(records[row["corpus_row"]]["input"]), row["input_key"]) for row in kept}
    assert len(pairs) == len({text for text, _ in pairs}) == len({key for _, key in pairs})


@pytest.mark.parametrize("workers", [1, 2])
def test_rows_are_numbered_over_the_whole_file_however_it_is_cut(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "SHARD_BYTES", 100)
    monkeypatch.setattr(part_records, "_BATCH_ROWS", 3)
    monkeypatch.setattr(parts, "_INDEX_ROWS", 2)
    rows = [{"q": f"{n}" if n % 5 else "", "a": "yes"} for n in range(50)]
    result = merge_own(tmp_path / "data", own_rows(tmp_path, "mine", rows), workers=workers)
    found = read_parquet(result.lineage_path)
    assert [row["row"] for row in found] == list(range(50))
    records = read_json(result.json_path)
    for row in found:
        if row["status"] == "kept":
            assert records[row["corpus_row"]]["input"] == str(row["row"])
        else:
            assert (row["reason"], row["row"] % 5) == ("blank-input", 0)


# No text


def bad_rows() -> str:
    """Give JSON lines, each of which is dropped for another reason, all with the canary in them."""
    good = {"q": f"{CANARY} kept", "a": f"{CANARY} answer"}
    rows: list[Any] = [
        good,
        {"q": f"{CANARY}  kept ", "a": f"{CANARY} answer"},
        {"q": "", "a": CANARY},
        {"q": CANARY, "a": " "},
        {"q": CANARY + "\0", "a": CANARY},
        {"q": CANARY, "a": {"text": 7}},
        {"a": CANARY},
        {"q": CANARY, "a": [CANARY]},
        CANARY,
    ]
    lines = [json.dumps(row) for row in rows]
    lines += [
        f'{{"q": "{CANARY}, "a": "{CANARY}"}}',
        f'{{"q": "{CANARY} \\ud800", "a": "{CANARY}"}}',
    ]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("workers", [1, 2])
def test_no_text_is_anywhere_but_in_the_records(workers: int, tmp_path: Path) -> None:
    with (tmp_path / "mine.jsonl").open("wb") as file:
        file.write(bad_rows().encode() + b'{"q": "' + CANARY.encode() + b'\xff", "a": "b"}\n')
    result = merge_own(
        tmp_path / "data",
        own_source(tmp_path, "mine", "mine.jsonl"),
        workers=workers,
        allow_loss={"mine": 0.9},
    )
    found = read_parquet(result.lineage_path)
    assert [row["reason"] for row in found] == [
        None,
        "duplicate",
        "blank-input",
        "blank-response",
        "nul-character",
        "wrong-type",
        "missing-column",
        "wrong-type",
        "wrong-type",
        "broken-json",
        "not-utf8",
        "not-utf8",
    ]
    assert CANARY not in str(found)
    assert CANARY.encode() not in result.lineage_path.read_bytes()
    artifact = result.manifest_path.resolve().parent
    for path in (artifact / "manifest.json", artifact / "README.md"):
        assert CANARY not in path.read_text("utf-8")
    assert CANARY in result.json_path.read_text("utf-8")
    assert CANARY not in str(result.notes) + str(result.warnings) + str(result.statistics)


def test_no_text_is_in_an_error(tmp_path: Path) -> None:
    for name, text in {
        "one.json": f'[{{"q": "{CANARY}", "a": "{CANARY}"}}, {{"q": "{CANARY}',
        "two.csv": f'q,a\n{CANARY},{CANARY}\n"{CANARY}" {CANARY},2\n',
        "three.jsonl": json.dumps({"q": CANARY, "a": [1]}) + "\n",
    }.items():
        (tmp_path / name).write_text(text)
        catalog = own_source(tmp_path, Path(name).stem, name)
        with pytest.raises(DataError) as caught:
            merge_own(tmp_path / "data", catalog)
        error = caught.value
        assert CANARY not in f"{error} {error.as_dict()} {error.__dict__}"


def test_the_sample_s_lineage_holds_none_of_its_texts(sample: Made) -> None:
    raw = str(read_parquet(sample.merged.lineage_path))
    for record in read_json(sample.merged.json_path):
        assert record["input"] not in raw or len(record["input"]) < 20

"""The sample is what its README.md says, and the real slices, where they are, what theirs says."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from raw_files import HUB, SAMPLE, adapt_file, dropped, kept, needs_hub, read, reasons, values
from sample_numbers import FILES, OUTCOMES, said

from mindcorpus.records import fold
from mindcorpus.sources.adapters import Kept
from mindcorpus.sources.catalog import load_catalog

CATALOG = load_catalog()
DATASETS = SAMPLE / "datasets"


def outcomes(name: str, file: int = 0, root: Path = DATASETS) -> Any:
    source = CATALOG[name]
    return adapt_file(source, root / str(source.repository), file)


def raw(path: str, root: Path = DATASETS) -> list[Any]:
    """Read a file by the standard library."""
    text = (root / path).read_bytes().decode()
    if path.endswith(".csv"):
        csv.field_size_limit(1 << 30)
        return list(csv.DictReader(text.splitlines(keepends=True)))
    if text.startswith("["):
        return list(json.loads(text))
    return [json.loads(line) for line in text.split("\n") if line]


def test_the_readme_counts_the_rows_of_every_file() -> None:
    found = {
        path.relative_to(SAMPLE).as_posix()
        for path in SAMPLE.rglob("*")
        if path.is_file() and path.suffix != ".md"
    }
    assert set(FILES) == found


@pytest.mark.parametrize("path", FILES)
def test_each_file_has_the_rows_its_readme_counts(path: str) -> None:
    found = values(read(SAMPLE / path))
    assert len(found) == FILES[path]
    assert found == raw(path, SAMPLE)


def test_human_like() -> None:
    rows = raw("HumanLLMs/Human-Like-DPO-Dataset/data.json")
    assert (DATASETS / "HumanLLMs/Human-Like-DPO-Dataset/data.json").read_bytes().isascii()
    (beyond,) = said(r"\((\d+) rows hold something beyond ASCII")
    assert sum(not json.dumps(row, ensure_ascii=False).isascii() for row in rows) == beyond
    assert (len({row["prompt"] for row in rows}),) == said(r"(\d+) prompts,")

    found = outcomes("Human-Like-DPO-Dataset")
    assert dropped(found) == {41: "blank-response"}
    assert [record.number for record in kept(found) if not record.rejected_response] == [20]
    assert found[0] == Kept(0, rows[0]["prompt"], rows[0]["chosen"], rows[0]["rejected"])


def test_counselling() -> None:
    rows = raw("Amod/mental_health_counseling_conversations/combined_dataset.json")
    found = outcomes("mental_health_counseling_conversations")
    assert dropped(found) == {30: "blank-response", 53: "blank-response", 40: "embedded-data"}
    as_bytes = {row["Context"] for row in rows}
    questions = {fold(row["Context"].encode()) for row in rows}
    assert (len(questions), len(as_bytes)) == said(r"(\d+) questions \((\d+) as bytes")
    for later, earlier in ((94, 2), (95, 17), (96, 45)):
        assert found[later][1:] == found[earlier][1:]
    assert found[97][1:3] != found[1][1:3]
    assert [fold(text.encode()) for text in found[97][1:3]] == [
        fold(text.encode()) for text in found[1][1:3]
    ]
    assert (sum("\xa0" in row["Response"] for row in rows),) == said(r"U\+00A0 in (\d+) answers")
    crlf = [row["Context"] for row in rows if "\r\n" in row["Context"]]
    assert (len(crlf), len(set(crlf))) == said(r"CRLF in (\d+) rows of (\d+) questions")
    assert "\r\n" in found[93].response


def test_psych_101() -> None:
    rows = raw("marcelbinz/Psych-101/prompts_training.jsonl")
    found = outcomes("Psych-101")
    assert dropped(found) == {63: "no-mark", 37: "no-mark", 72: "no-mark"}
    for record in kept(found):
        text = rows[record.number]["text"]
        assert "<<" not in record.input
        assert f"<<{record.response}>>" in text.replace("<< ", "<<").replace(" >>", ">>")
        assert text.replace("<<", "").replace(">>", "").startswith(record.input)
        assert len(record.input) <= 8000 or record.number == 34
        experiment = rows[record.number]["experiment"]
        assert record.tags[0] == f"experiment:{experiment}"
        assert len(record.tags) == (1 if experiment.startswith("wu2023chunking/") else 2)
    assert (len({row["experiment"] for row in rows}),) == said(r"(\d+) experiments,")
    assert len(found[34].input) > 8000
    assert (len(rows[24]["text"]),) == said(r"Row 24 has ([\d,]+) characters")
    assert 7_000 < len(found[24].input) <= 8000
    assert "\n" in found[42].response
    assert not found[42].response.isascii()
    assert found[74][1:] == found[43][1:]
    accents = [record for record in kept(found) if "collsiöö2023MCPL" in record.tags[0]]
    assert accents
    assert {record.tags[1] for record in accents} == {"categorization"}


def test_mentalchat() -> None:
    interview, synthetic = outcomes("MentalChat16K"), outcomes("MentalChat16K", 1)
    assert dropped(interview) == {4: "blank-response", 9: "blank-input"}
    assert dropped(synthetic) == {}
    assert [record.number for record in kept(interview) if record.changed] == [22]
    assert interview[22].changed == ("run-on-cut",)
    assert "counselling assistant" not in interview[22].response
    for text in interview[13][1:3]:
        assert '"' in text
        assert "\n" in text
    for text in interview[18][1:3]:
        assert "\r\n" in text
    assert synthetic[3].input == "NA"
    assert synthetic[11].input != synthetic[11].input.strip()
    assert not synthetic[17].input.isascii()
    assert (synthetic[24].input[0], synthetic[24].input[-1]) == ('"', '"')
    assert synthetic[33][1:3] == interview[6][1:3]
    assert synthetic[39][1:3] == outcomes("mental_health_counseling_conversations")[67][1:3]


def test_redditess_comments() -> None:
    table = read(SAMPLE / "raw/RedditESS/comments.csv")
    found = list(CATALOG["RedditESS"].build_adapter()(table))
    lost = dropped(found)
    assert {number for number, reason in lost.items() if reason == "deleted"} == {4, 37, 12, 49}
    assert {number for number, reason in lost.items() if reason == "blank-response"} == {20}
    counts = reasons(found)
    not_effective = counts["used-as-rejected"] + counts["not-effective"]
    left = said(r"That leaves (\d+) effective and (\d+) not effective")
    assert (len(kept(found)), not_effective) == left
    assert set(counts) == {"deleted", "blank-response", "used-as-rejected", "not-effective"}
    records = {record.number: record for record in kept(found)}
    assert records[19][1:3] == records[18][1:3]
    rows = raw("../raw/RedditESS/comments.csv")
    posts = {row["post_id"] for row in rows}
    answered = {rows[number]["post_id"] for number in records}
    rejected = {rows[r.number]["post_id"] for r in kept(found) if r.rejected_response}
    assert posts - answered == {"p007"}
    assert answered - rejected == {"p005", "p013", "p016"}
    decoded = {number for number, record in records.items() if record.changed}
    assert {rows[number]["post_id"] for number in decoded} >= {"p003", "p008"}
    assert not any("&amp;" in text for record in kept(found) for text in record[1:4])


def test_redditess_threads_keep_one_comment_for_each_post_that_has_any() -> None:
    path = "raw/RedditESS/threads.json"
    outcomes = list(CATALOG["RedditESS"].build_adapter()(read(SAMPLE / path)))
    (comments,) = said(r"other posts, with (\d+) comments")
    lost = reasons(outcomes)
    assert len(kept(outcomes)) == FILES[path] - lost.pop("no-comment")
    assert len(kept(outcomes)) + lost.total() == comments
    assert set(lost) == {"not-chosen", "deleted", "blank-response"}
    assert lost["not-chosen"] == OUTCOMES["RedditESS"].dropped["not-chosen"]
    best = {record.number: record.item for record in kept(outcomes)}
    assert best[2] != 0
    assert best[7] != 0
    assert best[9] != 0


def test_trace() -> None:
    rows = raw("PomboLabs/TRACE/data/splits/train.jsonl")
    found = outcomes("TRACE")
    assert dropped(found) == {}
    for record in kept(found):
        system, user, assistant = rows[record.number]["messages"]
        assert record[1:4] == (user["content"], assistant["content"], "")
        assert system["content"] not in record.input
        assert not record.changed
        assert len(record.tags) == 2
        assert "≥" in record.response
    first = [record.tags[0] for record in kept(found)]
    second = [record.tags[1] for record in kept(found)]
    programs, each = said(r"train: (\d+) rows `teaching_program` \((\d+) each of")
    interpretations, of = said(r"(\d+) `session_interpretation` \((\d+) values of")
    assert first.count("teaching_program") == programs
    assert first.count("session_interpretation") == interpretations
    assert [second.count(method) for method in ("dtt", "net", "task_analysis")] == [each] * 3
    patterns = [tags for tags in second if tags not in ("dtt", "net", "task_analysis")]
    assert len(set(patterns)) == of
    (more,) = said(r"but (\d+) of `mastery_progression` and `rapid_acquisition`")
    assert [patterns.count(name) for name in ("mastery_progression", "rapid_acquisition")] == [
        more,
        more,
    ]


def test_depression() -> None:
    found = outcomes("Depression-Reddit-Cleaned")
    assert dropped(found) == {}
    labelled, others = said(r"(\d+) rows of label 1, then (\d+) of label 0")
    assert [record.tags for record in kept(found)] == [
        *[("reddit", "depression")] * labelled,
        *[("not-depression",)] * others,
    ]
    assert {record.response for record in kept(found)} == {""}
    for later, earlier in ((56, 10), (57, 24), (114, 61), (115, 83)):
        assert found[later].input == found[earlier].input
    different = {record.input for record in kept(found)}
    assert len(different) == OUTCOMES["Depression-Reddit-Cleaned"].kept
    assert [n for n, record in enumerate(found) if len(record.input.split()) <= 2] == [
        18,
        37,
        74,
        113,
    ]
    assert "–" in found[20].input
    assert max(found, key=lambda record: len(record.input)).number == 4
    assert (len(found[4].input),) == said(r"the longest \((\d+) characters\)")


# The real slices


@needs_hub
@pytest.mark.parametrize(
    ("name", "file", "rows", "lost"),
    [
        ("Human-Like-DPO-Dataset", 0, 242, {}),
        (
            "mental_health_counseling_conversations",
            0,
            216,
            {"blank-response": 4, "embedded-data": 1},
        ),
        # The sessions with an empty mark and with one never closed have good ones as well.
        ("Psych-101", 0, 72, {"no-mark": 1}),
        ("MentalChat16K", 0, 36, {"blank-input": 1, "blank-response": 1}),
        ("MentalChat16K", 1, 83, {}),
        ("TRACE", 0, 61, {}),
        ("Depression-Reddit-Cleaned", 0, 293, {}),
    ],
)
def test_each_real_slice_is_read_whole_and_loses_what_it_should(
    name: str, file: int, rows: int, lost: dict[str, int]
) -> None:
    source = CATALOG[name]
    path = f"{source.repository}/{source.files[file].path}"
    found = values(read(HUB / path, source.files[file].read_as or "jsonl"))
    assert found == raw(path, HUB)
    adapted = outcomes(name, file, HUB)
    assert len(found) == len(adapted) == rows
    assert reasons(adapted) == lost


@needs_hub
def test_real_texts_are_kept_as_they_are() -> None:
    rows = raw("Amod/mental_health_counseling_conversations/combined_dataset.json", HUB)
    for record in kept(outcomes("mental_health_counseling_conversations", root=HUB)):
        row = rows[record.number]
        assert record[1:3] == (row["Context"], row["Response"])
    rows = raw("ShenLab/MentalChat16K/Synthetic_Data_10K.csv", HUB)
    records = kept(outcomes("MentalChat16K", 1, HUB))
    assert [record[1:3] for record in records] == [(row["input"], row["output"]) for row in rows]
    assert "NA" in {record.input for record in records}


@needs_hub
def test_the_real_sessions_keep_their_last_choice_within_reach() -> None:
    rows = raw("marcelbinz/Psych-101/prompts_training.jsonl", HUB)
    assert max(len(row["text"]) for row in rows) == 144_117
    for record in kept(outcomes("Psych-101", root=HUB)):
        text = rows[record.number]["text"]
        assert text.replace("<<", "").replace(">>", "").startswith(record.input)
        assert len(record.input) <= 8000

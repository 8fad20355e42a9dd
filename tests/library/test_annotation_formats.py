"""Formats for annotation: each record with the number of its corpus row, as tools import it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from corpora import digests, merge_own, merge_sample, own_rows
from exports import corpus_of, files_in, traced

from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing import runs as preparing_runs
from mindcorpus.preparing.prepare import PrepareResult, prepare
from mindcorpus.settings import Settings
from mindcorpus.verify import verify

FORMATS = ("label-studio", "argilla")
SAMPLE = Path(__file__).parents[1] / "chat_sample"


def make(data_dir: Path, workers: int = 1, **request: Any) -> dict[str, PrepareResult]:
    asked = PrepareRequest(**{"formats": FORMATS, "force": True, **request})
    return prepare(asked, Settings(data_dir=data_dir, workers=workers))


@pytest.mark.parametrize("workers", [1, 2])
def test_every_record_names_its_corpus_row_and_holds_its_flat_view(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing_runs, "_RUN_BYTES", 1)  # several runs, even of the sample
    merge_sample(tmp_path, catalogs=(str(SAMPLE / "catalog.toml"),))
    corpus = corpus_of(tmp_path)
    made = make(tmp_path, workers)
    assert files_in(made["label-studio"]) == {"tasks.json"}
    assert files_in(made["argilla"]) == {"train.jsonl", "validation.jsonl"}
    for name in FORMATS:
        found = traced(made[name], corpus)
        assert len(found) == made[name].rows > 300
        for line in found:
            names = ("input", "response", "source", "type", "tags")
            flat = {name: line.record[name] for name in names}
            if name == "label-studio":
                place = {"corpus_row": line.corpus_row, "part": line.part}
                assert line.value == {"data": {**place, **flat}}
            else:
                fields = {side: flat.pop(side) for side in names[:2]}
                metadata = {"corpus_row": line.corpus_row, **flat}
                id_ = str(line.corpus_row)
                assert line.value == {"id": id_, "fields": fields, "metadata": metadata}
        assert made[name].changed["conversation-made-flat"] > 40
    assert verify(tmp_path) == []


def test_a_record_has_the_same_part_in_both(tmp_path: Path) -> None:
    merge_sample(tmp_path)
    made = make(tmp_path, test_share=0.1)
    corpus = corpus_of(tmp_path)
    tasks, records = (
        {line.corpus_row: line.part for line in traced(made[name], corpus)} for name in FORMATS
    )
    assert tasks == records
    assert {*tasks.values()} == {"train", "validation", "test"}


def test_tasks_are_one_json_array_whatever_the_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"q": f"q{at} 😀\u2028", "a": f"“a{at}”"} for at in range(40)]
    found = []
    for workers, size in ((1, 2**30), (2, 1)):
        monkeypatch.setattr(preparing_runs, "_RUN_BYTES", size)
        folder = tmp_path / str(workers)
        halves = (own_rows(folder / "own", f"half-{at}", rows[at::2]) for at in (0, 1))
        merge_own(folder, *halves, workers=workers)
        made = make(folder, workers, mix={"half-1": 2.0})
        tasks = json.loads((made["label-studio"].path / "tasks.json").read_text("utf-8"))
        counts = Counter(task["data"]["corpus_row"] for task in tasks)
        assert {*counts} == {*range(40)}
        again = {row for row, count in counts.items() if count == 2}
        assert again == {
            task["data"]["corpus_row"]
            for task in tasks
            if (task["data"]["source"], task["data"]["part"]) == ("half-1", "train")
        }
        found.append(digests(folder / "artifacts", ".json", ".jsonl"))
    assert found[0] == found[1]

"""The statistics, computed a second time in plain Python from the records themselves."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from corpora import HOMES, NAMES, SHARED, merge_own, own_rows, read_json
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st
from plain_reading import fold, words

from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging import parts
from mindcorpus.merging.merge import MergeResult, merge
from mindcorpus.settings import Settings
from mindcorpus.sources import readers
from mindcorpus.stages import base

if TYPE_CHECKING:
    from made_sample import Made

pytest_plugins = ("made_sample",)

UNITS = {"characters": len, "words": words}


def summary(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Give mean, median, p5, p95 and max of the texts that are there, and how many are.

    A percentile is the value at or below its place.
    """
    found: dict[str, Any] = {}
    for side in ("input", "response"):
        there = [record[side] for record in records if record[side]]
        if there:
            found[side] = {"rows": len(there)}
        for unit, measure in UNITS.items() if there else ():
            lengths = sorted(map(measure, there))
            found[side][unit] = {
                "mean": pytest.approx(sum(lengths) / len(lengths), abs=0.051),
                "median": lengths[(len(lengths) - 1) * 50 // 100],
                "p5": lengths[(len(lengths) - 1) * 5 // 100],
                "p95": lengths[(len(lengths) - 1) * 95 // 100],
                "max": lengths[-1],
            }
    return found


def check(statistics: dict[str, Any], records: list[dict[str, Any]]) -> None:
    """Compare statistics with those of the records."""
    by_source = Counter(record["source"] for record in records)
    assert statistics["records"] == len(records)
    assert statistics["by_source"] == {name: by_source[name] for name in statistics["by_source"]}
    assert set(by_source) <= set(statistics["by_source"])
    assert statistics["by_type"] == Counter(record["type"] for record in records)
    tags = Counter(tag for record in records for tag in record["tags"])
    assert statistics["by_tag"] == tags
    for ranked in (statistics["by_type"], statistics["by_tag"]):
        assert list(ranked.items()) == sorted(ranked.items(), key=lambda item: (-item[1], item[0]))
    groups = {"all": records}
    groups |= {name: [each for each in records if each["source"] == name] for name in by_source}
    assert statistics["lengths"] == {name: summary(group) for name, group in groups.items()}
    for counts in statistics["sources"].values():
        gone = sum(counts["dropped"].values()) + sum(counts["duplicates"].values())
        assert counts["read"] == counts["kept"] + gone
    # The inputs of a source's duplicates are no longer among its records.
    inputs: dict[str, set[str]] = defaultdict(set)
    for record in records:
        inputs[fold(record["input"])].add(record["source"])
    shared = Counter(
        pair for sources in inputs.values() for pair in combinations(sorted(sources), 2)
    )
    overlaps = {tuple(sorted(pair["sources"])): pair for pair in statistics["overlap"]}
    assert set(shared) <= set(overlaps)
    for names, pair in overlaps.items():
        crossed = sum(
            statistics["sources"][mine]["duplicates"].get(other, 0)
            for mine, other in (names, names[::-1])
        )
        assert pair["records"] == crossed
        assert shared[names] <= pair["inputs"]
        assert pair["inputs"] + pair["records"] > 0


def test_statistics_of_the_sample(sample: Made) -> None:
    check(sample.merged.statistics, read_json(sample.merged.json_path))
    assert tuple(sample.merged.statistics["by_source"]) == NAMES
    assert sample.merged.statistics["overlap"] == [
        {
            "sources": ["mental_health_counseling_conversations", "MentalChat16K"],
            "inputs": 1,
            "records": 1,
        }
    ]
    assert sample.merged.statistics["sources"]["MentalChat16K"]["changed"] == {"run-on-cut": 1}


@pytest.mark.skipif(not (SHARED / "hub").is_dir(), reason="the real slices are not here")
def test_statistics_of_the_real_slices(tmp_path: Path) -> None:
    paths = {name: str(SHARED / "hub/datasets" / home) for name, home in HOMES.items()}
    paths["RedditESS"] = str(SHARED / "local/RedditESS")
    result = merge(MergeRequest(paths=paths), Settings(data_dir=tmp_path, workers=2))
    check(result.statistics, read_json(result.json_path))


def test_they_are_plain_json_in_the_manifest_and_in_the_result(sample: Made) -> None:
    statistics = sample.merged.statistics
    assert json.loads(json.dumps(statistics)) == statistics
    on_disk = json.loads(sample.merged.manifest_path.read_text("utf-8"))
    assert on_disk["statistics"] == statistics
    assert list(on_disk["statistics"]["by_tag"]) == list(statistics["by_tag"])


text = st.sampled_from(["a", "b c", "b  c", "d\ne f", "é", "a longer one of seven words here"])
rows = st.lists(st.tuples(text, text), min_size=1, max_size=12)


def merge_lists(folder: Path, lists: list[list[tuple[str, str]]], workers: int = 1) -> MergeResult:
    files = [
        own_rows(
            folder, f"source-{at}", [{"q": q, "a": a} for q, a in each], tags=[f"tag-{at % 2}"]
        )
        for at, each in enumerate(lists)
    ]
    return merge_own(folder / "data", *files, workers=workers)


@runs(max_examples=15, deadline=None)
@given(lists=st.lists(rows, min_size=1, max_size=4))
def test_statistics_of_any_sources_with_the_overlap_exactly(
    lists: list[list[tuple[str, str]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "PARTITION", 4)
        patch.setattr(parts, "_INDEX_ROWS", 3)
        patch.setattr(readers, "SHARD_BYTES", 64)
        result = merge_lists(tmp_path_factory.mktemp("any"), lists)
    check(result.statistics, read_json(result.json_path))
    inputs = [{fold(question) for question, _ in each} for each in lists]
    expected = {
        (f"source-{one}", f"source-{two}"): len(inputs[one] & inputs[two])
        for one, two in combinations(range(len(lists)), 2)
        if inputs[one] & inputs[two]
    }
    overlaps = {tuple(pair["sources"]): pair["inputs"] for pair in result.statistics["overlap"]}
    assert overlaps == expected


def test_a_source_that_is_all_duplicates_is_told_with_no_records(tmp_path: Path) -> None:
    result = merge_lists(tmp_path, [[("a", "b"), ("c", "d")], [("a", "b")]], workers=2)
    statistics = result.statistics
    assert statistics["by_source"] == {"source-0": 2, "source-1": 0}
    assert statistics["sources"]["source-1"]["duplicates"] == {"source-0": 1}
    assert "source-1" not in statistics["lengths"]
    check(statistics, read_json(result.json_path))

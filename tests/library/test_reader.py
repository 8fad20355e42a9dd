"""Pages of records: the same whatever way is taken to them, and bounded where texts are read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mindcorpus import merge_all_datasets
from mindcorpus.corpus.index import Filter
from mindcorpus.corpus.reader import Records, browse, lineage
from mindcorpus.corpus.search import Search
from mindcorpus.errors import SettingsError
from mindcorpus.storage.store import Store


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browsing")
    merge_all_datasets(folder, sample=True)
    return folder


def everything(corpus: Path) -> list[dict[str, Any]]:
    return browse(corpus, limit=100_000).records


def words_of(record: dict[str, Any]) -> int:
    return len(record["input"].split()) + len(record["response"].split())


def test_rows_are_counted_from_0_and_pages_join_without_a_gap(corpus: Path) -> None:
    every = everything(corpus)
    assert [record["row"] for record in every] == list(range(len(every)))
    paged, offset = [], 0
    while True:
        page = browse(corpus, offset=offset, limit=50)
        assert page.matched == len(every)
        paged += page.records
        if page.next_offset is None:
            break
        offset = page.next_offset
    assert paged == every


@pytest.mark.parametrize(
    "wanted",
    [
        {"source": "TRACE"},
        {"type": "counseling"},
        {"tag": "reddit"},
        {"min_words": 100, "max_words": 200},
        {"source": "MentalChat16K", "tag": "synthetic", "min_words": 60},
        {"min_words": 10**6},
    ],
)
def test_filters_give_what_a_look_at_each_record_gives(
    corpus: Path, wanted: dict[str, Any]
) -> None:
    expected = [
        record
        for record in everything(corpus)
        if wanted.get("source", record["source"]) == record["source"]
        and wanted.get("type", record["type"]) == record["type"]
        and ("tag" not in wanted or wanted["tag"] in record["tags"])
        and words_of(record) >= wanted.get("min_words", 0)
        and words_of(record) <= wanted.get("max_words", 10**9)
    ]
    page = browse(corpus, limit=100_000, **wanted)
    assert (page.records, page.matched) == (expected, len(expected))


def test_a_filter_that_nothing_can_pass_is_refused(corpus: Path) -> None:
    with pytest.raises(SettingsError, match="no source 'Nobody'"):
        browse(corpus, source="Nobody")


def test_a_search_bit_by_bit_finds_what_a_full_search_finds(corpus: Path) -> None:
    records = Records(Store(corpus).folder("corpus"))
    words, wanted = ("the", "AND"), Filter(tag="counseling")
    expected = browse(corpus, tag="counseling", search="the AND", limit=100_000).records
    assert len(expected) > 10
    search = Search(records, wanted, words)
    while not search.complete:
        search.go_on(0)
    assert records.of_rows(search.hits) == expected
    assert list(records.each(wanted, list(words))) == expected


def test_a_search_whose_time_is_up_gets_on_and_says_how_far(corpus: Path) -> None:
    search = Search(Records(Store(corpus).folder("corpus")), Filter(), ("no-such-word",))
    at, steps = 0, 0
    while not search.complete:
        search.go_on(0)
        assert search.looked_at > at
        at, steps = search.looked_at, steps + 1
    assert at == search.candidates == len(everything(corpus))
    assert steps > 1
    search.go_on(0)  # and there is no more to look through
    assert (search.looked_at, len(search.hits)) == (at, 0)


def test_a_search_that_threads_share_finds_each_record_once(corpus: Path) -> None:
    search = Search(Records(Store(corpus).folder("corpus")), Filter(), ("the",))
    with ThreadPoolExecutor(4) as threads:
        for _ in threads.map(lambda _: search.go_on(0), range(100)):
            pass
    expected = browse(corpus, search="the", limit=100_000).records
    assert [int(row) for row in search.hits] == [record["row"] for record in expected]


def test_a_search_of_what_the_corpus_lacks_is_refused(corpus: Path) -> None:
    with pytest.raises(SettingsError, match="no tag 'Nothing'"):
        Search(Records(Store(corpus).folder("corpus")), Filter(tag="Nothing"), ("the",))


def test_the_index_counts_what_sources_and_types_have_together(corpus: Path) -> None:
    index = Records(Store(corpus).folder("corpus")).index
    expected = [r for r in everything(corpus) if (r["source"], r["type"]) == ("TRACE", "clinical")]
    assert index.count({"TRACE", "Nobody"}, {"clinical"}) == len(expected)
    assert index.count({"TRACE"}, set()) == 0


def test_lineage_tells_of_the_row_it_was_asked_for(corpus: Path) -> None:
    for record in everything(corpus)[::37]:
        row = lineage(corpus, record["row"])
        assert (row["corpus_row"], row["source"]) == (record["row"], record["source"])


@pytest.mark.parametrize("row", [-1, 10**9])
def test_lineage_of_no_row_is_refused(corpus: Path, row: int) -> None:
    with pytest.raises(SettingsError, match="no row"):
        lineage(corpus, row)


def test_counts_by_length_leave_nobody_out(corpus: Path) -> None:
    counts = Records(Store(corpus).folder("corpus")).index.counts_by_length([0, 50, 100])
    lengths = [words_of(record) for record in everything(corpus)]
    assert counts == [
        sum(length < 50 for length in lengths),
        sum(50 <= length < 100 for length in lengths),
        sum(length >= 100 for length in lengths),
    ]

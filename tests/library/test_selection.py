"""Which records a format takes: counted by reason, capped evenly, warned about with a remedy."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from corpora import merge_own, own_rows, read_json
from hypothesis import example, given
from hypothesis import settings as runs
from hypothesis import strategies as st
from sample_numbers import ANSWERED, KEPT, OUTCOMES, UNANSWERED

from mindcorpus.corpus.row_facts import read_row_facts
from mindcorpus.errors import SettingsError
from mindcorpus.formats.base import Takes
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing.corpus_split import SplitSettings, decide
from mindcorpus.preparing.mixture import mixture_warnings
from mindcorpus.preparing.sampling import Known, Tokens
from mindcorpus.preparing.selection import Selection, select
from mindcorpus.sources.catalog import load_catalog

if TYPE_CHECKING:
    from made_sample import Made

pytest_plugins = ("made_sample",)

CATALOG = load_catalog()
TAGGED = '[[source.options.tag_columns]]\ncolumn = "t"\n'


def choose(
    data_dir: Path,
    seed: int = 42,
    takes: Takes = "answers",
    tokens: Tokens | None = None,
    unchangeable: tuple[str, ...] = (),
    **request: Any,
) -> Selection:
    lineage = data_dir / "artifacts/corpus/merged_mental_health_dataset.lineage.parquet"
    rows = read_row_facts(lineage)
    parts = decide(rows, SplitSettings(seed, 0.2)).parts
    return select(Known(rows, parts, seed, tokens, unchangeable), PrepareRequest(**request), takes)


def taken(data_dir: Path, selection: Selection) -> list[dict[str, Any]]:
    records = read_json(data_dir / "merged_mental_health_dataset.json")
    return [record for record, mine in zip(records, selection.taken, strict=True) if mine]


# On the sample


def test_all_records_with_a_response_are_taken(sample: Made) -> None:
    selection = choose(sample.data_dir)
    records = read_json(sample.merged.json_path)
    assert taken(sample.data_dir, selection) == [record for record in records if record["response"]]
    assert selection.count == ANSWERED
    assert selection.skipped == {"no-response": UNANSWERED}


def kept(*names: str) -> int:
    """Count the sample's records of some sources."""
    return sum(OUTCOMES[name].kept for name in names)


def of_other_types(*types: str) -> int:
    """Count the sample's records of sources of other types."""
    return kept(*(source.name for source in CATALOG if source.type not in types))


@pytest.mark.parametrize(
    ("request_", "skipped"),
    [
        (
            {"exclude": ("TRACE",)},
            {"excluded-source": kept("TRACE"), "no-response": UNANSWERED},
        ),
        (
            {"exclude": ("TRACE", "Depression-Reddit-Cleaned")},
            {"excluded-source": kept("TRACE", "Depression-Reddit-Cleaned")},
        ),
        ({"types": ("counseling",)}, {"other-type": of_other_types("counseling")}),
        (
            {"types": ("counseling", "clinical")},
            {"other-type": of_other_types("counseling", "clinical")},
        ),
        (
            {"caps": {"Psych-101": 20}},
            {"no-response": UNANSWERED, "over-cap": kept("Psych-101") - 20},
        ),
        (
            {"caps": {"Psych-101": kept("Psych-101"), "TRACE": 1}},
            {"no-response": UNANSWERED, "over-cap": kept("TRACE") - 1},
        ),
        ({"caps": {"TRACE": 0}}, {"no-response": UNANSWERED, "over-cap": kept("TRACE")}),
        (
            {"exclude": ("TRACE",), "types": ("counseling",), "caps": {"MentalChat16K": 10}},
            {
                "excluded-source": kept("TRACE"),
                "other-type": of_other_types("counseling") - kept("TRACE"),
                "over-cap": kept("MentalChat16K") - 10,
            },
        ),
    ],
)
def test_what_is_left_out_is_counted_once_by_its_first_reason(
    request_: dict[str, Any], skipped: dict[str, int], sample: Made
) -> None:
    selection = choose(sample.data_dir, **request_)
    assert selection.skipped == skipped
    assert selection.count == KEPT - sum(skipped.values())
    records = taken(sample.data_dir, selection)
    counts = Counter(record["source"] for record in records)
    assert {
        name: entry["kept"] for name, entry in selection.sources.items() if entry["kept"]
    } == counts
    for name, entry in selection.sources.items():
        assert entry["read"] == entry["kept"] + sum(entry["dropped"].values())
        assert entry["read"] == sample.merged.statistics["by_source"][name]
    assert not counts.keys() & set(request_.get("exclude", ()))
    for name, cap in request_.get("caps", {}).items():
        assert counts[name] <= cap
    if types := request_.get("types"):
        assert {record["type"] for record in records} == set(types)


@pytest.mark.parametrize(
    "request_", [{"exclude": ("Nobody",)}, {"caps": {"Nobody": 1}}, {"types": ("nothing",)}]
)
def test_unknown_names_are_refused_with_those_that_are_known(
    request_: dict[str, Any], sample: Made
) -> None:
    with pytest.raises(SettingsError, match=r"the corpus holds no (source|type) '\w+'") as caught:
        choose(sample.data_dir, **request_)
    assert "TRACE" in caught.value.hint or "clinical" in caught.value.hint


@pytest.mark.parametrize(
    "request_", [{"types": ("classification",)}, {"types": ("clinical",), "exclude": ("TRACE",)}]
)
def test_to_leave_nothing_is_refused(request_: dict[str, Any], sample: Made) -> None:
    with pytest.raises(SettingsError, match="no record is left"):
        choose(sample.data_dir, **request_)


def test_a_cap_is_a_sample_of_its_seed(sample: Made) -> None:
    def texts(seed: int) -> list[str]:
        records = taken(sample.data_dir, choose(sample.data_dir, seed, caps={"Psych-101": 30}))
        return [record["input"] for record in records if record["source"] == "Psych-101"]

    assert texts(1) == texts(1)
    assert texts(1) != texts(2)
    assert len(texts(1)) == len(texts(2)) == 30


def test_a_larger_cap_keeps_what_a_smaller_one_took(sample: Made) -> None:
    small, large = (choose(sample.data_dir, caps={"Psych-101": cap}).taken for cap in (20, 40))
    assert not (small & ~large).any()


# On corpora of any make-up


@runs(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 15), min_size=1, max_size=6),
    cap=st.integers(1, 60),
    seed=st.integers(0, 2**64),
)
def test_a_cap_is_even_over_tag_sets(
    sizes: list[int], cap: int, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cap")
    rows = [
        {"q": f"question {tag} {number}", "a": "answer", "t": f"tag-{tag}"}
        for tag, size in enumerate(sizes)
        for number in range(size)
    ]
    merge_own(folder, own_rows(folder, "mine", rows, options=TAGGED))
    counts = Counter(
        record["tags"][0] for record in taken(folder, choose(folder, seed, caps={"mine": cap}))
    )
    assert counts.total() == min(cap, sum(sizes))
    # Whoever has fewer than the most has given all, or is one short by the remainder.
    most = max(counts.values())
    for tag, size in enumerate(sizes):
        assert counts[f"tag-{tag}"] >= min(size, most - 1)


def dominated(selection: Selection, what: str) -> list[str]:
    return [told for warning in mixture_warnings(selection) if what in (told := str(warning))]


counts = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=4)


@runs(max_examples=40, deadline=None)
@given(sources=counts.filter(lambda found: sum(map(sum, found)) > 0))
@example(sources=[(60, 0), (10, 30)])
@example(sources=[(5, 0), (4, 1)])
@example(sources=[(3, 0)])
@example(sources=[(0, 9), (0, 2)])
def test_a_warning_names_an_option_that_mends_it(
    sources: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each source is so many one-word answers, and so many longer ones."""
    folder = tmp_path_factory.mktemp("mixture")
    files = [
        own_rows(
            folder,
            f"source-{at}",
            [
                {"q": f"{at} {number}", "a": "yes" if number < short else "oh yes"}
                for number in range(short + long)
            ],
        )
        for at, (short, long) in enumerate(sources)
        if short + long
    ]
    merge_own(folder, *files)
    selection = choose(folder)
    total = sum(map(sum, sources))
    expected = {
        "of the rows": len(files) > 1 and max(map(sum, sources)) * 2 > total,
        "are one word": sum(short for short, _ in sources) * 2 > total,
    }
    for what, due in expected.items():
        warnings = dominated(selection, what)
        assert bool(warnings) == due
        for warning in warnings:
            for name, cap in re.findall(r"--cap ([\w-]+)=(\d+)", warning):
                assert int(cap) > 0
                assert not dominated(choose(folder, caps={name: int(cap)}), what)
            if what == "are one word":
                for name in re.findall(r"--exclude (source-\d+)", warning):
                    assert not dominated(choose(folder, exclude=(name,)), what)


def test_the_share_that_is_told_is_right(tmp_path: Path) -> None:
    files = [
        own_rows(tmp_path, name, [{"q": f"{name} {n}", "a": answer} for n in range(count)])
        for name, count, answer in (("large", 3, "a few words"), ("small", 1, "yes"))
    ]
    merge_own(tmp_path, *files)
    (warning,) = map(str, mixture_warnings(choose(tmp_path)))
    assert warning == "large is 75% of the rows. Prepare with --cap large=1 or --exclude large."


# Records that differ in a rejected side only

PAIRS = 'rejected_response = "r"\n'


def pair(rejected: str, answer: str = "yes") -> dict[str, str]:
    return {"q": "question", "a": answer, "r": rejected}


def test_an_answer_is_taken_once_however_many_were_rejected_for_it(tmp_path: Path) -> None:
    rows = [pair("no"), pair("never"), pair("no", "maybe"), pair("  "), pair("at no time")]
    merge_own(tmp_path, own_rows(tmp_path, "mine", rows, options=PAIRS))
    selection = choose(tmp_path)
    assert selection.taken.tolist() == [True, False, True, False, False]
    assert selection.skipped == {"same-answer": 3}


def test_where_the_first_is_not_taken_the_next_one_is(tmp_path: Path) -> None:
    mine = own_rows(tmp_path, "mine", [pair("no")], options=PAIRS, type="first")
    others = own_rows(tmp_path, "others", [pair("never"), pair("not")], options=PAIRS)
    merge_own(tmp_path, mine, others)
    assert choose(tmp_path).taken.tolist() == [True, False, False]
    requests: list[dict[str, Any]] = [{"exclude": ("mine",)}, {"types": ("own",)}]
    for request in requests:
        selection = choose(tmp_path, **request)
        assert selection.taken.tolist() == [False, True, False]
        assert selection.skipped["same-answer"] == 1


def test_a_cap_counts_different_answers(tmp_path: Path) -> None:
    rows = [pair(f"no {at}", f"yes {at // 3}") for at in range(30)]
    merge_own(tmp_path, own_rows(tmp_path, "mine", rows, options=PAIRS))
    selection = choose(tmp_path, caps={"mine": 8})
    assert selection.count == 8
    assert selection.skipped == {"same-answer": 20, "over-cap": 2}


# By source, tag and length of the answer

MINE = [
    {"q": f"question {n}", "a": " ".join(["word"] * (n + 1)), "t": f"tag-{n % 3}"}
    for n in range(12)
]


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """Three sources of twelve records each: answers of 1 to 12 words, three tags."""
    files = [
        own_rows(
            tmp_path,
            name,
            [{**row, "q": f"{name} {row['q']}", "a": f"{row['a']}"} for row in MINE],
            options=TAGGED,
        )
        for name in ("one", "two", "three")
    ]
    merge_own(tmp_path, *files)
    return tmp_path


@pytest.mark.parametrize(
    ("request_", "skipped"),
    [
        ({"sources": ("one",)}, {"other-source": 24}),
        ({"sources": ("one", "two")}, {"other-source": 12}),
        ({"sources": ("one", "two"), "exclude": ("two",)}, {"excluded-source": 12,
         "other-source": 12}),
        ({"tags": ("tag-0",)}, {"other-tag": 24}),
        ({"tags": ("tag-0", "tag-2")}, {"other-tag": 12}),
        ({"min_words": 1}, {}),
        ({"min_words": 5}, {"too-few-words": 12}),
        ({"max_words": 5}, {"too-many-words": 21}),
        ({"min_words": 5, "max_words": 5}, {"too-few-words": 12, "too-many-words": 21}),
        ({"sources": ("one",), "tags": ("tag-1",), "min_words": 3, "max_words": 9},
         {"other-source": 24, "other-tag": 8, "too-few-words": 1, "too-many-words": 1}),
        ({"min_words": 5, "caps": {"one": 3}}, {"too-few-words": 12, "over-cap": 5}),
    ],
)  # fmt: skip
def test_what_is_not_asked_for_is_left_out_by_its_first_reason(
    request_: dict[str, Any], skipped: dict[str, int], three: Path
) -> None:
    selection = choose(three, **request_)
    assert selection.skipped == skipped
    assert selection.count == 36 - sum(skipped.values())
    for record in taken(three, selection):
        words = len(record["response"].split())
        assert request_.get("min_words", 0) <= words <= request_.get("max_words", 99)
        assert record["source"] in request_.get("sources", ("one", "two", "three"))
        if tags := request_.get("tags"):
            assert set(record["tags"]) & set(tags)


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"sources": ("nobody",)}, "the corpus holds no source 'nobody'"),
        ({"tags": ("tag-9",)}, "the corpus holds no tag 'tag-9'"),
        ({"mix": {"nobody": 2.0}}, "the corpus holds no source 'nobody'"),
        ({"min_words": 13}, "no record is left"),
        ({"sources": ("one",), "exclude": ("one",)}, "no record is left"),
        ({"mix": {"one": 2.0}, "exclude": ("one",)}, "of which none is left"),
        ({"mix": {"one": 0.5}, "caps": {"one": 0}}, "of which none is left"),
        ({"mix": {"one": 0.01}, "sources": ("one",)}, "no record is left"),
    ],
)
def test_what_cannot_be_is_said(request_: dict[str, Any], told: str, three: Path) -> None:
    with pytest.raises(SettingsError, match=told) as caught:
        choose(three, **request_)
    assert caught.value.hint or caught.value.remedy


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"min_words": 0}, "min_words"),
        ({"max_words": 0}, "max_words"),
        ({"min_words": 5, "max_words": 4}, None),
        ({"mix": {"one": 0}}, "mix.one"),
        ({"mix": {"one": -1}}, "mix.one"),
        ({"mix": {"one": 10.5}}, "mix.one"),
        ({"mix": {"one": float("nan")}}, "mix.one"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"over_length": "drop"}, None),
        ({"max_tokens": 5, "over_length": "split"}, "over_length"),
        ({"folds": 1}, None),
        ({"test_share": 1}, "test_share"),
    ],
)
def test_a_request_that_says_nothing_sensible_is_refused(
    request_: dict[str, Any], field: str | None
) -> None:
    with pytest.raises(SettingsError) as caught:
        PrepareRequest.of(**request_)
    assert caught.value.field == field


# Mixtures


def parts_of(data_dir: Path, seed: int = 42) -> Any:
    lineage = data_dir / "artifacts/corpus/merged_mental_health_dataset.lineage.parquet"
    return decide(read_row_facts(lineage), SplitSettings(seed, 0.2)).parts


def test_a_half_is_a_seeded_half(three: Path) -> None:
    first, again, other = (choose(three, seed, mix={"one": 0.5}) for seed in (1, 1, 2))
    assert first.times.tolist() == again.times.tolist() != other.times.tolist()
    assert first.skipped == {"mixed-out": 6}
    assert first.repeats == {}
    assert first.sources["one"]["kept"] == 6
    assert first.sources["two"]["kept"] == 12
    # A smaller share is among a larger one, and even over tags.
    fewer = choose(three, 1, mix={"one": 0.25})
    assert not (fewer.taken & ~first.taken).any()
    tags = Counter(record["tags"][0] for record in taken(three, first) if record["source"] == "one")
    assert tags == {"tag-0": 2, "tag-1": 2, "tag-2": 2}


@pytest.mark.parametrize("factor", [1.0, 1.5, 2.0, 2.25, 10.0])
def test_more_than_all_repeats_what_trains_and_nothing_else(factor: float, three: Path) -> None:
    selection, parts = choose(three, mix={"two": factor}), parts_of(three)
    mine = selection.rows.source == selection.rows.names.index("two")
    train = selection.times[mine & (parts == 0)]
    assert set(selection.times[~mine | (parts != 0)].tolist()) == {1}
    assert int(train.sum()) == round(factor % 1 * len(train)) + int(factor) * len(train)
    assert int(train.max() - train.min()) <= 1
    assert selection.repeats == ({"two": int(train.sum()) - len(train)} if factor > 1 else {})
    assert selection.count == 36 + selection.repeats.get("two", 0)
    # A row that is there twice is kept once: read is still what is kept and what is not.
    assert all(entry["kept"] == 12 for entry in selection.sources.values())
    assert selection.skipped == {}


def test_a_mixture_is_of_what_caps_leave(three: Path) -> None:
    selection = choose(three, caps={"one": 6}, mix={"one": 0.5, "three": 2.0})
    assert selection.skipped == {"over-cap": 6, "mixed-out": 3}
    assert selection.sources["one"]["kept"] == 3
    assert selection.repeats.keys() == {"three"}


def test_repeats_count_where_one_source_dominates(three: Path) -> None:
    assert not dominated(choose(three), "of the rows")
    (warning,) = dominated(choose(three, mix={"two": 10.0}), "of the rows")
    assert warning == "two is 79% of the rows. Give two a smaller factor with --mix."


# Pairs and tokens


def test_pairs_are_taken_where_a_format_holds_pairs(tmp_path: Path) -> None:
    rows = [pair("no"), pair("never"), pair("no", "maybe"), pair("  "), {"q": "x", "a": "y"}]
    merge_own(tmp_path, own_rows(tmp_path, "mine", rows, options=PAIRS))
    selection = choose(tmp_path, takes="pairs")
    records = read_json(tmp_path / "merged_mental_health_dataset.json")
    whole = [record["rejected_response"].strip() != "" for record in records]
    assert selection.taken.tolist() == whole
    assert selection.count == 3
    assert selection.skipped == {"no-pair": len(records) - 3}


def test_no_pair_is_told_by_why(tmp_path: Path, three: Path) -> None:
    with pytest.raises(SettingsError, match="the corpus holds no preference pairs"):
        choose(three, takes="pairs")
    merge_own(
        tmp_path / "data",
        own_rows(tmp_path / "own", "mine", [pair("no")], options=PAIRS),
        own_rows(tmp_path / "own", "plain", [{"q": "q", "a": "a"}]),
    )
    with pytest.raises(SettingsError, match="no preference pair is left"):
        choose(tmp_path / "data", takes="pairs", exclude=("mine",))


def test_records_over_length_are_left_out_kept_or_cut(three: Path) -> None:
    whole = np.arange(36, dtype=np.int64) + 1
    tokens = Tokens(whole, whole, whole // 2, *[np.zeros(36, np.int64)] * 2)
    dropped = choose(three, tokens=tokens, max_tokens=10)
    assert dropped.skipped == {"over-length": 26}
    assert dropped.taken.tolist() == (whole <= 10).tolist()
    kept = choose(three, tokens=tokens, max_tokens=10, over_length="keep")
    assert kept.skipped == {}
    cut = choose(three, tokens=tokens, max_tokens=10, over_length="cut-turns")
    assert cut.taken.tolist() == (whole // 2 <= 10).tolist()
    # What may not be changed is not cut: it is left out.
    (first, *_) = cut.rows.names
    forbidden = choose(
        three, tokens=tokens, unchangeable=(first,), max_tokens=10, over_length="cut-turns"
    )
    mine = cut.rows.source == 0
    assert forbidden.taken.tolist() == np.where(mine, whole <= 10, whole // 2 <= 10).tolist()

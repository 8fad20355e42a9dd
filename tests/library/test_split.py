"""The split: nothing in two parts, the right size whenever groups allow, the same for a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import settings as runs
from hypothesis import strategies as st

from mindcorpus.errors import SettingsError
from mindcorpus.formats.base import PARTS
from mindcorpus.preparing.corpus_split import SplitSettings
from mindcorpus.preparing.split import TOLERANCE, TOLERANCE_OF_SOME, assign, prove
from mindcorpus.preparing.ties import Ties

NAMES = ("one", "two", "three")


@dataclass(frozen=True)
class Found:
    """Where rows went, and what is said of that."""

    parts: Any
    folds: Any
    proof: dict[str, Any]

    @property
    def validation(self) -> Any:
        return self.parts == 1


def ties_of(inputs: list[int]) -> Ties:
    """Tie rows of one input; keys that differ in one half only are different."""
    keys = [(each // 2 * 0x9E3779B97F4A7C15 % 2**64, each % 2) for each in inputs]
    return Ties(np.array(keys, np.uint64))


def split(
    inputs: list[int],
    sources: list[int] | None = None,
    share: float = 0.2,
    seed: int = 42,
    test: float = 0.0,
    folds: int = 0,
) -> Found:
    """Split rows of these inputs, by source."""
    ties, codes = ties_of(inputs), np.array(sources or [0] * len(inputs), np.int32)
    parts, dealt = assign(ties, codes.astype(np.int64), SplitSettings(seed, share, test, folds))
    names = PARTS if test else PARTS[:2]
    return Found(parts, dealt, prove(ties, codes, NAMES, parts, names, share))


def reachable(sizes: list[int]) -> set[int]:
    """Give all sums of groups, by trying them."""
    sums = {0}
    for size in sizes:
        sums |= {each + size for each in sums}
    return sums


def rows_of(sizes: list[int]) -> list[int]:
    return [group for group, size in enumerate(sizes) for _ in range(size)]


rows = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2)), min_size=1, max_size=300)
shares = st.sampled_from([0.2, 0.2, 0.2, 0.1, 0.5, 0.01, 0.99, 0.333])


@runs(max_examples=300, deadline=None)
@given(rows=rows, share=shares, seed=st.integers(0, 2**70))
def test_no_input_is_on_both_sides_and_the_proof_is_right(
    rows: list[tuple[int, int]], share: float, seed: int
) -> None:
    inputs, sources = ([row[side] for row in rows] for side in (0, 1))
    found = split(inputs, sources, share, seed)
    held = {each for each, out in zip(inputs, found.validation, strict=True) if out}
    kept = {each for each, out in zip(inputs, found.validation, strict=True) if not out}
    assert not held & kept
    placed = int(found.validation.sum())
    proof = found.proof
    assert proof["overlap"] == 0
    assert proof["parts"] == {
        "train": {"rows": len(rows) - placed, "groups": len(kept)},
        "validation": {"rows": placed, "groups": len(held)},
    }
    assert proof["share"] == pytest.approx(placed / len(rows), abs=1e-6)
    for code, name in enumerate(NAMES):
        mine = [
            bool(out)
            for out, source in zip(found.validation, sources, strict=True)
            if source == code
        ]
        parts = proof["by_source"].get(name, {"train": 0, "validation": 0})
        assert parts == {"train": mine.count(False), "validation": mine.count(True)}


@runs(max_examples=300, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=14),
    sources=st.randoms(use_true_random=False),
    share=shares,
    seed=st.integers(0, 1000),
)
@example(sizes=[50, 50, 60, 60, 60], sources=None, share=0.2, seed=0)
@example(sizes=[41, 43, 47, 53, 59], sources=None, share=0.2, seed=0)
@example(sizes=[1] * 14, sources=None, share=0.2, seed=0)
def test_it_is_within_half_a_percent_whenever_groups_allow(
    sizes: list[int], sources: object, share: float, seed: int
) -> None:
    inputs = rows_of(sizes)
    codes = [sources.randrange(3) for _ in inputs] if hasattr(sources, "randrange") else None
    found = split(inputs, codes, share, seed)
    count, placed = len(inputs), int(found.validation.sum())
    best = min(abs(each - share * count) for each in reachable(sizes))
    if best <= TOLERANCE * count:
        assert abs(placed - share * count) <= TOLERANCE * count
        assert found.proof["note"] == ""
    else:
        assert f"not {share:.0%}" in found.proof["note"]


@runs(max_examples=100, deadline=None)
@given(rows=rows, seed=st.integers(0, 2**64 - 1))
def test_it_is_the_same_for_a_seed(rows: list[tuple[int, int]], seed: int) -> None:
    inputs, sources = ([row[side] for row in rows] for side in (0, 1))
    first, second = (split(inputs, sources, seed=seed) for _ in range(2))
    assert first.validation.tolist() == second.validation.tolist()
    assert first.proof == second.proof


def test_another_seed_is_another_split() -> None:
    inputs = rows_of([1, 2, 3] * 100)
    held = {seed: split(inputs, seed=seed).validation for seed in range(5)}
    assert len({found.tobytes() for found in held.values()}) == 5
    # And not by a little: two independent fifths share a twenty-fifth.
    assert (held[0] & held[1]).mean() < 0.1


@pytest.mark.parametrize("seed", range(5))
def test_large_sources_are_split_within_a_percent_each(seed: int) -> None:
    generator = np.random.default_rng(seed)
    inputs: list[int] = []
    sources: list[int] = []
    for code, rows_ in enumerate((600, 3000, 9000)):
        sizes = generator.geometric(0.4, rows_)
        found = [group for group, size in enumerate(sizes) for _ in range(size)][:rows_]
        inputs += [1_000_000 * code + each for each in found]
        sources += [code] * len(found)
    proof = split(inputs, sources, seed=seed).proof
    assert abs(proof["share"] - 0.2) <= TOLERANCE
    for counts in proof["by_source"].values():
        assert abs(counts["validation"] / (counts["train"] + counts["validation"]) - 0.2) < 0.01


@pytest.mark.parametrize("seed", range(5))
def test_what_one_source_cannot_place_the_next_one_makes_up_for(seed: int) -> None:
    # A source of a single input, which a fifth of it cannot be taken of; two of single rows.
    inputs = rows_of([10, *[1] * 40, *[1] * 100])
    proof = split(inputs, [0] * 10 + [1] * 40 + [2] * 100, seed=seed).proof
    held = {name: counts["validation"] for name, counts in proof["by_source"].items()}
    assert held == {"one": 0, "two": 8 + 2, "three": 20}


def test_every_row_has_the_same_chance() -> None:
    inputs = rows_of([1] * 50)
    times = np.sum([split(inputs, seed=seed).validation for seed in range(400)], axis=0)
    assert 40 < times.min() < times.max() < 125  # 80 expected, a standard deviation of 8


def test_one_group_that_is_too_large_is_told() -> None:
    note = split(rows_of([90, 2, 3, 5])).proof["note"]
    assert note == (
        "Validation has 10.0% of the rows, not 20%: records of one input stay together, "
        "and the largest such group has 90 of 100 rows."
    )
    assert split([7] * 10).proof["parts"]["validation"] == {"rows": 0, "groups": 0}


def test_a_million_rows_are_split_in_seconds() -> None:
    inputs = np.arange(1_000_000) // 3
    keys = np.stack(
        [inputs.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15), inputs.astype(np.uint64)], 1
    )
    parts, folds = assign(Ties(keys), np.zeros(len(keys), np.int64), SplitSettings(1, 0.2, 0.1, 5))
    counts = np.bincount(parts) / len(parts)
    assert counts == pytest.approx([0.7, 0.2, 0.1], abs=1e-5)
    assert np.bincount(folds[folds >= 0]) / len(parts) == pytest.approx([0.18] * 5, abs=1e-4)


# Test part and folds


tests = st.sampled_from([0.0, 0.1, 0.2, 0.005, 0.4])
fold_counts = st.sampled_from([0, 2, 5, 10])


@runs(max_examples=200, deadline=None)
@given(rows=rows, share=st.sampled_from([0.2, 0.1, 0.5]), test=tests, folds=fold_counts)
@example(rows=[(0, 0)], share=0.2, test=0.2, folds=2)
@example(rows=[(0, 0), (0, 1), (1, 0)], share=0.5, test=0.4, folds=2)
def test_no_input_is_in_two_parts_or_in_two_folds(
    rows: list[tuple[int, int]], share: float, test: float, folds: int
) -> None:
    inputs, sources = ([row[side] for row in rows] for side in (0, 1))
    found = split(inputs, sources, share, test=test, folds=folds)
    places = {
        each: {
            (part, fold)
            for row, part, fold in zip(
                inputs, found.parts.tolist(), found.folds.tolist(), strict=True
            )
            if row == each
        }
        for each in set(inputs)
    }
    assert all(len(each) == 1 for each in places.values())
    held = {part for ((part, _),) in places.values()}
    assert held <= ({0, 1, 2} if test else {0, 1})
    for ((part, fold),) in places.values():
        # Test is kept from all folds; whatever else there is is in one of them.
        assert (fold in range(folds)) if folds and part != 2 else fold == -1
    counted = {
        name: {
            "rows": found.parts.tolist().count(code),
            "groups": sum(place == code for ((place, _),) in places.values()),
        }
        for code, name in enumerate(PARTS if test else PARTS[:2])
    }
    assert found.proof["parts"] == counted


@runs(max_examples=100, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=300, max_size=600),
    share=st.sampled_from([0.1, 0.2, 0.3]),
    test=st.sampled_from([0.05, 0.1, 0.2]),
    seed=st.integers(0, 2**32),
)
def test_many_small_groups_give_each_part_its_share(
    sizes: list[int], share: float, test: float, seed: int
) -> None:
    found = split(rows_of(sizes), None, share, seed, test)
    count = sum(sizes)
    for code, aim in ((1, share), (2, test)):
        assert abs(int((found.parts == code).sum()) - aim * count) <= TOLERANCE * count


def test_a_test_part_leaves_validation_as_it_was() -> None:
    inputs = rows_of([1, 2, 3] * 100)
    alone, beside = split(inputs), split(inputs, test=0.3)
    assert (alone.parts == 1).tolist() == (beside.parts == 1).tolist()
    assert (beside.parts == 2).any()


def test_folds_leave_parts_as_they_were_and_are_alike_in_size_and_source() -> None:
    inputs, sources = rows_of([1, 1, 2, 3] * 150), rows_of([350, 350, 350])
    alone, beside = split(inputs, sources, test=0.1), split(inputs, sources, test=0.1, folds=5)
    assert alone.parts.tolist() == beside.parts.tolist()
    free = beside.folds >= 0
    assert free.tolist() == (beside.parts != 2).tolist()
    for code in range(3):
        mine = np.bincount(beside.folds[free & (np.array(sources) == code)], minlength=5)
        assert int(mine.max() - mine.min()) <= 8


def test_folds_are_the_same_for_a_seed_and_others_for_another() -> None:
    inputs = rows_of([1, 2, 3] * 100)
    first, again, other = (split(inputs, seed=seed, folds=4).folds.tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize(("share", "test"), [(0.5, 0.5), (0.9, 0.2), (0.2, 0.8)])
def test_parts_that_leave_nothing_to_train_on_are_refused(share: float, test: float) -> None:
    with pytest.raises(SettingsError, match="leave nothing to train on") as caught:
        SplitSettings(1, share, test)
    assert caught.value.field == "test_share"


# Some of the rows


def test_a_proof_of_some_rows_tells_the_share_that_they_have() -> None:
    inputs = list(range(100))
    parts = np.array([1] * 20 + [0] * 80, np.int8)
    for held, train, due in ((20, 40, True), (20, 73, False), (20, 72, False), (10, 45, False)):
        some = [*range(held), *range(20, 20 + train)]
        others = len(inputs) - len(some)
        codes = np.zeros(len(some), np.int32)
        ties = ties_of([inputs[at] for at in some])
        proof = prove(ties, codes, NAMES, parts[some], PARTS[:2], 0.2, others)
        share = held / len(some)
        assert proof["share"] == round(share, 6)
        assert due == (abs(share - 0.2) > TOLERANCE_OF_SOME)
        assert bool(proof["note"]) == due
        if due:
            assert f"does not take {others} of the 100 that were split" in proof["note"]


def test_repeats_of_a_row_are_one_group_of_a_proof() -> None:
    inputs = [0, 0, 0, 1, 2]
    parts = np.array([0, 0, 0, 0, 1], np.int8)
    proof = prove(ties_of(inputs), np.zeros(5, np.int32), NAMES, parts, PARTS[:2], 0.2)
    assert proof["parts"] == {
        "train": {"rows": 4, "groups": 2},
        "validation": {"rows": 1, "groups": 1},
    }

"""Lengths summed up, against their plain definition over all of them at once."""

from __future__ import annotations

import json
import pickle
from decimal import Decimal
from fractions import Fraction
from itertools import chain
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mindcorpus.errors import SettingsError
from mindcorpus.tokens.lengths import LengthSummary, cost
from mindcorpus.tokens.tokenizer import tokenizer

ESTIMATE = tokenizer("estimate")
counts = st.lists(st.integers(0, 200_000), max_size=50)
added = st.lists(st.tuples(st.sampled_from(["RedditESS", "TRACE", "Amod"]), counts), max_size=12)


def plain(lengths: list[int]) -> dict[str, Any]:
    """Give what a summary says of lengths, as docs/formats.md defines it."""
    ranked = sorted(lengths)
    return {
        "rows": len(ranked),
        "mean": pytest.approx(sum(ranked) / len(ranked), abs=0.051),
        "p50": ranked[(len(ranked) - 1) * 50 // 100],
        "p95": ranked[(len(ranked) - 1) * 95 // 100],
        "max": ranked[-1],
        "total": sum(ranked),
    }


def expected(runs: list[tuple[str, list[int]]]) -> dict[str, Any]:
    sources = sorted({source for source, lengths in runs if lengths})
    by_source = {
        name: [each for source, lengths in runs if source == name for each in lengths]
        for name in sources
    }
    whole = {"all": [*chain(*by_source.values())]} if by_source else {}
    return {name: plain(lengths) for name, lengths in (whole | by_source).items()}


def summed(runs: list[tuple[str, list[int]]]) -> LengthSummary:
    summary = LengthSummary()
    for source, lengths in runs:
        summary.add(source, np.array(lengths, np.int32))
    return summary


@given(runs=added)
def test_a_summary_is_that_of_all_lengths_at_once(runs: list[tuple[str, list[int]]]) -> None:
    found = summed(runs).as_dict(ESTIMATE)
    assert found == {"tokenizer": "estimate", "exact": False, "lengths": expected(runs)}
    assert list(found["lengths"]) == list(expected(runs))
    assert json.loads(json.dumps(found)) == found


@given(runs=added, at=st.integers(0, 12), order=st.randoms())
def test_how_lengths_were_added_makes_no_difference(
    runs: list[tuple[str, list[int]]], at: int, order: Any
) -> None:
    whole = json.dumps(summed(runs).as_dict(ESTIMATE))
    mixed = order.sample(runs, len(runs))
    first, second = summed(mixed[:at]), summed(mixed[at:])
    first.update(pickle.loads(pickle.dumps(second)))
    assert json.dumps(first.as_dict(ESTIMATE)) == whole
    assert first.total == sum(sum(lengths) for _, lengths in runs)


@pytest.mark.parametrize("rows", [1, 2, 3, 19, 20, 21, 22, 41, 101, 1000])
def test_percentiles_are_those_of_numpy(rows: int) -> None:
    lengths = np.random.default_rng(rows).integers(0, 5000, rows)
    summary = LengthSummary()
    summary.add("one", lengths)
    found = summary.as_dict(ESTIMATE)["lengths"]["one"]
    assert found["p50"] == np.percentile(lengths, 50, method="lower")
    assert found["p95"] == np.percentile(lengths, 95, method="lower")


def test_millions_of_rows_take_little_and_do_not_overflow() -> None:
    summary = LengthSummary()
    for _ in range(5):
        summary.add("long", np.full(1_000_000, 2**31 - 1, np.int32))
    assert summary.total == 5_000_000 * (2**31 - 1)
    assert len(pickle.dumps(summary)) < 1000


def test_without_rows_there_are_no_lengths() -> None:
    assert LengthSummary().as_dict(ESTIMATE)["lengths"] == {}
    assert LengthSummary().total == 0


@given(
    tokens=st.integers(0, 10**12),
    price=st.decimals(0, 10_000, places=4),
    epochs=st.integers(1, 100),
)
def test_a_cost_is_what_the_users_price_makes_it(tokens: int, price: Decimal, epochs: int) -> None:
    assert Fraction(cost(tokens, price, epochs)) == Fraction(price) * tokens * epochs / 10**6


@pytest.mark.parametrize(
    ("price", "epochs", "field"),
    [
        ("-1", 1, "price_per_million"),
        ("NaN", 1, "price_per_million"),
        ("Infinity", 1, "price_per_million"),
        ("3", 0, "epochs"),
    ],
)
def test_a_price_that_is_none_is_told(price: str, epochs: int, field: str) -> None:
    with pytest.raises(SettingsError) as told:
        cost(1000, Decimal(price), epochs)
    assert told.value.field == field
    assert told.value.advice

"""Patterns from outside: bounded in length, size and time."""

from __future__ import annotations

import time

import pytest

from mindcorpus.errors import SettingsError
from mindcorpus.sources.adapters import Kept
from mindcorpus.sources.catalog import load_catalog
from mindcorpus.sources.columns_adapter import Columns
from mindcorpus.sources.patterns import cut_at
from mindcorpus.sources.readers import Row

#: With Python's own engine each takes longer than a person lives, for a text of a hundred letters.
CATASTROPHIC = [r"(a+)+$", r"(a|a)*b", r"(.*a){30}b", r"^(a?){40}a{40}b", r"(\w+\s?)*$x"]


@pytest.mark.parametrize("pattern", CATASTROPHIC)
def test_a_pattern_takes_a_time_that_grows_with_the_text(pattern: str) -> None:
    adapter = Columns("q", "a", cut_response_at=pattern)
    began = time.process_time()
    ((_, _, response, *_),) = adapter([Row(0, {"q": "?", "a": "a" * 100_000 + "!"})])
    assert time.process_time() - began < 10
    assert response


def given(value: str) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load_catalog().with_options({"MentalChat16K.cut_response_at": value})
    assert caught.value.field == "MentalChat16K.cut_response_at"
    return caught.value


@pytest.mark.parametrize("pattern", ["(", r"(?=a)", r"(a)\1", "\ud800", "[b-a]"])
def test_what_is_no_pattern_of_re2_is_refused(pattern: str) -> None:
    assert "not a regular expression of re2" in given(pattern).title


def test_a_pattern_that_is_too_long_or_too_large_is_refused() -> None:
    assert "at most 1000 characters" in given("a" * 1001).title
    assert "too large" in given(r"(.{500}){2}x").title


def test_a_match_is_where_python_counts_it() -> None:
    assert cut_at(r"\n\d+,You", "é\U0001f602\n12,You") == 2
    assert cut_at("b", "\ud800ab") == 2
    assert cut_at("x", "é") is None
    assert cut_at("é", "aé") == 1
    adapter = Columns("q", "a", cut_response_at="stop")
    assert list(adapter([Row(0, {"q": "q", "a": "線 stop 線"})])) == [
        Kept(0, "q", "線 ", changed=("run-on-cut",))
    ]

"""The adapter of transcripts with marks: which mark it takes, and what stands before it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from raw_files import adapt

from mindcorpus.sources.adapters import Kept, LastMark
from mindcorpus.sources.readers import Drop


def last_mark(text: Any, max_chars: int = 8000) -> Kept | Drop:
    (outcome,) = adapt(LastMark(text="t", max_chars=max_chars), {"t": text})
    return outcome


def naive_last_mark(text: str, max_chars: int) -> tuple[str, str] | None:
    """Go through text and brackets in turn; slow, but plain."""
    pieces = re.split("(<<|>>)", text)
    found = None
    for at in range(1, len(pieces) - 2, 2):
        if (pieces[at], pieces[at + 2]) == ("<<", ">>") and pieces[at + 1].strip():
            before = "".join(pieces[:at:2])
            if found is None or max_chars == 0 or len(before) <= max_chars:
                found = before, pieces[at + 1].strip()
    return found


transcripts = st.lists(
    st.sampled_from(
        ["<<", ">>", "<<K>>", " ", "a", "You press ", "\n", "é", "\U0001f642", "\ud83d", "<<15%>>"]
    ),
    max_size=30,
).map("".join)
limits = st.integers(0, 40)


@settings(max_examples=1000)
@given(text=transcripts, max_chars=limits)
@example(text="ab<<y>><<x>>", max_chars=3)  # the limit falls between brackets
@example(text="abc<<y>>d<<x>>", max_chars=3)
@example(text="abc<<y>>d<<x>>", max_chars=4)
@example(text="<<y>>", max_chars=3)
def test_the_mark_is_the_last_that_fits_as_a_plain_reading_finds_it(
    text: str, max_chars: int
) -> None:
    outcome = last_mark(text, max_chars)
    expected = naive_last_mark(text, max_chars)
    if expected is None:
        assert outcome[1] == "no-mark"
    elif not expected[0].strip():
        assert outcome[1] == "blank-input"
    else:
        assert outcome == Kept(0, *expected)


@settings(max_examples=500)
@given(text=st.text("<>ab \n", max_size=40), max_chars=limits)
@example(text="a < b <<<c<<x>>", max_chars=0)
def test_any_brackets_give_one_outcome_made_of_the_text(text: str, max_chars: int) -> None:
    outcome = last_mark(text, max_chars)
    if isinstance(outcome, Kept):
        starts = [
            at
            for at in range(len(text))
            if text.startswith("<<", at)
            and outcome.input == text[:at].replace("<<", "").replace(">>", "")
        ]
        assert any(text[at + 2 :].lstrip().startswith(outcome.response) for at in starts)
        assert outcome.response
        assert ">>" not in outcome.response
    else:
        assert outcome.reason in ("no-mark", "blank-input")


@pytest.mark.parametrize("extra", [0, 1])
def test_the_limit_counts_the_input_as_it_is_kept(extra: int) -> None:
    history = "You see K. You press <<K>>.\n" * 500
    text = history + "x" * extra + "<<last>>"
    size = len(history) - 4 * 500
    outcome = last_mark(text, size)
    assert outcome[2] == ("K" if extra else "last")


@pytest.mark.parametrize("text", ["<<" * 200_000, "a<<" * 200_000 + ">>", "<<a" * 100_000 + "<<>>"])
@pytest.mark.parametrize("max_chars", [0, 8000])
def test_brackets_that_never_close_do_not_take_for_ever(text: str, max_chars: int) -> None:
    assert last_mark(text, max_chars) == Drop(0, "no-mark", "no closed mark with something in it")


def test_a_limit_below_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="0 for no limit"):
        LastMark(text="t", max_chars=-1)

"""When to try again: pauses within their bounds, and Retry-After as RFC 9110 has it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mindcorpus.retrying import MOST, backoff, retry_after

seconds = st.floats(0.001, 1000.0)


@given(failures=st.integers(1, 10**6), base=seconds, longest=seconds, least=st.floats(0.0, 1.0))
def test_a_pause_lies_between_its_least_share_and_its_longest(
    failures: int, base: float, longest: float, least: float
) -> None:
    top = min(longest, base * 2.0 ** min(failures - 1, 30))
    pause = backoff(failures, base=base, longest=longest, least=least)
    assert least * top <= pause <= top * (1 + 1e-9)


def test_pauses_double_up_to_the_longest() -> None:
    for failures, top in ((1, 2.0), (2, 4.0), (3, 8.0), (4, 10.0), (5, 10.0), (10_000, 10.0)):
        pauses = [backoff(failures, base=2.0, longest=10.0) for _ in range(200)]
        assert max(pauses) <= top
        assert max(pauses) > top * 0.7
        assert min(pauses) < top * 0.3
        assert len(set(pauses)) > 100


@pytest.mark.parametrize(("value", "read"), [("0", 0), ("7", 7), (" 120 ", 120), ("007", 7)])
def test_retry_after_may_be_seconds(value: str, read: float) -> None:
    assert retry_after(value) == read


def test_retry_after_may_be_a_date() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=60)
    assert 57 < (retry_after(format_datetime(soon, usegmt=True)) or 0) <= 60
    # The two obsolete forms of RFC 9110, which recipients have to read, too.
    assert 57 < (retry_after(f"{soon:%A, %d-%b-%y %H:%M:%S} GMT") or 0) <= 60
    assert 57 < (retry_after(f"{soon:%a %b %d %H:%M:%S %Y}") or 0) <= 60


def test_a_date_that_has_passed_asks_for_no_pause() -> None:
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0


@pytest.mark.parametrize("value", ["9" * 400, "99999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_huge_wait_stays_a_number_that_clocks_know(value: str) -> None:
    assert retry_after(value) == MOST


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "soon",
        "-5",
        "1.5",
        "1e3",
        "٣",
        "5 s",
        "Mon, 99 Jan 2020 00:00:00 GMT",
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 2020 00:00:00 +99999999999999999999",
    ],
)
def test_what_is_neither_says_nothing(value: str) -> None:
    assert retry_after(value) is None


@given(value=st.text(max_size=60))
def test_no_text_breaks_the_reader(value: str) -> None:
    read = retry_after(value)
    assert read is None or 0 <= read <= MOST

"""Rows of one key are found some at a time as they are all at once."""

from __future__ import annotations

from tempfile import TemporaryFile
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mindcorpus.corpus.equal_keys import equal_keys
from mindcorpus.preparing import key_groups, split
from mindcorpus.preparing.corpus_split import SplitSettings
from mindcorpus.preparing.key_groups import equal_keys_of
from mindcorpus.preparing.split import assign
from mindcorpus.preparing.ties import Ties

halves = st.sampled_from([0, 1, 2**31, 2**32 - 1, 2**32, 2**63, 2**64 - 1]) | st.integers(
    0, 2**64 - 1
)
keys = st.lists(st.tuples(halves, st.integers(0, 1)), max_size=60)


def as_lists(groups: Any) -> list[list[int]]:
    return [each.tolist() for each in groups]


@settings(deadline=None)
@given(keys, st.integers(1, 9))
def test_any_keys_are_grouped_some_at_a_time_as_all_at_once(
    given_: list[tuple[int, int]], at_once: int
) -> None:
    found = np.array(given_, np.uint64).reshape(-1, 2)
    expected: dict[tuple[int, int], list[int]] = {}
    for row, key in enumerate(given_):
        expected.setdefault(key, []).append(row)
    groups = equal_keys(found)
    assert groups.first.tolist() == [expected[key][0] for key in sorted(expected)]
    assert groups.sizes.tolist() == [len(expected[key]) for key in sorted(expected)]
    assert [sorted(expected)[group] for group in groups.of_row.tolist()] == given_
    with pytest.MonkeyPatch.context() as patch, TemporaryFile() as file:
        patch.setattr(key_groups, "AT_ONCE", at_once)
        some = equal_keys_of(lambda first, last: found[first:last], len(found), file)
    assert as_lists(some) == as_lists(groups)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2)), min_size=1, max_size=200),
    st.sampled_from([0.05, 0.2, 0.5]),
    st.sampled_from([0.0, 0.1]),
    st.integers(0, 5),
)
def test_groups_are_chosen_as_if_all_had_been_put_in_order(
    rows: list[tuple[int, int]], share: float, test: float, seed: int
) -> None:
    inputs = np.array([(row * 0x9E3779B97F4A7C15 % 2**64, row) for row, _ in rows], np.uint64)
    strata = np.array([stratum for _, stratum in rows], np.int32)
    shares = SplitSettings(seed, share, test)
    some = assign(Ties(inputs), strata, shares)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split, "_NEARLY_ALL", 0)
        every = assign(Ties(inputs), strata, shares)
    assert some[0].tolist() == every[0].tolist()
    assert some[1].tolist() == every[1].tolist()

"""What is tied stays together: by input, opening or group, and by any chain of these."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from chats import chat, lines, merge_chats
from hypothesis import example, given
from hypothesis import settings as runs
from hypothesis import strategies as st
from own_layouts import entry, merge_entries, write_rows

from mindcorpus.formats.base import PARTS
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing.corpus_split import SplitSettings
from mindcorpus.preparing.prepare import prepare
from mindcorpus.preparing.split import TOLERANCE, assign, prove
from mindcorpus.preparing.ties import Ties
from mindcorpus.settings import Settings

Row = tuple[int, int, int]
"""A row's input, opening and group; group 0 is none."""

some_rows = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 12)), min_size=1, max_size=120
)
#: Each row is tied to the next, now by its input, now by its opening.
CHAIN = [(at // 2, (at + 1) // 2, 0) for at in range(100)]


def keys(values: list[int]) -> Any:
    """Give 128-bit keys; 0 is none."""
    return np.array([(each * 0x9E3779B97F4A7C15 % 2**64, each) for each in values], np.uint64)


def tied(rows: list[Row]) -> Ties:
    inputs, openings, groups = ([row[at] for row in rows] for at in range(3))
    return Ties(keys([each + 1 for each in inputs]), np.array(openings), keys(groups))


def joined(rows: list[Row]) -> list[int]:
    """Give the first row of each row's group, found by joining rows one after another."""
    root = list(range(len(rows)))
    for at in range(3):
        first: dict[int, int] = {}
        for number, row in enumerate(rows):
            if at == 2 and row[at] == 0:
                continue
            other = root[first.setdefault(row[at], number)]
            mine = root[number]
            low, high = min(other, mine), max(other, mine)
            root = [low if each == high else each for each in root]
    return root


@runs(max_examples=200, deadline=None)
@given(rows=some_rows)
@example(rows=CHAIN)
@example(rows=list(reversed(CHAIN)))
@example(rows=[(at, at % 7, at % 5) for at in range(70)])
def test_groups_are_what_ties_join(rows: list[Row]) -> None:
    found = tied(rows).find_groups()
    expected = joined(rows)
    assert [int(found.first[group]) for group in found.of_row] == expected
    assert sorted(found.sizes.tolist()) == sorted(expected.count(row) for row in set(expected))
    assert int(found.sizes.sum()) == len(rows)


def apart(rows: list[Row], parts: Any) -> list[int]:
    """Count the inputs, openings and groups that stand in more than one part."""
    counted = []
    for at in range(3):
        places: dict[int, set[int]] = {}
        for row, part in zip(rows, parts.tolist(), strict=True):
            places.setdefault(row[at], set()).add(part)
        if at == 2:
            places.pop(0, None)
        counted.append(sum(len(each) > 1 for each in places.values()))
    return counted


@runs(max_examples=200, deadline=None)
@given(rows=some_rows, seed=st.integers(0, 2**32), test=st.sampled_from([0.0, 0.3]))
def test_nothing_that_is_tied_is_in_two_parts_or_folds(
    rows: list[Row], seed: int, test: float
) -> None:
    sources = np.zeros(len(rows), np.int32)
    ties = tied(rows)
    parts, folds = assign(ties, sources.astype(np.int64), SplitSettings(seed, 0.2, test, 3))
    assert apart(rows, parts) == apart(rows, folds) == [0, 0, 0]
    proof = prove(ties, sources, ("one",), parts, PARTS, 0.2)
    overlaps = [proof[name] for name in ("overlap", "opening_overlap", "group_overlap")]
    assert overlaps == [0, 0, 0]


@runs(max_examples=100, deadline=None)
@given(rows=some_rows, places=st.randoms(use_true_random=False))
def test_what_is_in_two_parts_is_counted(rows: list[Row], places: Any) -> None:
    parts = np.array([places.randrange(3) for _ in rows], np.int8)
    assert list(tied(rows).overlaps(parts).values()) == apart(rows, parts)


def test_rows_of_no_group_are_not_one() -> None:
    found = tied([(at, at, 0) for at in range(50)]).find_groups()
    assert found.sizes.tolist() == [1] * 50


def test_a_chain_of_a_million_rows_is_one_group() -> None:
    count = 1_000_000
    places = np.arange(count, dtype=np.uint64)
    inputs = np.stack([places // 2 * np.uint64(0x9E3779B97F4A7C15), places // 2], 1)
    found = Ties(inputs, (np.arange(count) + 1) // 2).find_groups()
    assert found.sizes.tolist() == [count]


def test_without_other_ties_groups_are_those_of_inputs() -> None:
    inputs = keys([3, 1, 3, 2, 1])
    alone = Ties(inputs).find_groups()
    nothing_more = Ties(inputs, np.arange(5), np.zeros((5, 2), np.uint64)).find_groups()
    for one, other in zip(alone, nothing_more, strict=True):
        assert one.tolist() == other.tolist()


def test_conversations_that_open_alike_are_on_one_side(tmp_path: Path) -> None:
    found = [
        chat(("user", f"q{at // 4}"), ("assistant", "a"), ("user", f"{at}"), ("assistant", "b"))
        for at in range(80)
    ]
    found += [chat(("user", f"q{at}"), ("assistant", "a")) for at in range(20)]
    merge_chats(tmp_path, found)
    made = prepare(PrepareRequest(format="sharegpt"), Settings(data_dir=tmp_path, workers=1))
    sides = [
        {row["conversations"][0]["value"] for row in lines(made["sharegpt"].path / f"{name}.jsonl")}
        for name in ("train", "validation")
    ]
    assert not sides[0] & sides[1]
    split = made["sharegpt"].split
    assert split is not None
    assert split["opening_overlap"] == 0
    assert abs(split["share"] - 0.2) <= TOLERANCE
    groups = {name: part["groups"] for name, part in split["parts"].items()}
    assert groups == {"train": 16, "validation": 4}


def test_a_group_that_a_source_names_is_on_one_side(tmp_path: Path) -> None:
    rows = [
        {"patient": f"p{at % 25}", **chat(("user", f"{at}"), ("assistant", f"to p{at % 25}"))}
        for at in range(100)
    ]
    write_rows(tmp_path / "chats.jsonl", rows)
    merge_entries(tmp_path, entry("chats", "chats.jsonl", 'group = ["patient"]'))
    settings = Settings(data_dir=tmp_path / "out", workers=1)
    made = prepare(PrepareRequest(format="sharegpt"), settings)["sharegpt"]
    train, validation = (
        {row["conversations"][1]["value"] for row in lines(made.path / f"{name}.jsonl")}
        for name in ("train", "validation")
    )
    assert (len(train), len(validation)) == (20, 5)
    assert made.split is not None
    assert made.split["group_overlap"] == 0

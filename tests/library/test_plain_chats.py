"""Chat lines that are checked all at once are found to be what each is found to be alone."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mindcorpus.corpus.row_batch import RowBatch
from mindcorpus.formats import chat_check, chat_examples
from mindcorpus.formats.chats import ChatEncoder
from mindcorpus.formats.openai import ChatLines
from mindcorpus.formats.seen_keys import SeenKeys


def of_texts(texts: list[tuple[str, str]]) -> RowBatch:
    columns = {"input": [one for one, _ in texts], "response": [two for _, two in texts]}
    return RowBatch(pa.table(columns, pa.schema([(name, pa.string()) for name in columns])))


texts = st.sampled_from(["", " \u2003", "a", "b", "so", 'x",', "\u00e9\U0001f600", "long " * 3])
batches = st.lists(st.lists(st.tuples(texts, texts), max_size=8), max_size=4)
fresh = st.text("abcdefgh\u00e9", min_size=1, max_size=6)
different = st.lists(st.lists(st.tuples(fresh, fresh), max_size=8), max_size=6)


@settings(deadline=None)
@given(
    batches | different,
    st.sampled_from(["Be kind.", "", " "]),
    st.sampled_from(["own", "none"]),
    st.sampled_from([3, 10**6]),
)
@example([[("a", "b"), ("b", "a")], [("a", "b")]], "Be kind.", "own", 10**6)
@example([[("a", "b"), ("a", "b")], [("a", "b")]], "Be kind.", "own", 10**6)
def test_what_is_found_does_not_depend_on_how_many_are_checked_at_once(
    rows: list[list[tuple[str, str]]], prompt: str, policy: str, remembered: int
) -> None:
    found: list[Any] = []
    for plain_lines in (ChatLines.plain_lines, ChatEncoder.plain_lines):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(chat_check, "LINES_REMEMBERED", remembered)
            patch.setattr(chat_examples, "MAX_EXAMPLE_TOKENS", 5)
            encoder = ChatLines(prompt, policy)
            lines = [[*plain_lines(encoder, of_texts(batch))] for batch in rows]
            found.append((lines, encoder.number, encoder.result()))
    assert found[0] == found[1]


def test_lines_of_which_nothing_is_to_be_said_are_not_looked_at_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoder = ChatLines("Be kind.", "own")
    monkeypatch.setattr(chat_check.ChatCheck, "example", None)
    for at in range(3):
        assert (
            len([*encoder.plain_lines(of_texts([(f"{at} one", "yes"), (f"{at} two", "no")]))]) == 2
        )
    assert encoder.result().checked.examples == 6


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 40), max_size=6), max_size=12))
def test_keys_are_seen_again_if_and_only_if_they_were_added(batches: list[list[int]]) -> None:
    seen = SeenKeys()
    expected: set[bytes] = set()
    for batch in batches:
        keys = [(each // 2).to_bytes(8, "little") + bytes([each % 2] * 8) for each in batch]
        # Keys that share their first half are told apart where one is asked for.
        if seen.add(b"".join(keys)):
            assert len({*keys}) == len(keys)
            assert expected.isdisjoint(keys)
            expected.update(keys)
        else:
            halves = [each // 2 for each in batch]
            before = {int.from_bytes(key[:8], "little") for key in expected}
            assert len({*halves}) < len(halves) or before.intersection(halves)
        assert len(seen) == len(expected)
    for each in range(42):
        key = (each // 2).to_bytes(8, "little") + bytes([each % 2] * 8)
        assert (key in seen) == (key in expected)
    sizes = [each.shape[1] for each in seen._sorted]
    assert all(one >= 2 * other for one, other in pairwise(sizes))

"""Adapters of one row to one record; threads of posts and comments are in test_threads.py."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_files import adapt, dropped, kept, words_of

from mindcorpus.sources.adapters import Adapter, Kept, LastMark, RowAdapter, TagColumn, look_up
from mindcorpus.sources.carried_columns import Carried
from mindcorpus.sources.chat_adapter import Messages
from mindcorpus.sources.columns_adapter import Columns
from mindcorpus.sources.preference_adapter import Preference
from mindcorpus.sources.readers import Drop, Row
from mindcorpus.sources.transcript_adapter import Transcript

CANARY = "Kanarienvogel"


def one(adapter: Adapter, row: Any) -> Kept | Drop:
    (outcome,) = adapt(adapter, row)
    return outcome


def reason(adapter: Adapter, row: Any) -> str:
    outcome = one(adapter, row)
    assert isinstance(outcome, Drop)
    return outcome.reason


# Columns


def test_columns_by_name() -> None:
    adapter = Columns(input="q", response="a", rejected_response="r")
    assert one(adapter, {"q": " one\r\n", "a": "\ttwo", "r": "three ", "other": 4}) == Kept(
        0, " one\r\n", "\ttwo", "three "
    )
    assert one(Columns(input="q"), {"q": "one", "a": "two"}) == Kept(0, "one", "")


@pytest.mark.parametrize("blank", ["", " \r\n\t", "\xa0\u3000", None])
def test_a_blank_side_is_a_drop_and_a_blank_rejected_side_is_none(blank: str | None) -> None:
    adapter = Columns(input="q", response="a", rejected_response="r")
    assert reason(adapter, {"q": blank, "a": "a", "r": "r"}) == "blank-input"
    assert reason(adapter, {"q": "q", "a": blank, "r": "r"}) == "blank-response"
    assert one(adapter, {"q": "q", "a": "a", "r": blank}) == Kept(0, "q", "a", "")
    assert one(Columns(input="q"), {"q": "q", "a": blank}) == Kept(0, "q", "")


def test_the_input_falls_back_unless_the_other_column_says_nothing() -> None:
    adapter = Columns(
        input="q", response="a", input_fallback="i", input_fallback_unless="You are a helper"
    )
    assert one(adapter, {"q": "q", "a": "a", "i": "i"}) == Kept(0, "q", "a")
    assert one(adapter, {"q": " ", "a": "a", "i": "What is it?"}) == Kept(0, "What is it?", "a")
    assert reason(adapter, {"q": " ", "a": "a", "i": "\n You are a helper, …"}) == "blank-input"
    assert reason(adapter, {"q": " ", "a": "a", "i": " "}) == "blank-input"
    assert reason(adapter, {"q": " ", "a": "a"}) == "missing-column"
    assert one(Columns(input="q", input_fallback="i"), {"q": "", "i": "You are"})[1] == "You are"


def test_a_run_on_response_is_cut_and_counted() -> None:
    adapter = Columns(input="q", response="a", cut_response_at=r"\n\d+,You are")
    assert one(adapter, {"q": "q", "a": "good\n12,You are …\n13,You are"}) == Kept(
        0, "q", "good", changed=("run-on-cut",)
    )
    assert one(adapter, {"q": "q", "a": "good, You are"}) == Kept(0, "q", "good, You are")
    assert reason(adapter, {"q": "q", "a": "\n12,You are …"}) == "blank-response"


def test_a_response_with_data_in_it_is_dropped() -> None:
    adapter = Columns(input="q", response="a", drop_if_response_holds="data:image/")
    assert reason(adapter, {"q": "q", "a": '<img src="data:image/png'}) == "embedded-data"
    assert one(adapter, {"q": "data:image/", "a": "a"}) == Kept(0, "data:image/", "a")


@pytest.mark.parametrize(
    ("value", "text"),
    [(1, "1"), (-1.5, "-1.5"), (10**30, "1" + "0" * 30), (True, "true"), (False, "false")],
)
def test_a_number_becomes_text_as_json_writes_it_and_is_counted(value: Any, text: str) -> None:
    outcome = one(Columns(input="q", response="a"), {"q": value, "a": "a"})
    assert outcome == Kept(0, text, "a", changed=("number-as-text",))


def test_not_a_number_is_an_empty_cell() -> None:
    assert reason(Columns(input="q"), {"q": float("nan")}) == "blank-input"


@pytest.mark.parametrize("value", [["x"], {"x": "y"}, b"x"])
def test_what_is_not_text_is_a_drop_that_names_the_type(value: Any) -> None:
    outcome = one(Columns(input="q", response="a"), {"q": value, "a": "a"})
    assert outcome == Drop(0, "wrong-type", f"'q' is {type(value).__name__}, not text")


def test_a_missing_column_is_a_drop_that_names_those_there_are() -> None:
    outcome = one(Columns(input="q", response="a"), {"question": CANARY, "a": CANARY})
    assert outcome == Drop(0, "missing-column", "there is no 'q'; the row has 'question', 'a'")
    assert one(Columns(input="q"), {})[2] == "there is no 'q'; the row has no columns"


def test_a_table_without_a_header_does_not_tell_its_first_row() -> None:
    row = {f"{CANARY} said to me": "x", f"{CANARY}!": "y", "label": "1", CANARY * 9: ""}
    assert one(Columns(input="q"), row)[2] == "there is no 'q'; the row has …, …, 'label', …"


@pytest.mark.parametrize("value", [None, 1, "x", ["x"], [{"q": "x"}]])
def test_a_row_that_is_not_an_object_is_a_drop(value: Any) -> None:
    for adapter in (Columns(input="q"), Messages(messages="m"), LastMark(text="t")):
        assert reason(adapter, value) == "wrong-type"


def test_columns_within_columns() -> None:
    row = {"a": {"b": {"c": "deep"}, "n": None}, "a.b": "flat", "x": "text"}
    assert look_up(row, "a.b") == "flat"
    assert look_up(row, "a.b.c") == "deep"
    assert look_up(row, "x.y") is look_up(row, "a.z") is look_up(row, "z") is None
    assert reason(Columns(input="a.n"), row) == "blank-input"
    assert reason(Columns(input="z.n"), row) == "missing-column"


# Tags


@pytest.mark.parametrize(
    ("column", "row", "tags"),
    [
        (TagColumn("t"), {"t": "x"}, ("x",)),
        (TagColumn("t"), {"t": 3}, ("3",)),
        (TagColumn("t"), {"t": ""}, ()),
        (TagColumn("t"), {"t": None}, ()),
        (TagColumn("t"), {"t": ["x", 2, None, {"y": 1}]}, ("x", "2")),
        (TagColumn("t", values={"true": ("yes",)}), {"t": True}, ("yes",)),
        (TagColumn("t", values={"1": ("one",)}), {"t": 1.0}, ("one",)),
        (TagColumn("t"), {}, ()),
        (TagColumn("t.u"), {"t": {"u": "x"}}, ("x",)),
        (TagColumn("t", prefix="p:"), {"t": "x"}, ("p:x",)),
        (TagColumn("t", prefix="p:"), {"t": ""}, ()),
        (TagColumn("t", until="/"), {"t": "x/y/z"}, ("x",)),
        (TagColumn("t", until="/"), {"t": "x"}, ("x",)),
        (TagColumn("t", prefix="p:", until="/"), {"t": "/y"}, ()),
        (TagColumn("t", values={"x": ("1", "2")}), {"t": "x"}, ("1", "2")),
        (TagColumn("t", values={"1": ("one",)}), {"t": 1}, ("one",)),
        (TagColumn("t", values={"x": ("1", "2")}), {"t": "y"}, ()),
        (TagColumn("t", prefix="p:", until="/", values={"x": ("1",)}), {"t": "x/y"}, ("p:1",)),
        (TagColumn("t", values={"x": ("1",)}, strict=True), {"t": "x"}, ("1",)),
    ],
)
def test_tags_come_from_a_column(column: TagColumn, row: Any, tags: tuple[str, ...]) -> None:
    assert one(Columns(input="q", tag_columns=(column,)), {"q": "q", **row}) == Kept(
        0, "q", "", tags=tags
    )


def test_tags_of_several_columns_stand_in_their_order() -> None:
    columns = (TagColumn("b"), TagColumn("a"), TagColumn("b"))
    outcome = one(Columns(input="q", tag_columns=columns), {"q": "q", "a": "A", "b": "B"})
    assert outcome == Kept(0, "q", "", tags=("B", "A", "B"))


@pytest.mark.parametrize("row", [{"t": CANARY}, {"t": ""}, {"t": None}, {"t": ["x"]}, {}])
def test_a_strict_column_drops_what_it_does_not_know(row: Any) -> None:
    column = TagColumn("t", values={"x": ("1",)}, strict=True)
    outcome = one(Columns(input="q", tag_columns=(column,)), {"q": "q", **row})
    assert outcome == Drop(0, "unknown-label", "'t' has no value that is known")


# What holds for all

any_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(CANARY),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["q", "a", "role", "content", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)
ADAPTERS: list[Adapter] = [
    Columns(
        input="q",
        response="a",
        rejected_response="x",
        input_fallback="a.q",
        cut_response_at="x",
        tag_columns=(TagColumn("x", until="/", values={"1": ("one",)}, strict=True),),
    ),
    Columns(input="q.a", tag_columns=(TagColumn("x", prefix="p:"), TagColumn("q.q"))),
    Columns(input="q", response="a", instruction="x", system="x.q", label="role"),
    Columns(input="q", response="a", label="x"),
    Messages(messages="q"),
    Messages(messages="q", role_key="x", content_key="a", roles={"x": "assistant"}, system="a"),
    Preference(chosen="q", rejected="a", prompt="x"),
    Preference(chosen="q", rejected="q", system="a"),
    Transcript(text="q", headings={"x": "user", CANARY: "assistant"}),
    Carried(Messages(messages="q"), ("a",), ("x", "role.q")),
    LastMark(text="q"),
]
#: Turns that are nearly right: every key of a turn, with any value or with its own.
any_turn = st.dictionaries(
    st.sampled_from(["role", "content", "from", "value", "name", "weight", "tool_calls", "text"])
    | st.sampled_from(["tool_call_id", "function_call", "reasoning", "type", "x", "a", "images"]),
    any_values
    | st.sampled_from(["user", "assistant", "tool", "function", "function_call", "system", "text"])
    | st.sampled_from(['[{"name": "x"}]', "{}", "[1]", "x: \ud800", "User: x\nAssistant: y"])
    | st.sampled_from([0, 1, 10**30, "\0", [{"type": "text", "text": "x"}], [{"name": 5}]]),
    max_size=6,
)


@settings(max_examples=300)
@given(
    rows=st.lists(any_values, max_size=5),
    chats=st.lists(st.lists(any_turn | any_values, max_size=4), max_size=2),
    turns=st.lists(any_turn, max_size=2),
)
def test_every_row_has_one_outcome_in_its_order_and_no_drop_holds_its_text(
    rows: list[Any], chats: list[Any], turns: list[Any]
) -> None:
    rows = [*rows, *({"q": chat, "a": CANARY} for chat in chats)]
    rows += [{"q": chat, "a": chat[1:], "x": turn} for chat in chats for turn in turns]
    rows += [{**turn, "q": turn.get("content"), "a": turn.get("value")} for turn in turns]
    unread = Drop(len(rows), "broken-json", "at character 7")
    for adapter in ADAPTERS:
        given_rows: list[Row | Drop] = [
            *(Row(number, row) for number, row in enumerate(rows)),
            unread,
        ]
        outcomes = list(adapter(given_rows))
        assert [outcome.number for outcome in outcomes] == list(range(len(rows) + 1))
        assert outcomes[-1] is unread
        assert len(kept(outcomes)) + len(dropped(outcomes)) == len(outcomes)
        assert CANARY not in words_of(outcomes)
        assert not adapter.whole_file


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=True),
    st.text(" \u00a0ab[{", max_size=4),
    st.sampled_from(
        ['[{"role": "user", "content": "hello"}]', '{"role": "assistant", "content": ""}']
    ),
    st.lists(st.text(max_size=2), max_size=2),
)
two_texts = st.fixed_dictionaries(dict.fromkeys(("q", "a", "b"), st.text(" ab[", max_size=2)))
raw_rows = st.one_of(
    st.builds(Row, st.integers(0, 9), two_texts),
    st.builds(Drop, st.integers(0, 9), st.just("broken-json")),
    st.builds(
        Row, st.integers(0, 9), st.dictionaries(st.sampled_from(["q", "a", "q.a", "b"]), values)
    ),
    st.builds(Row, st.integers(0, 9), values),
)


@settings(deadline=None)
@given(
    st.lists(raw_rows, max_size=6),
    st.sampled_from([("q", "a"), ("q.a", "a"), ("q", None), ("b", "b")]),
)
def test_rows_of_two_texts_become_what_any_others_become(
    rows: list[Row | Drop], columns: tuple[str, str | None]
) -> None:
    adapter = Columns(*columns)
    assert [*adapter(rows)] == [*RowAdapter.__call__(adapter, rows)]

"""Layouts that are seen by a table's first rows, and the adapter that reads each."""

from __future__ import annotations

import json
from typing import Any

import pytest
from raw_files import adapt, kept

from mindcorpus.errors import DataError
from mindcorpus.sources.adapters import Kept, TagColumn
from mindcorpus.sources.auto_adapter import Auto
from mindcorpus.sources.columns_adapter import Columns
from mindcorpus.sources.layouts import detect
from mindcorpus.sources.readers import Drop

CANARY = "Kanarienvogel"
ASKED, SAID, BAD = "Wie geht’s? 😀", "Gut, 谢谢.", "Lass mich."


def chat(*texts: str, role: str = "role", content: str = "content") -> list[dict[str, str]]:
    roles = ("user", "assistant") if role == "role" else ("human", "gpt")
    return [{role: roles[at % 2], content: text} for at, text in enumerate(texts)]


SHARED = chat(ASKED, SAID, role="from", content="value")
PAIR = {"chosen": SAID, "rejected": BAD}
HEADINGS = f"User: {ASKED}\nAssistant: {SAID}"
#: name, row, adapter, options, what becomes of it.
SEEN: list[tuple[str, dict[str, Any], str, dict[str, str]]] = [
    ("messages", {"messages": chat(ASKED, SAID)}, "messages", {"messages": "messages"}),
    ("messages", {"id": 1, "conversations": SHARED}, "messages", {"messages": "conversations"}),
    ("messages", {"d": json.dumps(SHARED), "n": "x"}, "messages", {"messages": "d"}),
    (
        "messages",
        {"conversations": SHARED, "dialog_of_before": SHARED},
        "messages",
        {"messages": "conversations"},
    ),
    (
        "preference pairs",
        {"prompt": ASKED, **PAIR},
        "preference",
        {"chosen": "chosen", "rejected": "rejected", "prompt": "prompt"},
    ),
    (
        "preference pairs",
        {"chosen": chat(ASKED, SAID), "rejected": chat(ASKED, BAD), "score": 1},
        "preference",
        {"chosen": "chosen", "rejected": "rejected"},
    ),
    (
        "preference pairs",
        {"conversations": SHARED[:1], "chosen": SHARED[1], "rejected": {**SHARED[1], "value": BAD}},
        "preference",
        {"chosen": "chosen", "rejected": "rejected", "prompt": "conversations"},
    ),
    (
        "prompt and completion",
        {"prompt": ASKED, "completion": SAID, "label": True},
        "columns",
        {"input": "prompt", "response": "completion", "label": "label"},
    ),
    (
        "prompt and completion",
        {"prompt": chat(ASKED), "completion": chat(ASKED, SAID)[1:]},
        "columns",
        {"input": "prompt", "response": "completion"},
    ),
    (
        "instructions",
        {"instruction": ASKED, "input": "", "output": SAID},
        "columns",
        {"input": "input", "response": "output", "instruction": "instruction"},
    ),
    (
        "instructions",
        {"instruction": ASKED, "output": SAID},
        "columns",
        {"input": "instruction", "response": "output"},
    ),
    (
        "questions and answers",
        {"Question_Text": ASKED, "Answer": SAID, "topic": "sleep"},
        "columns",
        {"input": "Question_Text", "response": "Answer"},
    ),
    ("text with headings", {"text": HEADINGS, "n": 1}, "transcript", {"text": "text"}),
]


@pytest.mark.parametrize(("name", "row", "adapter", "options"), SEEN)
def test_a_well_known_layout_is_seen_and_read(
    name: str, row: dict[str, Any], adapter: str, options: dict[str, str]
) -> None:
    layout = detect([row, row])
    assert layout is not None
    assert (layout.name, layout.adapter, layout.options) == (name, adapter, options)
    assert detect([dict(reversed(row.items()))]) == layout
    assert set(layout.columns) == set(options.values())
    assert ASKED not in str(layout)
    (record,) = adapt(Auto(), row)
    bad = BAD if name == "preference pairs" else ""
    assert record == Kept(0, ASKED, SAID, bad)


def test_a_system_prompt_beside_is_seen_too() -> None:
    row = {"instruction": ASKED, "input": "", "output": SAID, "system": "Be kind."}
    (record,) = kept(adapt(Auto(), row))
    assert record.conversation
    assert [turn.role for turn in record.conversation.turns] == ["system", "user", "assistant"]


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"a": 1},
        {"question": "q", "prompt": "p", "answer": "a"},
        {"question": "q", "answer": "a", "response": "r"},
        {"question": ["q"], "answer": "a"},
        {"one": chat(ASKED, SAID), "other": chat(ASKED, SAID)},
        {"messages": []},
        {"messages": [{"text": "of nobody"}]},
        {"chosen": SAID, "rejected": BAD},
        {"text": "User: and no answer"},
        {"text": "User: a\nAssistant: b", "other": "User: a\nAssistant: b"},
        {f"{CANARY} said!": "User: a\nAssistant: b"},
    ],
)
def test_what_may_be_several_things_is_not_guessed(row: dict[str, Any]) -> None:
    assert detect([row]) is None
    with pytest.raises(DataError) as caught:
        adapt(Auto(), row)
    assert CANARY not in f"{caught.value} {caught.value.hint}"
    assert all(repr(name) in str(caught.value) for name in row if CANARY not in name)


def test_a_layout_must_hold_for_all_the_rows_that_are_seen() -> None:
    rows: list[Any] = [{"messages": chat(ASKED, SAID)}, {"messages": None}]
    assert detect(rows) is None
    assert detect([]) is None


@pytest.mark.parametrize("label", ["desirable", "anxiety", 2, 0.5])
def test_an_answer_that_may_be_labelled_a_bad_one_is_not_taken_for_a_good_one(label: Any) -> None:
    assert detect([{"prompt": "p", "completion": "c", "label": label}]) is None


LABELLED: list[dict[str, Any]] = [
    {"prompt": ASKED, "completion": BAD, "label": 0},
    {"prompt": ASKED, "completion": BAD, "kto_tag": "False"},
    {"question": ASKED, "answer": BAD, "label": False},
    {"instruction": ASKED, "output": BAD, "kto_tag": False},
    {"messages": chat(ASKED, BAD), "label": False},
    {"conversations": chat(ASKED, BAD, role="from", content="value"), "kto_tag": False},
]


@pytest.mark.parametrize("row", LABELLED)
def test_an_answer_that_is_labelled_a_bad_one_is_never_learnt(row: dict[str, Any]) -> None:
    (record,) = kept(adapt(Auto(), row))
    assert (record.input, record.response, record.rejected_response) == (ASKED, "", BAD)


LATE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"prompt": ASKED, "completion": SAID}, {"label": False}),
    ({"question": ASKED, "answer": SAID}, {"rejected_response": BAD}),
    ({"messages": chat(ASKED, SAID)}, {"system": "Be kind."}),
    ({"messages": chat(ASKED, SAID)}, {"kto_tag": False}),
    ({"question": ASKED, "answer": SAID}, {"tools": [{"type": "function"}]}),
    ({"instruction": ASKED, "output": SAID}, {"input": "«Anna»"}),
]


@pytest.mark.parametrize(("row", "more"), LATE)
@pytest.mark.parametrize("nothing", [None, "", []])
def test_what_only_a_later_row_says_is_not_left_out_in_silence(
    row: dict[str, Any], more: dict[str, Any], nothing: Any
) -> None:
    rows = [dict(row) for _ in range(30)]
    rows[28] |= dict.fromkeys(more, nothing)
    rows[29] |= more
    *others, last = adapt(Auto(), *rows)
    assert len(kept(others)) == 29
    assert isinstance(last, Drop)
    assert last.reason == "other-layout"
    assert repr(next(iter(more))) in last.evidence
    assert CANARY not in last.evidence


OPTIONAL: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"instruction": ASKED, "output": SAID}, {"input": ""}),
    ({"question": ASKED, "answer": SAID}, {"rejected_response": ""}),
    ({"messages": chat(ASKED, SAID)}, {"system": "Be kind."}),
]


@pytest.mark.parametrize(("row", "more"), OPTIONAL)
def test_a_row_need_not_have_a_column_that_others_have(
    row: dict[str, Any], more: dict[str, Any]
) -> None:
    _, record = adapt(Auto(), row | more, dict(row))
    assert record == Kept(1, ASKED, SAID)


def test_rows_behind_the_first_are_read_as_these_are() -> None:
    rows: list[Any] = [{"question": ASKED, "answer": SAID, "t": n} for n in range(30)]
    rows[25] = {"prompt": ASKED, "completion": SAID}
    found = adapt(Auto(tag_columns=(TagColumn("t"),)), *rows)
    assert [outcome.number for outcome in found] == list(range(30))
    assert [outcome.reason for outcome in found if isinstance(outcome, Drop)] == ["missing-column"]
    assert kept(found)[29 - 1].tags == ("29",)


def test_a_mapping_that_does_not_fit_is_told_what_would() -> None:
    (outcome,) = adapt(
        Columns(input="question", response="answer"), {"question": "q", "reply": "r"}
    )
    assert outcome == Drop(
        0,
        "missing-column",
        "there is no 'answer'; the row has 'question', 'reply'; it looks like questions and "
        "answers: adapter = 'columns', input = 'question', response = 'reply'",
    )
    (outcome,) = adapt(Columns(input="chats"), {"chats": chat(CANARY, CANARY)})
    assert outcome == Drop(
        0,
        "wrong-type",
        "'chats' is list, not text; it looks like messages: adapter = 'messages', "
        "messages = 'chats'",
    )


def test_a_row_that_is_read_by_its_layout_is_told_its_fault_alone() -> None:
    rows: list[Any] = [{"messages": chat(ASKED, SAID)}] * 2
    rows.append({"messages": [*chat(ASKED), {"role": "assistant", "content": SAID, "weight": 0.5}]})
    *_, wrong = adapt(Auto(), *rows)
    assert wrong == Drop(2, "wrong-type", "the weight of message 1 is neither 0 nor 1")

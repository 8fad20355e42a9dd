"""Conversations in one text, each turn under the heading of its role."""

from __future__ import annotations

import pytest
from raw_files import adapt, words_of

from mindcorpus.conversations import Conversation, Turn
from mindcorpus.sources.adapters import Kept
from mindcorpus.sources.readers import Drop
from mindcorpus.sources.transcript_adapter import Transcript

USUAL = Transcript(text="t")
CANARY = "Kanarienvogel"


def one(text: str, adapter: Transcript = USUAL) -> Kept | Drop:
    (outcome,) = adapt(adapter, {"t": text})
    assert CANARY not in words_of([outcome])
    return outcome


def turns(text: str, adapter: Transcript = USUAL) -> list[tuple[str, str | None]]:
    outcome = one(text, adapter)
    assert isinstance(outcome, Kept)
    whole = outcome.conversation or Conversation(
        (Turn("user", outcome.input), Turn("assistant", outcome.response))
    )
    return [turn[:2] for turn in whole.turns]


TWO = [("user", "Wie geht’s?\n\nSag: ehrlich."), ("assistant", "Gut, 谢谢. 😀")]


@pytest.mark.parametrize(
    ("asking", "answering"),
    [
        ("User:", "Assistant:"),
        ("\n\nHuman:", "\n\nAssistant:"),
        ("HUMAN :", "ai:"),
        ("Client:", "Therapist:"),
        ("### User:", "### Assistant:"),
        ("### Instruction:\n", "### Response:\n"),
    ],
)
def test_headings_begin_turns(asking: str, answering: str) -> None:
    text = f"{asking} {TWO[0][1]}\n{answering} {TWO[1][1]}\n"
    assert turns(text) == TWO
    assert turns(f"{text}{asking} noch?\n{answering}  ja") == [
        *TWO,
        ("user", "noch?"),
        ("assistant", "ja"),
    ]


def test_an_input_is_part_of_what_was_asked() -> None:
    text = "Below is a task.\n\n### Instruction:\nSum up.\n\n### Input:\nnote: 1\nUser: x\n\n"
    found = one(f"{text}### Response:\nDone.")
    assert isinstance(found, Kept)
    assert found[1:3] == ("Sum up.\n\nnote: 1\nUser: x", "Done.")
    assert found.changed == ("opening-text-as-system",)
    assert found.conversation
    assert found.conversation.turns[0] == Turn("system", "Below is a task.")


def test_an_instruction_is_a_word_where_headings_have_no_sharps() -> None:
    assert turns("User: see\nInput: 5\nResponse: none\nAssistant: a") == [
        ("user", "see\nInput: 5\nResponse: none"),
        ("assistant", "a"),
    ]


def test_headings_within_one_line_count_where_no_others_are() -> None:
    found = one("User: is User:x fine? Assistant: it is User: good Assistant: yes")
    assert isinstance(found, Kept)
    assert found.changed == ("headings-within-lines",)
    assert found[1:3] == ("User: is User:x fine?\n\nAssistant: it is\n\nUser: good", "yes")
    assert turns("User: is it\nAssistant: ask User: him") == [
        ("user", "is it"),
        ("assistant", "ask User: him"),
    ]


def test_an_entry_may_name_its_headings() -> None:
    adapter = Transcript(text="t", headings={"Pt.": "user", "Th": "assistant"})
    assert turns("Pt.: User: no heading\nth: ja", adapter) == [
        ("user", "User: no heading"),
        ("assistant", "ja"),
    ]


def test_a_text_without_headings_is_a_drop() -> None:
    assert one(CANARY) == Drop(0, "no-heading", "no line begins with the heading of a role")
    assert one(f"User: {CANARY}")[1] == "blank-response"
    assert one(f"Assistant: {CANARY}")[1] == "blank-input"

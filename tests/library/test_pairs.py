"""Pairs and completions of texts or of messages, and what columns join."""

from __future__ import annotations

import json
from typing import Any

import pytest
from raw_files import adapt

from mindcorpus.conversations import Conversation, Turn
from mindcorpus.sources.adapters import Kept
from mindcorpus.sources.columns_adapter import Columns
from mindcorpus.sources.preference_adapter import Preference
from mindcorpus.sources.readers import Drop

SYSTEM, ASKED = Turn("system", "Sei freundlich."), Turn("user", "Wo ist’s ruhig? 🌲")
GOOD, BAD = Turn("assistant", "Am See."), Turn("assistant", "Nirgends.")
MORE = Turn("user", "Und sonst?")
PAIR = Columns(input="prompt", response="chosen", rejected_response="rejected")
PREFERENCE = Preference(chosen="chosen", rejected="rejected", prompt="prompt")
WITHIN = Preference(chosen="chosen", rejected="rejected")


def messages(*turns: Turn) -> list[dict[str, Any]]:
    return [{"role": turn.role, "content": turn.content} for turn in turns]


def one(adapter: Any, **row: Any) -> Kept | Drop:
    (outcome,) = adapt(adapter, row)
    return outcome


FLAT = Kept(0, str(ASKED.content), "Am See.", "Nirgends.")


@pytest.mark.parametrize("adapter", [PAIR, PREFERENCE])
@pytest.mark.parametrize("prompt", [ASKED.content, messages(ASKED)])
@pytest.mark.parametrize("before", [(), (ASKED,)])
@pytest.mark.parametrize("written", [list, json.dumps])
def test_answers_may_repeat_the_prompt_or_go_on_from_it(
    adapter: Any, prompt: Any, before: tuple[Turn, ...], written: Any
) -> None:
    chosen, rejected = messages(*before, GOOD), messages(*before, BAD)
    assert one(adapter, prompt=prompt, chosen=written(chosen), rejected=written(rejected)) == FLAT
    assert one(adapter, prompt=prompt, chosen=chosen, rejected=BAD.content) == FLAT


def test_a_pair_of_texts_and_a_single_message_do_as_well() -> None:
    for adapter in (PAIR, PREFERENCE):
        assert one(adapter, prompt=ASKED[1], chosen=GOOD[1], rejected=BAD[1]) == FLAT
        alone = {"chosen": messages(GOOD)[0], "rejected": messages(BAD)[0]}
        assert one(adapter, prompt=ASKED[1], **alone) == FLAT
    assert one(WITHIN, chosen=messages(ASKED, GOOD), rejected=messages(ASKED, BAD)) == FLAT


def test_a_pair_of_conversations_keeps_both_whole() -> None:
    opening = (SYSTEM, ASKED, GOOD, MORE)
    whole = Conversation((*opening, GOOD), (*opening, BAD))
    found = one(WITHIN, chosen=messages(*opening, GOOD), rejected=messages(*opening, BAD))
    assert isinstance(found, Kept)
    assert found.conversation == whole
    assert found[1:4] == (
        f"User: {ASKED.content}\n\nAssistant: Am See.\n\nUser: Und sonst?",
        "Am See.",
        "Nirgends.",
    )
    # The prompt beside them: as a list that both go on from, or as the last question alone.
    assert (
        one(
            PREFERENCE,
            prompt=messages(*opening),
            chosen=messages(GOOD),
            rejected=messages(*opening[1:], BAD),
        )
        == found
    )
    assert (
        one(
            PREFERENCE,
            prompt=MORE.content,
            chosen=messages(*opening, GOOD),
            rejected=messages(*opening, BAD),
        )
        == found
    )


def test_a_pair_that_is_none_is_a_drop() -> None:
    other = one(WITHIN, chosen=messages(ASKED, GOOD), rejected=messages(MORE, BAD))
    assert other[1] == "no-shared-beginning"
    assert one(PREFERENCE, prompt="q", chosen=" ", rejected="r")[1] == "blank-response"
    assert one(PREFERENCE, prompt="q", chosen=[5], rejected="r")[1] == "wrong-type"
    assert one(PREFERENCE, prompt="q", chosen="a")[1] == "missing-column"
    assert one(WITHIN, chosen="a", rejected="r")[1] == "blank-input"
    assert one(PREFERENCE, prompt="q", chosen="a", rejected=None) == Kept(0, "q", "a")


def test_two_rejected_answers_to_one_are_two_pairs() -> None:
    found = adapt(PAIR, *({"prompt": "q", "chosen": "a", "rejected": bad} for bad in ("r", "s")))
    assert found == [Kept(0, "q", "a", "r"), Kept(1, "q", "a", "s")]


def test_a_text_that_only_looks_like_json_stays_text() -> None:
    for text in ('[{"a": 1}]', "[1]", "[", "{}", '{"role": "user"}'):
        assert one(PAIR, prompt="q", chosen=text, rejected="r") == Kept(0, "q", text, "r")


# Instructions


INSTRUCTED = Columns(input="input", response="output", instruction="instruction", system="system")


@pytest.mark.parametrize(
    ("instruction", "input_", "joined"),
    [
        ("Fass zusammen.", "Notiz 1.", "Fass zusammen.\n\nNotiz 1."),
        ("Fass zusammen.", "", "Fass zusammen."),
        ("Fass zusammen.", None, "Fass zusammen."),
        (" \n", "Notiz 1.", "Notiz 1."),
    ],
)
def test_instruction_and_input_are_joined_and_either_may_be_empty(
    instruction: str, input_: str | None, joined: str
) -> None:
    row = {"instruction": instruction, "input": input_, "output": "a"}
    assert one(INSTRUCTED, **row, system=None) == Kept(0, joined, "a")
    found = one(INSTRUCTED, **row, system="Sei kurz.")
    assert found == Kept(
        0,
        joined,
        "a",
        conversation=Conversation(
            (Turn("system", "Sei kurz."), Turn("user", joined), Turn("assistant", "a"))
        ),
    )


def test_half_a_prompt_is_counted() -> None:
    half = Columns(input="instruction", response="output")
    assert one(half, instruction="i", input="more", output="a") == Kept(
        0, "i", "a", changed=("input-column-left-out",)
    )
    assert one(half, instruction="i", input=" ", output="a") == Kept(0, "i", "a")
    assert one(INSTRUCTED, instruction="", input=" ", output="a")[1] == "blank-input"


# Completions with a label


RATED = Columns(input="prompt", response="completion", label="label")


@pytest.mark.parametrize("label", [True, 1, 1.0, "true", "True", "1"])
def test_a_good_completion_is_the_response(label: Any) -> None:
    assert one(RATED, prompt="q", completion="a", label=label) == Kept(0, "q", "a")


@pytest.mark.parametrize("label", [False, 0, 0.0, "false", "False", "0"])
def test_a_bad_completion_is_the_rejected_response_and_no_answer(label: Any) -> None:
    assert one(RATED, prompt="q", completion="a", label=label) == Kept(0, "q", "", "a")
    found = one(RATED, prompt=messages(SYSTEM, ASKED), completion=messages(BAD), label=label)
    assert found == Kept(
        0,
        str(ASKED.content),
        "",
        "Nirgends.",
        conversation=Conversation((SYSTEM, ASKED), (SYSTEM, ASKED, BAD)),
    )


def test_a_label_that_says_neither_is_a_drop() -> None:
    labels: list[Any] = [None, "maybe", 2, []]
    for label in labels:
        assert one(RATED, prompt="q", completion="a", label=label)[1] == "unknown-label"
    assert one(RATED, prompt="q", completion=" ", label=False)[1] == "blank-response"
    assert one(RATED, prompt=messages(ASKED), completion=" ", label=False)[1] == "blank-response"


def test_a_turn_of_the_prompt_that_both_answers_repeat_stands_once() -> None:
    turns = (ASKED, GOOD, MORE)
    chosen, rejected = messages(MORE, Turn("assistant", "Im Wald.")), messages(MORE, BAD)
    record = one(PREFERENCE, prompt=messages(*turns), chosen=chosen, rejected=rejected)
    assert isinstance(record, Kept)
    assert record.conversation == Conversation(
        (*turns, Turn("assistant", "Im Wald.")), (*turns, BAD)
    )


@pytest.mark.parametrize("nothing", [Turn("assistant", ""), MORE, BAD._replace(weight=0)])
def test_a_rejected_side_without_an_answer_is_counted(nothing: Turn) -> None:
    rejected = [{"role": nothing.role, "content": nothing.content, "weight": nothing.weight}]
    record = one(PREFERENCE, prompt=ASKED.content, chosen=GOOD.content, rejected=rejected)
    assert isinstance(record, Kept)
    assert (record.response, record.rejected_response) == (GOOD.content, "")
    assert record.changed == ("rejected-left-out",)


@pytest.mark.parametrize("instruction", [None, "instruction"])
def test_earlier_turns_beside_an_instruction_are_counted(instruction: str | None) -> None:
    columns = Columns(input="instruction", response="output")
    if instruction is not None:
        columns = Columns(input="input", response="output", instruction=instruction)
    row = {"instruction": "i", "input": "", "output": "a", "history": [["Wer?", "Ich."]]}
    assert one(columns, **row) == Kept(0, "i", "a", changed=("history-column-left-out",))
    assert one(columns, **row | {"history": []}) == Kept(0, "i", "a")

"""Chats to whole conversations, whatever their keys, roles and parts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from raw_files import adapt, words_of

from mindcorpus.chat_messages import messages_of
from mindcorpus.conversations import Conversation, Turn
from mindcorpus.sources.adapters import Kept
from mindcorpus.sources.chat_adapter import Messages
from mindcorpus.sources.chat_turns import CONTENT_KEYS, NAMES_OF_ROLES, ROLE_KEYS
from mindcorpus.sources.readers import Drop

CANARY = "Kanarienvogel"
MESSAGES = Messages(messages="m")
USER, ANSWER = Turn("user", "Wie geht’s? 😀"), Turn("assistant", "Gut, 谢谢.")


def one(row: Any, adapter: Messages = MESSAGES) -> Kept | Drop:
    (outcome,) = adapt(adapter, row)
    return outcome


def record(*messages: Any, adapter: Messages = MESSAGES, **beside: Any) -> Kept:
    outcome = one({"m": list(messages), **beside}, adapter)
    assert isinstance(outcome, Kept), outcome
    return outcome


def record_of_cell(text: str) -> Kept:
    outcome = one({"m": text})
    assert isinstance(outcome, Kept), outcome
    return outcome


def conversation(*messages: Any, adapter: Messages = MESSAGES, **beside: Any) -> Conversation:
    found = record(*messages, adapter=adapter, **beside).conversation
    assert found is not None
    return found


def drop(*messages: Any, adapter: Messages = MESSAGES, **beside: Any) -> Drop:
    outcome = one({"m": list(messages), **beside}, adapter)
    assert isinstance(outcome, Drop), outcome
    assert CANARY not in words_of([outcome])
    return outcome


def message(turn: Turn, **more: Any) -> dict[str, Any]:
    return {"role": turn.role, "content": turn.content, **more}


def chat(*turns: tuple[str, str | None]) -> dict[str, Any]:
    return {"m": [{"role": role, "content": content} for role, content in turns]}


# Flat texts and turns


@pytest.mark.parametrize(
    ("turns", "input_", "response", "changed"),
    [
        ([("system", "s"), ("user", "q\n"), ("assistant", " a")], "q\n", " a", ()),
        ([("user", "q"), ("assistant", "a"), ("user", "m")], "q", "a", ("later-turns-left-out",)),
        (
            [("user", "q"), ("assistant", "a"), ("assistant", " \n")],
            "q",
            "a",
            ("later-turns-left-out",),
        ),
        (
            [("user", "q1"), ("assistant", "a1"), ("user", "q2"), ("assistant", "a2")],
            "User: q1\n\nAssistant: a1\n\nUser: q2",
            "a2",
            (),
        ),
        ([("user", "q1"), ("user", "q2"), ("assistant", "a")], "User: q1\n\nUser: q2", "a", ()),
        (
            [("user", "q"), ("tool", "t"), ("assistant", "a"), ("system", "s")],
            "User: q\n\nTool: t",
            "a",
            ("later-turns-left-out",),
        ),
    ],
)
def test_a_chat_has_a_flat_view_and_all_its_turns(
    turns: list[tuple[Any, str]], input_: str, response: str, changed: tuple[str, ...]
) -> None:
    whole = Conversation(tuple(Turn(*turn) for turn in turns))
    assert one(chat(*turns)) == Kept(0, input_, response, changed=changed, conversation=whole)


def test_one_question_and_its_answer_are_said_by_the_flat_view() -> None:
    assert record(message(USER), message(ANSWER)) == Kept(0, USER.content or "", "Gut, 谢谢.")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (chat(), "blank-response"),
        (chat(("user", "q")), "blank-response"),
        (chat(("user", "q"), ("assistant", None)), "blank-response"),
        (chat(("assistant", "a"), ("user", "q")), "blank-input"),
        (chat(("system", "q"), ("assistant", "a")), "blank-input"),
        (chat(("user", " "), ("assistant", "a")), "blank-input"),
        (chat(("user", "q"), (CANARY, "a")), "unknown-role"),
        ({"m": None}, "wrong-type"),
        ({"messages": []}, "missing-column"),
        ({"m": CANARY}, "wrong-type"),
        ({"m": {"role": CANARY}}, "wrong-type"),
        ({"m": [CANARY]}, "wrong-type"),
        ({"m": [{"role": "user", "content": {CANARY: 1}}]}, "unknown-content"),
        ({"m": [{"role": 1, "content": CANARY}]}, "wrong-type"),
        ({"m": [{"content": CANARY}]}, "wrong-type"),
        ({"m": [{"role": "user", "said": CANARY}]}, "wrong-type"),
    ],
)
def test_a_chat_that_gives_no_record_is_a_drop(row: Any, why: str) -> None:
    outcome = one(row)
    assert isinstance(outcome, Drop)
    assert outcome.reason == why
    assert CANARY not in words_of([outcome])


# Keys and roles


@pytest.mark.parametrize("content", CONTENT_KEYS)
@pytest.mark.parametrize("role", ROLE_KEYS)
def test_the_usual_keys_are_found(role: str, content: str) -> None:
    rows = [{role: "user", content: USER.content}, {role: "assistant", content: ANSWER.content}]
    assert record(*rows) == record(message(USER), message(ANSWER))


@pytest.mark.parametrize(
    ("role", "name"), [(role, name) for role, names in NAMES_OF_ROLES.items() for name in names]
)
def test_the_usual_names_of_roles_are_known(role: Any, name: str) -> None:
    for written in (name, name.title(), f" {name.upper()} "):
        turns = conversation(
            message(USER), {"role": written, "content": "x"}, message(USER), message(ANSWER)
        ).turns
        assert turns[1] == Turn(role, "x")


def test_an_entry_may_name_keys_and_roles() -> None:
    adapter = Messages("m", role_key="who", content_key="said", roles={"Mia": "assistant"})
    rows = [{"who": "client", "said": "q", "text": 1}, {"who": "Mia", "said": "a"}]
    assert record(*rows, adapter=adapter) == Kept(0, "q", "a", changed=("turn-key-left-out:text",))
    assert drop({"who": "client", "said": "q"}, {"who": "mia", "said": "a"}, adapter=adapter) == (
        0,
        "unknown-role",
        "the role of message 1 is not known; roles tells what each name stands for",
        0,
    )


def test_what_a_table_fills_with_nulls_is_not_there() -> None:
    nulls = dict.fromkeys(("name", "weight", "tool_calls", "from", "value", "else"))
    assert record(message(USER, **nulls), message(ANSWER, **nulls)) == record(
        message(USER), message(ANSWER)
    )


def test_messages_may_be_json_text_in_a_cell() -> None:
    rows = [message(USER), message(ANSWER), message(USER)]
    assert one({"m": json.dumps(rows)}) == record(*rows)
    outcome = one({"m": f"[{{'role': '{CANARY}'}}]"})
    assert outcome == Drop(0, "wrong-type", "'m' is text that is not JSON")


# What a turn has beside its text


def test_all_fields_of_a_turn_are_kept() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    whole = conversation(
        message(USER, name="Ana"),
        {"role": "assistant", "tool_calls": [call], "weight": 0, "reasoning_content": "…"},
        message(Turn("tool", "5 °C"), tool_call_id="c1"),
        message(ANSWER, weight=1.0),
        tools=[{"type": "function", "function": {"name": "look"}}],
        parallel_tool_calls=False,
    )
    assert whole == Conversation(
        (
            USER._replace(name="Ana"),
            Turn(
                "assistant",
                weight=0,
                tool_calls=json.dumps([call], separators=(",", ":")),
                reasoning_content="…",
            ),
            Turn("tool", "5 °C", tool_call_id="c1"),
            ANSWER._replace(weight=1),
        ),
        tools='[{"type":"function","function":{"name":"look"}}]',
        parallel_tool_calls=False,
    )


def test_tools_may_be_json_text_and_an_empty_list_is_none() -> None:
    schemas = '[{"type":"function","function":{"name":"look"}}]'
    rows = (message(USER), message(ANSWER))
    assert conversation(*rows, tools=schemas).tools == schemas
    nothings: list[Any] = [None, "", " ", "[]", []]
    for nothing in nothings:
        assert record(*rows, tools=nothing).conversation is None
    assert drop(*rows, tools=CANARY).reason == "wrong-type"
    assert drop(*rows, tools=[CANARY]).reason == "wrong-type"


@pytest.mark.parametrize("big", [2**64, 2**64 + 1, -(2**63) - 1, -(2**70)])
def test_integers_of_any_size_in_json_texts_are_kept_as_they_stand(big: int) -> None:
    schemas = (
        f'[{{"type":"function","function":{{"name":"look","parameters":{{"maximum":{big}}}}}}}]'
    )
    assert conversation(message(USER), message(ANSWER), tools=schemas).tools == schemas
    calls = f'[{{"id":"a","function":{{"name":"look","arguments":{{"n":{big}}}}}}}]'
    turns = [message(USER), {"role": "assistant", "tool_calls": calls}]
    found = conversation(*turns)
    assert found.turns[1].tool_calls == calls
    cell = record_of_cell(json.dumps(turns)).conversation
    assert cell == found
    assert drop(message(USER), message(ANSWER), tools="1" * 5000).reason == "wrong-type"


@pytest.mark.parametrize("key", ["arguments", "args", "parameters", "input"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_a_call_calls_with_is_told_whatever_it_is_called(key: str, wrapped: bool) -> None:
    function = {"name": "look", key: {"place": "Zürich"}}
    call = {"id": "1", "function": function} if wrapped else {"id": "1", **function}
    found = record(message(USER), message(Turn("assistant", None), tool_calls=[call]))
    assert found.response == 'Calls look({"place":"Zürich"})'
    assert found.conversation is not None
    (given,) = messages_of(found.conversation.turns)[1]["tool_calls"]
    assert given["function"] == {"name": "look", "arguments": '{"place":"Zürich"}'}


def test_calls_of_the_older_schema_are_written_as_those_of_today() -> None:
    function = {"name": "look", "arguments": "{}"}
    called = record(
        message(USER),
        {"role": "assistant", "content": None, "function_call": function},
        {"role": "function", "name": "look", "content": "5 °C"},
        message(ANSWER),
        functions=[{"name": "look"}],
    )
    assert called.changed == ("function-call-as-tool-call",)
    assert called.conversation == Conversation(
        (
            USER,
            Turn(
                "assistant",
                tool_calls=json.dumps(
                    [{"type": "function", "function": function}], separators=(",", ":")
                ),
            ),
            Turn("tool", "5 °C", name="look"),
            ANSWER,
        ),
        tools='[{"type":"function","function":{"name":"look"}}]',
    )
    shared = record(
        {"from": "human", "value": USER.content},
        {"from": "function_call", "value": json.dumps(function)},
        {"from": "observation", "value": "5 °C"},
        {"from": "gpt", "value": ANSWER.content},
    )
    assert shared.changed == called.changed
    assert shared[1:3] == called[1:3]


def test_a_result_that_is_an_object_becomes_json_text() -> None:
    found = record(message(USER), {"role": "tool", "content": {"°C": [5, None]}}, message(ANSWER))
    assert found.changed == ("tool-result-as-json",)
    assert found.conversation
    assert found.conversation.turns[1] == Turn("tool", '{"°C":[5,null]}')


def test_any_other_key_is_counted_by_its_name_if_that_is_one() -> None:
    found = record(
        message(USER, mood="low", empty=[], **{f"{CANARY} said!": 1}), message(ANSWER, mood="up")
    )
    assert found.changed == ("turn-key-left-out:mood", "turn-key-left-out:…")


# Weights


def test_a_turn_of_weight_0_is_never_the_answer() -> None:
    turns = (message(USER), message(ANSWER), message(USER), message(ANSWER, weight=0))
    found = record(*turns)
    assert found[1:3] == (USER.content, ANSWER.content)
    assert found.changed == ("later-turns-left-out",)
    assert found.conversation
    assert len(found.conversation.turns) == 4
    assert drop(message(USER), message(ANSWER, weight=0)).reason == "nothing-to-learn"
    assert drop(message(USER), message(ANSWER, weight=2)).reason == "wrong-type"


def test_a_turn_that_is_not_to_be_trained_on_is_one_of_weight_0() -> None:
    # As Axolotl's chats say it.
    turns = (
        message(USER),
        message(ANSWER, train=True),
        message(USER),
        message(ANSWER, train=False),
    )
    found = record(*turns)
    assert found[1:3] == (USER.content, ANSWER.content)
    assert found.changed == ("later-turns-left-out",)
    assert found.conversation
    assert [turn.weight for turn in found.conversation.turns] == [None, 1, None, 0]
    assert drop(message(USER), message(ANSWER, train=False)).reason == "nothing-to-learn"


# Parts


def test_texts_in_parts_are_joined_and_counted() -> None:
    parts = [{"type": "text", "text": "one", "image_url": None}, {"text": "zwei"}, "三"]
    found = record({"role": "user", "content": parts}, message(ANSWER))
    assert found == Kept(0, "one\n\nzwei\n\n三", "Gut, 谢谢.", changed=("content-parts-joined",))
    alone = {"role": "user", "content": [{"type": "text", "text": "one"}]}
    assert record(alone, message(ANSWER)).changed == ()


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ({"type": "image_url", "image_url": {"url": CANARY}}, "image-content"),
        ({"type": "image"}, "image-content"),
        ({"image": CANARY}, "image-content"),
        ({"type": "input_audio", "input_audio": {"data": CANARY}}, "audio-content"),
        ({"type": "video", "video": CANARY}, "video-content"),
        ({"type": "file", "file": {"file_id": CANARY}}, "file-content"),
        ({"type": CANARY}, "unknown-content"),
        ({"type": "text", "text": 5}, "unknown-content"),
        ({}, "unknown-content"),
        (5, "unknown-content"),
    ],
)
def test_a_part_that_is_no_text_drops_the_row_by_its_name(part: Any, why: str) -> None:
    outcome = drop({"role": "user", "content": ["What is it?", part]}, message(ANSWER))
    assert outcome == Drop(0, why, "message 0 holds a part that is no text")


def test_pictures_beside_the_texts_drop_the_row_too() -> None:
    assert drop(message(USER, images=[CANARY]), message(ANSWER)).reason == "image-content"
    assert drop(message(USER), message(ANSWER), audios=[CANARY]).reason == "audio-content"
    assert drop(message(USER), message(ANSWER), image=CANARY).reason == "image-content"
    assert drop(message(USER), message(ANSWER), video=CANARY).reason == "video-content"
    assert record(message(USER, images=[]), message(ANSWER), images=[], image=None).changed == ()


# A system prompt in a column


def test_a_system_prompt_may_stand_in_a_column_of_its_own() -> None:
    adapter = Messages("m", system="s")
    rows = (message(USER), message(ANSWER))
    turns = conversation(*rows, adapter=adapter, s="Be kind.").turns
    assert turns == (Turn("system", "Be kind."), USER, ANSWER)
    assert record(*rows, adapter=adapter, s=" ").conversation is None
    own = conversation({"role": "system", "content": "own"}, *rows, adapter=adapter, s="other")
    assert own.turns[0] == Turn("system", "own")
    assert drop(*rows, adapter=adapter).reason == "missing-column"

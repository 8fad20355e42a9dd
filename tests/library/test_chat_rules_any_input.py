"""Whatever a chat file holds, there is a report; what is well formed has no errors in it."""

from __future__ import annotations

import json
from typing import Any

import orjson
from chat_files import GOOD, NOT_EXAMPLES, check
from hypothesis import assume, given, settings
from hypothesis import example as hypothesis_example
from hypothesis import strategies as st

from mindcorpus.formats.chat_check import CheckReport
from mindcorpus.formats.chat_examples import ROLES
from mindcorpus.formats.chat_rules import RULES

# All texts have this letter, and no reason may.
SECRET = "Ж"
texts = st.text(st.characters(), max_size=6).map(lambda text: SECRET + text)
surrogates = st.text(st.characters(categories=["Cs", "Ll"]), max_size=3)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts | surrogates
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
odd_parts = st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from(["text", "refusal", "file"]) | values, "text": values}
)
odd_messages = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(sorted(ROLES)) | values,
        "content": st.lists(odd_parts | values, max_size=2) | values,
        "name": values,
        "weight": st.sampled_from([0, 1]) | values,
        "tool_calls": values,
        "function_call": values,
        "tool_call_id": values,
        SECRET * 50: values,
    },
)
odd_rows = st.fixed_dictionaries(
    {},
    optional={
        "messages": st.lists(odd_messages | values, max_size=4) | values,
        "tools": values,
        SECRET: values,
    },
)


def looks_right(report: CheckReport) -> None:
    lines = [finding.line or 0 for finding in report.findings]
    assert lines == sorted(lines)
    for finding in report.findings:
        assert finding.severity == RULES[finding.code].severity
        assert finding.reason
        assert SECRET not in finding.reason
    assert report.counts.keys() == {finding.code for finding in report.findings}
    orjson.dumps(report.as_dict())


@settings(deadline=None)  # each writes a file, and the disk may be busy
@given(st.lists(st.binary(max_size=40) | st.sampled_from(GOOD), max_size=12))
def test_any_bytes_give_a_report(lines: list[bytes]) -> None:
    report = check(*lines)
    looks_right(report)
    # Bytes may look like compressed data, of which nothing comes out.
    assert "damaged" in report.counts or report.bytes == len(b"\n".join(lines))


@settings(deadline=None)  # each writes a file, and the disk may be busy
@given(st.binary(min_size=1, max_size=4), st.integers(0, 10 * len(GOOD[0])))
def test_a_damaged_file_gives_a_report(damage: bytes, where: int) -> None:
    whole = b"\n".join(GOOD)
    looks_right(check(whole[:where] + damage + whole[where + len(damage) :]))


@settings(deadline=None)  # each writes a file, and the disk may be busy
@given(st.lists(odd_rows | values, max_size=4))
@hypothesis_example([[{}, {}]])
def test_any_json_values_give_a_report(rows: list[Any]) -> None:
    report = check(*(json.dumps(row).encode() for row in rows))
    looks_right(report)
    # One list alone is an array of examples.
    held = rows[0] if len(rows) == 1 and isinstance(rows[0], list) else rows
    assert report.examples <= len(held)
    # Any value may look like a file of its own kind, of which nothing else is said.
    assert report.counts.keys() & {"too-few-examples", *(code for code, _ in NOT_EXAMPLES)}


contents = st.text(min_size=1, max_size=5) | st.lists(
    st.fixed_dictionaries({"type": st.just("text"), "text": st.text(min_size=1, max_size=5)}),
    min_size=1,
)
names = st.from_regex("[a-zA-Z0-9_-]{1,64}", fullmatch=True)
# Arguments of any keys and values, also of other scripts, as the JSON text that they are.
arguments = st.dictionaries(
    st.text(max_size=5), st.none() | st.integers(-9, 9) | st.text(max_size=5), max_size=2
).map(json.dumps)
functions = st.fixed_dictionaries({"name": names, "arguments": arguments})
definitions = st.fixed_dictionaries(
    {"name": names},
    optional={"description": st.text(max_size=5), "parameters": st.just({"type": "object"})},
)
system = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "developer"]), "content": contents},
    optional={"name": st.text(min_size=1, max_size=5)},
)
user = st.fixed_dictionaries(
    {"role": st.just("user"), "content": contents},
    optional={"name": st.text(min_size=1, max_size=5)},
)
answer = st.fixed_dictionaries(
    {"role": st.just("assistant"), "content": contents},
    optional={
        "weight": st.sampled_from([0, 1]),
        "refusal": st.none() | st.text(max_size=5),
        "name": st.text(min_size=1, max_size=5),
    },
)


@st.composite
def calls_and_answers(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Give a turn that calls tools, and their answers in any order."""
    made = draw(st.lists(functions, min_size=1, max_size=3))
    keys = [f"call_{at}" for at in range(len(made))]
    calls = [
        {"id": key, "type": "function", "function": function}
        for key, function in zip(keys, made, strict=True)
    ]
    said = draw(st.none() | st.text(min_size=1, max_size=5))
    told = draw(st.permutations(keys))
    return [
        {"role": "assistant", "content": said, "tool_calls": calls},
        *({"role": "tool", "tool_call_id": key, "content": draw(contents)} for key in told),
    ]


@st.composite
def exchanges(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Give a turn of the user, the tools that are called for it, and an answer."""
    called = draw(st.lists(calls_and_answers(), max_size=2))
    return [draw(user), *(message for each in called for message in each), draw(answer)]


@st.composite
def conversations(draw: st.DrawFn) -> dict[str, Any]:
    """Give an example as the provider takes it."""
    told = [message for each in draw(st.lists(exchanges(), max_size=2)) for message in each]
    last = draw(exchanges())
    if draw(st.booleans()):
        last = [draw(user), draw(calls_and_answers())[0]]
    row: dict[str, Any] = {"messages": [*draw(st.lists(system, max_size=2)), *told, *last]}
    if draw(st.booleans()):
        given = draw(st.lists(definitions, max_size=2))
        row["tools"] = [{"type": "function", "function": each} for each in given]
        row["parallel_tool_calls"] = draw(st.booleans())
    return row


@settings(deadline=None, max_examples=50)  # each writes a file, and the disk may be busy
@given(st.lists(conversations(), min_size=1, max_size=3), st.booleans())
def test_well_formed_examples_have_no_errors(rows: list[Any], ascii_only: bool) -> None:
    written = [json.dumps(row, ensure_ascii=ascii_only).encode() for row in rows]
    report = check(*GOOD, *written)
    looks_right(report)
    advice = {"duplicate", "content-blank", "nothing-to-learn", "call-unanswered"}
    assert report.counts.keys() <= advice
    assert report.examples == 10 + len(rows)


@settings(deadline=None, max_examples=50)  # each writes a file, and the disk may be busy
@given(conversations(), st.data())
def test_a_turn_moved_or_left_out_does_not_go_unseen(
    row: dict[str, Any], data: st.DataObject
) -> None:
    messages = row["messages"]
    tools = [at for at, message in enumerate(messages) if message["role"] == "tool"]
    assume(tools)
    at = data.draw(st.sampled_from(tools))
    without = {**row, "messages": [*messages[:at], *messages[at + 1 :]]}
    before = {**row, "messages": [messages[at], *without["messages"]]}
    assert check(*GOOD, json.dumps(without).encode()).counts["call-unanswered"] >= 1
    assert check(*GOOD, json.dumps(before).encode()).counts["tool-answer-unasked"] >= 1

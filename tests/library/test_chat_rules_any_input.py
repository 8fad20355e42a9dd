"""Whatever a chat file holds, there is a report; what is well formed has no errors in it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from mindcorpus.formats.chat_examples import ROLES
from mindcorpus.formats.chat_rules import RULES, CheckReport, check_chat_file

CALL = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
GOOD = [
    b'{"messages": [{"role": "user", "content": "question %d"},'
    b' {"role": "assistant", "content": "answer"}]}' % number
    for number in range(10)
]


def check(*lines: bytes) -> CheckReport:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "chat.jsonl")
        path.write_bytes(b"\n".join(lines))
        return check_chat_file(path)


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
    assert report.bytes == len(b"\n".join(lines))


@settings(deadline=None)  # each writes a file, and the disk may be busy
@given(st.binary(min_size=1, max_size=4), st.integers(0, 10 * len(GOOD[0])))
def test_a_damaged_file_gives_a_report(damage: bytes, where: int) -> None:
    whole = b"\n".join(GOOD)
    looks_right(check(whole[:where] + damage + whole[where + len(damage) :]))


@settings(deadline=None)  # each writes a file, and the disk may be busy
@given(st.lists(odd_rows | values, max_size=4))
def test_any_json_values_give_a_report(rows: list[Any]) -> None:
    report = check(*(json.dumps(row).encode() for row in rows))
    looks_right(report)
    assert report.examples <= len(rows)
    assert report.counts["too-few-examples"] == 1


contents = st.text(min_size=1) | st.lists(
    st.fixed_dictionaries({"type": st.just("text"), "text": st.text(min_size=1)}), min_size=1
)
turns = st.one_of(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "developer", "user"]), "content": contents},
        optional={"name": st.text(min_size=1)},
    ),
    st.just({"role": "tool", "tool_call_id": "1", "content": "x"}),
)
answers = st.one_of(
    st.fixed_dictionaries(
        {"role": st.just("assistant"), "content": contents},
        optional={"weight": st.sampled_from([0, 1]), "refusal": st.none() | st.text()},
    ),
    st.just({"role": "assistant", "content": None, "tool_calls": [CALL]}),
)
good_rows = st.builds(
    lambda before, last: {"messages": [*before, last]},
    st.lists(turns | answers, max_size=4),
    answers,
)


@settings(deadline=None)  # each writes a file, and the disk may be busy
@given(st.lists(good_rows, min_size=1, max_size=4), st.booleans())
def test_well_formed_examples_have_no_errors(rows: list[Any], ascii_only: bool) -> None:
    written = [json.dumps(row, ensure_ascii=ascii_only).encode() for row in rows]
    report = check(*GOOD, *written)
    looks_right(report)
    assert report.ok
    assert report.examples == 10 + len(rows)

"""What `mindcorpus check` says of a chat file: every rule, each with its line."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import orjson
import pytest
from chat_files import ANSWER, CALL, GOOD, NOT_LINES, USER, chat, check

from mindcorpus.errors import CancelledError, SettingsError
from mindcorpus.formats import chat_check, chat_examples, chat_file, chat_rules
from mindcorpus.formats.chat_examples import Examples
from mindcorpus.formats.chat_file import check_chat_file
from mindcorpus.formats.chat_rules import RULES, rule_of
from mindcorpus.limits import MAX_RECORD_BYTES
from mindcorpus.progress import Cancellation, Progress


def said(**message: Any) -> bytes:
    return chat(USER, {"role": "assistant", **message})


def asked(**message: Any) -> bytes:
    return chat(USER, message, ANSWER)


def calls(*made: Any, answers: tuple[str, ...] = ("1",)) -> bytes:
    told = [{"role": "tool", "tool_call_id": key, "content": "x"} for key in answers]
    return chat(USER, {"role": "assistant", "tool_calls": made}, *told, ANSWER)


def function(**keys: Any) -> dict[str, Any]:
    return {**CALL, "function": {"name": "look", "arguments": "{}", **keys}}


def tools(*given: Any) -> bytes:
    return chat(USER, ANSWER, tools=given)


def parts(*content: Any) -> bytes:
    return said(content=content)


# One line, or more, for each code; each is put after ten good examples.
BAD_LINES: list[tuple[str, bytes]] = [
    ("blank-line", b" \r\n\n"),
    ("not-utf8", b'{"messages": "\xff"}'),
    ("not-utf8", b'"\xed\xa0\x80"'),
    ("invalid-json", b'{"messages": ['),
    ("invalid-json", b'\xef\xbb\xbf{"messages": []}'),
    ("lone-surrogate", said(content="\ud800")),
    ("lone-surrogate", b'{"\\udfff": 1}'),
    ("not-finite", b'{"messages": NaN}'),
    ("not-finite", b"1e999"),
    ("not-finite", b"1" * 5000),
    ("nested-too-deep", b"[" * 100_000 + b"]" * 100_000),
    ("not-an-object", b"null"),
    ("not-an-object", b"[" + GOOD[0] + b"]"),
    ("unknown-key", chat(USER, ANSWER, conversation=7)),
    ("messages-missing", b"{}"),
    ("messages-not-a-list", b'{"messages": null}'),
    ("messages-not-a-list", b'{"messages": {"role": "user"}}'),
    ("messages-empty", b'{"messages": []}'),
    ("message-not-an-object", chat(None, USER, ANSWER)),
    ("message-not-an-object", chat("user", USER, ANSWER)),
    ("message-unknown-key", said(content="x", score=1)),
    ("role-missing", asked(content="x")),
    ("role-missing", chat(USER, {}, ANSWER)),
    ("role-unknown", asked(role="human", content="x")),
    ("role-unknown", asked(role=None, content="x")),
    ("role-unknown", asked(role=["user"], content="x")),
    ("content-missing", said()),
    ("content-missing", said(content=None)),
    ("content-missing", asked(role="user", content=None)),
    ("content-missing", said(content=None, tool_calls=[])),
    ("content-empty", said(content="")),
    ("content-empty", parts()),
    ("content-blank", said(content=" \n\u3000")),
    ("content-wrong-type", said(content=7)),
    ("content-wrong-type", said(content={"text": "x"})),
    ("content-part", parts({"type": "text"})),
    ("content-part", parts({"type": "text", "text": ""})),
    ("content-part", parts({"type": ["text"], "text": "x"})),
    ("content-part", parts({"type": "song", "song": "x"})),
    ("key-missing", asked(role="tool", content="x")),
    ("key-wrong-role", asked(role="user", content="x", weight=1)),
    ("key-wrong-role", said(content="x", tool_call_id="1")),
    ("wrong-type", said(content="x", tool_calls=None)),
    ("wrong-type", said(content="x", tool_calls=[])),
    ("wrong-type", said(content="x", function_call="look")),
    ("wrong-type", chat(USER, ANSWER, tools={})),
    ("wrong-type", chat(USER, ANSWER, parallel_tool_calls=1)),
    ("weight", said(content="x", weight=0.5)),
    ("weight", said(content="x", weight=True)),
    ("weight", said(content="x", weight="1")),
    ("last-not-assistant", chat(USER)),
    ("last-not-assistant", chat(USER, ANSWER, USER)),
    ("last-not-assistant", chat(USER, 7)),
    ("no-user-message", chat(ANSWER)),
    ("nothing-to-learn", said(content="x", weight=0)),
    ("assistant-first", chat(ANSWER, USER, ANSWER)),
    ("assistant-first", chat({"role": "system", "content": "x"}, ANSWER, USER, ANSWER)),
    ("system-not-first", chat(USER, {"role": "system", "content": "x"}, ANSWER)),
    ("system-not-first", chat(USER, ANSWER, {"role": "developer", "content": "x"}, USER, ANSWER)),
    ("consecutive-turns", chat(USER, USER, ANSWER)),
    ("consecutive-turns", chat(USER, ANSWER, {**ANSWER, "name": "another"})),
    ("tool-answer-unasked", asked(role="tool", tool_call_id="nope", content="x")),
    ("tool-answer-unasked", asked(role="function", name="look", content="x")),
    ("tool-answer-unasked", calls(CALL, answers=("2",))),
    ("tool-answer-unasked", calls(CALL, answers=("1", "1"))),
    (
        "tool-answer-unasked",  # the answer stands before its call
        chat(
            USER,
            {"role": "tool", "tool_call_id": "1", "content": "x"},
            {"role": "assistant", "tool_calls": [CALL]},
        ),
    ),
    (
        "tool-answer-misplaced",
        chat(
            USER,
            {"role": "assistant", "tool_calls": [CALL]},
            USER,
            {"role": "tool", "tool_call_id": "1", "content": "x"},
            ANSWER,
        ),
    ),
    ("call-unanswered", calls(CALL, answers=())),
    ("call-unanswered", calls(CALL, {**CALL, "id": "2"})),
    (
        "call-unanswered",
        chat(USER, {"role": "assistant", "function_call": CALL["function"]}, USER, ANSWER),
    ),
    ("tool-call", calls("look")),
    ("tool-call", calls({**CALL, "id": None})),
    ("tool-call", calls({**CALL, "id": ""})),
    ("tool-call", calls({**CALL, "type": "custom"})),
    ("tool-call", calls({**CALL, "function": "look"})),
    ("tool-arguments", calls(function(arguments={"city": "Zürich"}))),
    ("tool-arguments", calls(function(arguments=None))),
    ("tool-arguments", calls(function(arguments=""))),
    ("tool-arguments", calls(function(arguments="{'city': 'Zürich'}"))),
    ("tool-arguments", calls(function(arguments='{"city": "Zür'))),
    ("tool-arguments", calls(function(arguments='["Zürich"]'))),
    ("tool-arguments", calls(function(arguments="null"))),
    ("tool-arguments", said(function_call={"name": "look"})),
    ("function-name", calls(function(name=""))),
    ("function-name", calls(function(name=None))),
    ("function-name", calls(function(name="look up"))),
    ("function-name", said(function_call={"arguments": "{}"})),
    ("function-name", tools({"type": "function", "function": {"description": "x"}})),
    ("function-name", tools({"type": "function", "function": {"name": "x" * 65}})),
    ("function-name", chat(USER, ANSWER, functions=[{"name": "größe"}])),
    ("tool-definition", tools(None)),
    ("tool-definition", tools({"function": {"name": "look"}})),
    ("tool-definition", tools({"type": "function", "name": "look"})),
    ("tool-definition", tools({"type": "function", "function": {"name": "x", "parameters": []}})),
    ("tool-definition", chat(USER, ANSWER, functions=["look"])),
    ("truncated", said(content="x" * 262_144)),
    ("duplicate", GOOD[3] + b"\r"),
]
# These belong to the file, or to its size; each has a test of its own.
FILE_CODES = {
    *("too-few-examples", "file-too-large", "byte-order-mark", "line-too-long"),
    *("compressed", "damaged"),
    *(code for code, _ in NOT_LINES),
}


def test_every_code_of_the_table_is_raised_by_some_test() -> None:
    tested = {code for code, _ in BAD_LINES} | FILE_CODES | {"duplicates-unchecked"}
    assert tested == set(RULES)


@pytest.mark.parametrize(("code", "line"), BAD_LINES)
def test_a_departure_is_found_with_its_line(code: str, line: bytes) -> None:
    report = check(*GOOD, line, GOOD[0].replace(b"rule", b"law"))
    found = [finding for finding in report.findings if finding.code == code]
    assert found
    assert found[0].line == 11
    assert found[0].severity == RULES[code].severity
    assert report.counts[code] == len(found)
    assert report.ok == all(finding.severity == "warning" for finding in report.findings)


def test_a_reason_says_which_messages_do_not_fit() -> None:
    late = {"role": "tool", "tool_call_id": "1", "content": "x"}
    asks = {"role": "assistant", "tool_calls": [CALL]}
    report = check(*GOOD, chat(USER, USER, asks, USER, late, late, {**asks, "content": "x"}, USER))
    assert {finding.code: finding.reason for finding in report.findings} == {
        "consecutive-turns": "messages[0] and [1] are both the user's",
        "last-not-assistant": "messages[7] is not the assistant's",
        "tool-answer-misplaced": "messages[4] does not stand right behind its call in messages[2]",
        "tool-answer-unasked": "messages[5] answers no call that waits",
        "call-unanswered": "a call in messages[6] has no answer",
    }


def test_each_order_of_many_is_judged_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_examples, "_ORDERS", 2)
    monkeypatch.setattr(chat_examples, "_ORDER_LENGTH", 6)
    lines = [chat(*[USER, ANSWER] * turns, USER) for turns in (1, 2, 3, 4, 1, 4)]
    report = check(*GOOD, *lines)
    assert report.counts["last-not-assistant"] == 6
    assert report.roles == {"system": 10, "user": 10 + 15 + 6, "assistant": 10 + 15}


def test_an_example_in_memory_is_checked_without_a_file() -> None:
    found: list[tuple[str, str]] = []
    examples = Examples(lambda code, reason: found.append((code, reason)))
    examples.check({"messages": [USER, ANSWER]})
    assert found == []
    examples.check({"messages": [USER, ANSWER, ANSWER]})
    assert found == [("consecutive-turns", "messages[1] and [2] are both the assistant's")]
    assert examples.count == 2


def test_a_good_file_has_no_findings() -> None:
    report = check(*GOOD, b"")
    assert report.ok
    assert (report.examples, report.findings, report.counts) == (10, (), {})
    assert report.roles == {"system": 10, "user": 10, "assistant": 10}
    assert report.characters == 10 * len("rule 0a questionan answer")


@pytest.mark.parametrize(
    "line",
    [
        said(content=None, tool_calls=[CALL]),
        said(content="", tool_calls=[CALL], refusal=None, audio=None),
        said(function_call={"name": "look", "arguments": "{}"}),
        chat(
            USER,
            {"role": "assistant", "tool_calls": [CALL], "weight": 0},
            {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "x"}]},
            {"role": "assistant", "function_call": CALL["function"]},
            {"role": "function", "name": "look", "content": "x"},
            {"role": "assistant", "content": "x", "weight": 1, "name": "guide"},
            tools=[{"type": "function", "function": {"name": "look"}}],
            parallel_tool_calls=False,
        ),
        calls(CALL, {**CALL, "id": "2"}, answers=("2", "1")),
        chat(
            *[USER, {"role": "assistant", "content": "wait", "tool_calls": [CALL]}],
            {"role": "tool", "tool_call_id": "1", "content": "16 °C"},
            *[ANSWER, USER, {"role": "assistant", "tool_calls": [CALL]}],
            {"role": "tool", "tool_call_id": "1", "content": "17 °C"},
            ANSWER,
        ),
        calls(function(arguments='{"city": "Zürich", "who": "Жанна 🙂"}')),
        tools({"type": "function", "function": {"name": "look_up-2", "parameters": {}}}),
        chat(
            {"role": "system", "content": "x"}, {"role": "developer", "content": "x"}, USER, ANSWER
        ),
        chat({"role": "developer", "content": "x"}, USER, ANSWER, functions=[{"name": "look"}]),
        chat(
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]},
            ANSWER,
        ),
        b"\t" + chat(USER, ANSWER) + b" \r",
        said(content="x" * (262_144 - len("a question"))),
        said(content="\u2028 \U0001f642"),
    ],
)
def test_what_the_provider_takes_is_not_complained_of(line: bytes) -> None:
    assert check(*GOOD, line).findings == ()


def test_fewer_than_ten_examples_are_too_few() -> None:
    report = check(*GOOD[:9])
    assert [(finding.code, finding.line) for finding in report.findings] == [
        ("too-few-examples", None)
    ]
    assert not report.ok
    assert check().counts == {"too-few-examples": 1}


def test_a_byte_order_mark_does_not_hide_the_first_example() -> None:
    report = check(b"\xef\xbb\xbf" + GOOD[0], *GOOD[1:])
    assert report.counts == {"byte-order-mark": 1}
    assert report.findings[0].line == 1
    assert report.examples == 10


def test_a_file_and_a_line_of_any_size_take_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    with path.open("wb") as file:
        file.write(b"\n".join(GOOD) + b"\n")
        file.truncate(chat_rules.MAX_FILE_BYTES)  # zeros, without taking room on the disk
        file.seek(0, 2)
        file.write(b"\n" + GOOD[0])
    tracemalloc.start()
    try:
        report = check_chat_file(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert report.bytes == path.stat().st_size
    assert [(finding.code, finding.line) for finding in report.findings] == [
        ("file-too-large", None),
        ("line-too-long", 11),
        ("duplicate", 12),
    ]
    assert peak < 3 * MAX_RECORD_BYTES


def test_a_line_of_exactly_the_limit_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_file, "MAX_RECORD_BYTES", len(GOOD[0]))
    assert check(*GOOD).ok
    assert check(*GOOD, b"").ok
    assert check(*GOOD, GOOD[0] + b" ").counts == {"line-too-long": 1}
    assert check(GOOD[0] + b" ", *GOOD).findings[0].line == 1


def test_duplicates_are_looked_for_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_check, "LINES_REMEMBERED", 9)
    report = check(*GOOD, GOOD[8], GOOD[9])
    assert [(finding.code, finding.line) for finding in report.findings] == [
        ("duplicates-unchecked", 10),
        ("duplicate", 11),
    ]
    assert report.ok


def test_twenty_findings_of_a_code_are_kept_and_all_counted() -> None:
    report = check(*[chat(USER, {"role": "x", "content": 7})] * 50)
    assert report.counts["role-unknown"] == report.counts["content-wrong-type"] == 50
    kept = [finding.line for finding in report.findings if finding.code == "role-unknown"]
    assert kept == list(range(1, 21))
    assert report.counts["duplicate"] == 49


def test_a_reason_names_the_message_and_the_key() -> None:
    report = check(*GOOD, chat(USER, {"role": "assistant", "content": None, "score": 1}))
    assert [finding.reason for finding in report.findings] == [
        "messages[1].score is not in the published schema",
        "messages[1].content is null",
    ]


def test_the_report_is_plain_json() -> None:
    values = orjson.loads(orjson.dumps(check(*GOOD, b"{}").as_dict()))
    assert values["ok"] is False
    assert values["counts"] == {"messages-missing": 1}
    [finding] = values["findings"]
    assert list(finding) == ["code", "severity", "line", "reason"]
    assert finding["reason"] == "there is no key messages"


def test_progress_counts_bytes_and_rows(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    line = said(content="x" * 100_000)
    path.write_bytes((line + b"\n") * 50)
    reports: list[Progress] = []
    check_chat_file(path, reports.append)
    size = path.stat().st_size
    assert len(reports) > 2
    assert [moment.done for moment in reports] == sorted(moment.done for moment in reports)
    assert reports[-1] == Progress("check", "chat.jsonl", 50, size, size)


def test_a_check_can_be_cancelled(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    path.write_bytes((said(content="x" * 100_000) + b"\n") * 50)
    cancel = Cancellation()
    reports: list[Progress] = []

    def stop(moment: Progress) -> None:
        reports.append(moment)
        cancel.cancel()

    with pytest.raises(CancelledError):
        check_chat_file(path, stop, cancel)
    assert len(reports) == 1
    with pytest.raises(CancelledError):
        check_chat_file(path, cancel=cancel)


@pytest.mark.parametrize("name", ["absent.jsonl", "", "absent/chat.jsonl", "x\0y"])
def test_a_file_that_cannot_be_read_is_a_settings_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        check_chat_file(tmp_path / name)
    assert caught.value.file == str(tmp_path / name)
    assert caught.value.hint


def test_a_check_loads_no_heavy_library() -> None:
    code = (
        "import sys, mindcorpus.formats.chat_file;"
        "sys.exit(bool({'pyarrow', 'pandas', 'datasets', 'numpy'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_code_of_another_format_stands_for_itself_and_is_advice() -> None:
    assert rule_of("too-few-examples") == RULES["too-few-examples"]
    assert rule_of("of-another-format") == ("warning", "of-another-format")

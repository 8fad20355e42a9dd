"""What the chat check says of a whole file: what it is, compressed or not, before its lines."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import threading
import tracemalloc
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from chat_files import ANSWER, GOOD, NOT_EXAMPLES, OTHER_FORMS, USER, chat, check, check_bytes
from hypothesis import given
from hypothesis import strategies as st

from mindcorpus.formats import json_values
from mindcorpus.formats.chat_check import Finding
from mindcorpus.formats.chat_file import check_chat_file
from mindcorpus.formats.json_values import JsonValues


@pytest.mark.parametrize(("code", "content"), NOT_EXAMPLES)
def test_a_file_that_is_something_else_gets_one_finding_and_no_more(
    code: str, content: bytes
) -> None:
    report = check_bytes(content)
    findings = [each for each in report.findings if each.code != "byte-order-mark"]
    assert [(each.code, each.line, each.severity) for each in findings] == [(code, None, "error")]
    assert not report.ok
    assert (report.examples, report.bytes) == (0, len(content))


@pytest.mark.parametrize(("code", "content"), OTHER_FORMS)
def test_one_finding_says_how_a_file_holds_its_examples_and_they_are_checked(
    code: str, content: bytes
) -> None:
    report = check_bytes(content)
    assert {each.code: each.line for each in report.findings if each.severity == "error"} == {
        code: None
    }
    assert report.counts[code] == 1
    assert report.examples >= 10
    assert not report.ok


@pytest.mark.parametrize("indent", [None, 0, 4])
def test_the_examples_of_an_array_are_told_by_their_number(indent: int | None) -> None:
    rows: list[Any] = [json.loads(line) for line in GOOD]
    rows[2:2] = [{"messages": [USER, ANSWER, USER]}, "[{,}]", {"messages": '\\"]}'}]
    report = check_bytes(json.dumps(rows, indent=indent).encode())
    assert [(each.code, each.line) for each in report.findings] == [
        ("json-array", None),
        ("last-not-assistant", 3),
        ("not-an-object", 4),
        ("messages-not-a-list", 5),
    ]
    assert report.findings[2].reason == "the example is a text, not an object"
    assert (report.examples, report.unit) == (12, "example")


def test_a_broken_example_of_an_array_does_not_hide_the_next() -> None:
    broken = b'{"messages": [}}]'
    report = check_bytes(b"[" + b",\n".join([*GOOD[:3], broken, chat(USER), *GOOD[3:]]) + b"]")
    assert {(each.code, each.line) for each in report.findings} >= {
        ("json-array", None),
        ("invalid-json", 4),
    }
    report = check_bytes(b"[" + b",\n".join([*GOOD[:3], b'{"x" 1}', chat(USER), *GOOD[3:]]) + b"]")
    assert [(each.code, each.line) for each in report.findings] == [
        ("json-array", None),
        ("invalid-json", 4),
        ("last-not-assistant", 5),
    ]


@pytest.mark.parametrize("cut", [1, 20])
def test_an_array_that_is_cut_off_says_so(cut: int) -> None:
    report = check_bytes((b"[" + b",\n".join([*GOOD, GOOD[0] + b" "]) + b"]")[:-cut])
    reasons = [each.reason for each in report.findings if each.code == "invalid-json"]
    assert reasons[0] == "the array has no end: the file is cut off, or not JSON"


def test_a_byte_order_mark_before_an_array_is_told() -> None:
    report = check_bytes(b"\xef\xbb\xbf[" + b",".join(GOOD) + b"]")
    assert report.counts == {"json-array": 1, "byte-order-mark": 1}
    assert report.examples == 10


@pytest.mark.parametrize(
    "lines",
    [
        [b"[]", *GOOD],
        [b'[{"role": "user"}', *GOOD],
        [b'{"messages": [', *GOOD],
        [b"prompt,completion", *GOOD],
        [b"hello, dear reader of this", *GOOD],
        [b'{"data": [{"x": 1}]}', *GOOD],
    ],
)
def test_a_first_line_that_is_wrong_does_not_make_the_file_something_else(
    lines: list[bytes],
) -> None:
    report = check(*lines)
    assert report.examples >= 10
    assert {each.line for each in report.findings if each.severity == "error"} == {1}


def test_a_comma_behind_each_line_is_an_error_of_the_line() -> None:
    report = check(*(line + b"," for line in GOOD), GOOD[0] + b" ")
    assert report.counts == {"invalid-json": 10, "too-few-examples": 1}
    assert report.unit == "line"


def test_one_example_with_its_turns_under_another_key_is_no_object_of_arrays() -> None:
    report = check(json.dumps({"dialog": [USER, ANSWER]}).encode())
    assert report.counts == {"messages-missing": 1, "too-few-examples": 1}


def test_an_array_of_another_layout_is_told_as_both() -> None:
    rows = [{"instruction": f"Ж {at}", "input": "", "output": "y"} for at in range(12)]
    report = check_bytes(json.dumps(rows, indent=1).encode())
    assert report.counts == {"json-array": 1, "other-layout": 1}
    assert [each.line for each in report.findings] == [None, None]


def test_a_row_of_another_layout_among_chats_is_an_error_at_its_line() -> None:
    """The broken rows of a public report, each of a kind of its own."""
    report = check(
        GOOD[0],
        b'{"messages": [null, {"role": "assistant", "content": "x"}]}',
        chat({"role": "human", "content": "x"}, ANSWER),
        chat(USER, {"role": "tool", "tool_call_id": "nope", "content": "r"}, ANSWER),
        b'{"prompt": "x", "completion": "y"}',
        b'{"conversations": [{"from": "human", "value": "x"}]}',
        b'{"messages": "[]"}',
        chat(USER, {**ANSWER, "weight": 2}),
        *GOOD[1:4],
        chat(USER, ANSWER),
    )
    errors = [each for each in report.findings if each.severity == "error"]
    assert [(each.line, each.code) for each in errors] == [
        (2, "message-not-an-object"),
        (3, "role-unknown"),
        (4, "tool-answer-unasked"),
        (5, "messages-missing"),
        (6, "messages-missing"),
        (7, "messages-not-a-list"),
        (8, "weight"),
    ]
    assert {each.line for each in report.findings} <= set(range(2, 9))


def test_other_rows_in_a_file_of_another_layout_keep_their_errors() -> None:
    alpaca = [b'{"instruction": "%d", "output": "y"}' % number for number in range(200)]
    report = check(*alpaca, b"{}", b'{"prompt": "x", "completion": "y"}', chat(USER), *GOOD)
    errors = [(each.code, each.line) for each in report.findings if each.severity == "error"]
    assert errors == [
        ("other-layout", None),
        ("messages-missing", 201),
        ("messages-missing", 202),
        ("last-not-assistant", 203),
    ]
    assert "Alpaca" in report.findings[0].reason


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("chat.jsonl", content)
    return file.getvalue()


def zstd(content: bytes) -> bytes:
    packed: bytes = pa.compress(content, codec="zstd", asbytes=True)
    return packed


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".zst": zstd,
    ".bz2": bz2.compress,
    ".xz": lambda content: lzma.compress(content, preset=0),
    ".zip": zipped,
}


@pytest.mark.parametrize("ending", list(PACKERS))
@pytest.mark.parametrize("content", [b"\n".join([*GOOD, chat(USER)]), *(x for _, x in OTHER_FORMS)])
def test_a_compressed_file_is_checked_as_what_it_holds(ending: str, content: bytes) -> None:
    plain = check_bytes(content)
    packed = check_bytes(PACKERS[ending](content), f"chat.jsonl{ending}")
    assert packed.counts == {**plain.counts, "compressed": 1}
    assert [each for each in packed.findings if each.code != "compressed"] == list(plain.findings)
    assert (packed.examples, packed.bytes) == (plain.examples, plain.bytes)
    assert packed.ok == plain.ok


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz"])
def test_damaged_compression_is_a_finding_behind_what_could_be_read(ending: str) -> None:
    noise = [chat(USER, {**ANSWER, "content": os.urandom(40_000).hex()}) for _ in range(40)]
    packed = PACKERS[ending](b"\n".join(noise))
    report = check_bytes(packed[: len(packed) * 3 // 4], f"chat.jsonl{ending}")
    assert report.counts["damaged"] == 1
    assert 10 <= report.examples < 40
    assert not report.ok


@pytest.mark.parametrize("content", [GOOD[0], b"PK\x03\x04", b"\xfd7zXZ\x00"])
def test_what_cannot_be_unpacked_is_a_finding(content: bytes) -> None:
    report = check_bytes(content, "chat.jsonl.gz")
    assert report.counts == {"compressed": 1, "damaged": 1}


def test_an_array_of_any_size_takes_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 1024 * 1024
    monkeypatch.setattr(json_values, "MAX_RECORD_BYTES", limit)
    path = tmp_path / "chat.json"
    with path.open("wb") as file:
        file.write(b"[")
        for _ in range(40):
            file.write(chat(USER, {**ANSWER, "content": os.urandom(250_000).hex()}) + b",\n")
        file.write(chat(USER, {**ANSWER, "content": "x" * 10 * limit}) + b"," + GOOD[0] + b"]")
    tracemalloc.start()
    try:
        report = check_chat_file(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert report.counts["line-too-long"] == 1
    assert [each.line for each in report.findings if each.code == "line-too-long"] == [41]
    assert report.examples == 41
    assert peak < 16 * limit


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=[b"\n".join(GOOD)])
    writer.start()
    report = check_chat_file(path)
    writer.join()
    assert (report.findings, report.examples) == ((), 10)


def test_every_finding_is_told_and_the_report_keeps_the_first(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    path.write_bytes(b"\n".join([chat(USER, {"role": "x", "content": 7})] * 50))
    told: list[Finding] = []
    report = check_chat_file(path, tell=lambda finding, _unit: told.append(finding))
    assert [each.line for each in told if each.code == "role-unknown"] == list(range(1, 51))
    assert Counter(each.code for each in told) == report.counts
    kept = [each.line for each in report.findings if each.code == "role-unknown"]
    assert kept == list(range(1, 21))


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.lists(json_like, max_size=6),
    st.integers(1, 12),
    st.sampled_from([None, 0, 3]),
    st.booleans(),
)
def test_the_values_of_an_array_come_out_as_they_went_in(
    rows: list[Any], size: int, indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(rows, indent=indent, ensure_ascii=ascii_only)
    content = text.encode(errors="surrogatepass")
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    values = JsonValues(array=True)
    found = [value.decode(errors="surrogatepass") for value in values.split(pieces) if value]
    assert [json.loads(value) for value in found] == rows
    assert values.ended


@given(
    st.lists(st.dictionaries(st.text(max_size=3), json_like, max_size=3), max_size=4),
    st.integers(1, 12),
    st.sampled_from([None, 2]),
    st.sampled_from(["\n", "", " \r\n\n"]),
)
def test_values_one_behind_another_come_out_as_they_went_in(
    rows: list[Any], size: int, indent: int | None, between: str
) -> None:
    content = between.join(json.dumps(row, indent=indent) for row in rows).encode()
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    found = [value for value in JsonValues(array=False).split(pieces) if value]
    assert [json.loads(value) for value in found] == rows

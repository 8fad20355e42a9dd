"""JSON lines and JSON arrays; tables are in test_reading_tables.py."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from raw_files import read_bytes, values, words_of

from mindcorpus.errors import DataError
from mindcorpus.sources import readers
from mindcorpus.sources.readers import Drop, Row, json_array, json_lines, value_count

# Stands in broken files; no message may hold it, nor a piece of it.
CANARY = "Kanarienvogel"

any_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
io_settings = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150
)


def lines(*rows: Any) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def only(found: list[Row | Drop]) -> Row | Drop:
    (one,) = found
    return one


def fails(data: bytes, format_: str) -> DataError:
    with pytest.raises(DataError) as caught:
        read_bytes(data, format_)
    assert caught.value.file == "file"
    assert caught.value.hint
    assert CANARY[:5] not in words_of(caught.value)
    return caught.value


# JSON lines

odd_lines = st.sampled_from(
    [
        b"",
        b" \t",
        b"\r",
        b"{",
        b"NaN",
        b"\xff\xfe",
        b'"\\ud800"',
        b'{"a": "\xe2\x80\xa8"}',
        b"x" * 99,
    ]
)
good_lines = any_json.map(lambda value: json.dumps(value, ensure_ascii=False).encode())


@io_settings
@given(
    rows=st.lists(good_lines | odd_lines, min_size=1, max_size=8),
    end=st.sampled_from([b"", b"\n", b"\r\n"]),
    bom=st.booleans(),
    size=st.integers(1, 60),
)
@example(rows=[b"1", b"", b"2"], end=b"", bom=True, size=1)
def test_shards_of_any_size_hold_the_same_rows(
    monkeypatch: pytest.MonkeyPatch, rows: list[bytes], end: bytes, bom: bool, size: int
) -> None:
    data = b"\xef\xbb\xbf" * bom + b"\n".join(rows) + end
    if not data or (sum(1 for row in rows if row.strip()) == 1 and data.strip()[-1:] == b"]"):
        return  # nothing, or one array, which is no line
    monkeypatch.setattr(readers, "SHARD_BYTES", 1 << 30)
    whole = read_bytes(data, "jsonl")
    monkeypatch.setattr(readers, "SHARD_BYTES", size)
    # By text, as NaN is not equal to itself.
    assert str(read_bytes(data, "jsonl")) == str(whole)
    assert len(whole) == sum(1 for row in rows if row.strip())


@io_settings
@given(rows=st.lists(any_json, min_size=1, max_size=5), bom=st.booleans())
@example(rows=[{"a": [-(2**63) - 1, 2**64]}, 2**70, {"b": 1e300}], bom=False)
@example(rows=[{"a": [{"b": -(2**63) - 1}]}, {"a": [{"b": 2**64}]}], bom=False)
def test_rows_are_what_json_reads(rows: list[Any], bom: bool) -> None:
    # One list of objects alone is an array, whatever the file's ending.
    assume(not (len(rows) == 1 and isinstance(rows[0], list)))
    # One object of lists alone is a table by its columns.
    table = len(rows) == 1 and isinstance(rows[0], dict) and rows[0].values()
    assume(not (table and all(isinstance(column, list) for column in table)))
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    assert values(read_bytes(text.encode("utf-8-sig" if bom else "utf-8"), "jsonl")) == rows


def test_an_array_in_a_json_file_and_lines_in_a_json_file_are_told_apart() -> None:
    rows = [{"a": 1}, {"a": 2}]
    for mark in (b"", b"\xef\xbb\xbf", b"\r\n  "):
        assert values(read_bytes(mark + lines(*rows), "json")) == rows
        assert values(read_bytes(mark + json.dumps(rows).encode(), "json")) == rows


def test_blank_lines_and_carriage_returns_are_no_rows() -> None:
    data = b'\n\r\n{"a": 1}\r\n \t \n\n{"a": 2}'
    assert values(read_bytes(data, "jsonl")) == [{"a": 1}, {"a": 2}]


def test_line_ends_of_unicode_end_no_line() -> None:
    row = {"a": "one\u2028two\u2029three\u0085four\x0bfive"}
    assert values(read_bytes(json.dumps(row, ensure_ascii=False).encode(), "jsonl")) == [row]


@pytest.mark.parametrize(
    ("line", "reason", "evidence"),
    [
        (b'{"a": "Kanarienvogel', "broken-json", "invalid control character at character 20"),
        (b'{"a": Kanarienvogel}', "broken-json", "expecting value at character 6"),
        (b'{"Kanarienvogel": 1} 2', "broken-json", "extra data at character 21"),
        (b'{"a": "Kanarienvogel\\x"}', "broken-json", "invalid \\escape at character 20"),
        (b'{"a": "Kanarienvogel\xe9"}', "not-utf8", "at byte 20 of the line"),
        (b"\xff\xfeK\0a\0n\0", "not-utf8", "at byte 0 of the line"),
        (b'["Kanarienvogel", ' + b"[" * 100_000, "broken-json", "not readable: RecursionError"),
        (b'["Kanarienvogel", ' + b"1" * 5_000 + b"]", "broken-json", "not readable: ValueError"),
    ],
    ids=["unclosed", "bare", "extra", "escape", "latin-1", "utf-16", "deep", "digits"],
)
def test_a_broken_line_is_one_drop_and_the_rest_is_read(
    line: bytes, reason: str, evidence: str
) -> None:
    before, drop, after = read_bytes(lines(1) + line + b"\n" + lines(2), "jsonl")
    assert values([before, after]) == [1, 2]
    assert isinstance(drop, Drop)
    assert (drop.number, drop.reason) == (1, reason)
    assert evidence in drop.evidence
    assert CANARY[:5] not in words_of([drop])


def test_a_file_cut_off_loses_its_last_line_alone() -> None:
    data = lines({"a": "x"}, {"a": CANARY})
    first, last = read_bytes(data[:-8], "jsonl")
    assert values([first]) == [{"a": "x"}]
    assert last[1] == "broken-json"
    assert CANARY[:5] not in words_of([last])


def test_nan_and_lone_surrogates_are_read_as_json_reads_them() -> None:
    (row,) = values(read_bytes(b'{"a": NaN, "b": -Infinity, "c": "\\ud83d"}', "jsonl"))
    assert math.isnan(row.pop("a"))
    assert row == {"b": -math.inf, "c": "\ud83d"}


def test_a_line_that_is_too_long_is_dropped_with_its_length(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(json_lines, "MAX_RECORD_BYTES", 20)
    exact, longer = json.dumps("x" * 18).encode(), json.dumps(CANARY * 5).encode()
    found = read_bytes(b"\n".join([exact, longer, exact, longer]), "jsonl")
    assert values([found[0], found[2]]) == ["x" * 18] * 2
    assert [found[1][1:3], found[3][1:3]] == [
        ("too-long", "the line has 68 bytes"),
        ("too-long", "the line has 67 bytes"),
    ]


# JSON arrays


@io_settings
@given(
    rows=st.lists(any_json, max_size=6),
    indent=st.sampled_from([None, 0, 1]),
    chunk=st.integers(1, 12),
    plain=st.booleans(),
)
@example(
    rows=[1.5, 12, -0.25e-7, 1e22, True, None, "é\U0001f602", {}], indent=1, chunk=1, plain=False
)
@example(rows=[123456, 1e100], indent=None, chunk=3, plain=True)
def test_an_array_is_read_whatever_falls_on_a_windows_edge(
    monkeypatch: pytest.MonkeyPatch, rows: list[Any], indent: int | None, chunk: int, plain: bool
) -> None:
    monkeypatch.setattr(json_array, "_CHUNK", chunk)
    data = json.dumps(rows, indent=indent, ensure_ascii=plain).encode()
    assert values(read_bytes(data, "json")) == rows


@io_settings
@given(number=st.from_regex(r"\A-?(0|[1-9][0-9]{0,5})(\.[0-9]{1,4})?([eE][+-]?[0-9]{1,2})?\Z"))
def test_numbers_of_any_form_are_whole_at_every_edge(
    monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    for chunk in range(1, len(number) + 3):
        monkeypatch.setattr(json_array, "_CHUNK", chunk)
        assert values(read_bytes(f"[{number},{number}]".encode(), "json")) == [float(number)] * 2


def test_a_row_many_windows_long_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_array, "_CHUNK", 5)
    rows = [{"a": "x" * 20_000, "b": [[{"c": ["\u2028"]}]] * 500}, {"a": ""}]
    assert values(read_bytes(json.dumps(rows).encode(), "json")) == rows


@pytest.mark.parametrize("cut", range(1, 40))
def test_an_array_cut_off_is_an_error_that_names_the_row(cut: int) -> None:
    data = b'[{"a": "Kanarienvogel"}, {"a": "Kanarienvogel"}]'
    error = fails(data[:-cut], "json")
    assert "cut off" in str(error)
    assert error.row == data[:-cut].count(b"}")


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    ("data", "row"),
    [
        (b'[{"a": 1}, Kanarienvogel, {"a": 2}]', 1),
        (b'[{"a": 1}, {"a": Kanarienvogel}]', 1),
        (b'[{"a": 1}, "Kanarienvogel\n"]', 1),
        (b"[" * 100_000, 0),
        (b"[1, " + b"1" * 5_000 + b"]", 1),
        (b'[1, 2] [{"a": "Kanarienvogel"}]', 2),
        (b"[1, 2] Kanarienvogel", 2),
        (b"[1.5.5]", 1),
    ],
    ids=["between", "within", "control", "deep", "digits", "second-array", "behind", "number"],
)
def test_garbage_in_an_array_is_an_error_that_names_the_row(
    monkeypatch: pytest.MonkeyPatch, data: bytes, row: int, chunk: int
) -> None:
    monkeypatch.setattr(json_array, "_CHUNK", chunk)
    assert fails(data, "json").row == row


def test_garbage_is_searched_no_further_than_a_row_may_reach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(json_array, "_CHUNK", 8)
    monkeypatch.setattr(json_array, "MAX_RECORD_BYTES", 64)
    assert "a record of more than" in str(fails(b'[1, "' + CANARY.encode() * 50, "json"))


@pytest.mark.parametrize(
    "data",
    [b"\xef\xbb\xbf", b" \n\t ", b'"Kanarienvogel"', b"17", b"Kanarienvogel", b"\xff\xfe[\0"],
)
def test_what_is_neither_an_array_nor_lines_is_an_error(data: bytes) -> None:
    assert "neither a JSON array nor JSON lines" in str(fails(data, "json"))


def test_an_empty_array_has_no_rows() -> None:
    assert read_bytes(b" [ \n ] \n", "json") == []


def test_text_that_is_not_utf8_comes_through_marked_for_a_drop() -> None:
    (row,) = values(read_bytes(b'[{"a": "caf\xe9"}]', "json"))
    assert row == {"a": "caf\udce9"}


@pytest.mark.parametrize("format_", ["json", "jsonl", "csv", "parquet"])
def test_an_empty_file_is_an_error(format_: str) -> None:
    assert "empty" in str(fails(b"", format_))


def test_one_object_alone_is_one_line() -> None:
    assert only(read_bytes(b'{"a": 1}', "json")) == Row(0, {"a": 1})


@pytest.mark.parametrize("text", ["[1 2]", "[1,]", "[,]", "[1,,2]", "[1", "[1,"])
def test_an_array_needs_its_commas_and_no_more(text: str) -> None:
    assert (
        "not JSON" in fails(text.encode(), "json").title
        or "cut off" in fails(text.encode(), "json").title
    )


@pytest.mark.parametrize("piece", [b"[],", b"{},", b"1,"])
def test_a_record_of_too_many_values_is_not_parsed(
    monkeypatch: pytest.MonkeyPatch, piece: bytes
) -> None:
    monkeypatch.setattr(value_count, "MAX_VALUES", 1000)
    good, many = b'{"a": 1}', b'{"a": [' + piece * 1001 + b"1]}"
    first, dropped, last = read_bytes(b"\n".join([good, many, good]), "jsonl")
    assert values([first, last]) == [{"a": 1}] * 2
    assert dropped[1:3] == ("too-long", "the line has more than 4,194,304 values")
    monkeypatch.setattr(json_array, "_CHUNK", 100)
    error = fails(b"[" + b",".join([good, many, good]) + b"]", "json")
    assert (error.row, "values" in error.title) == (1, True)
    # Of long texts and many records nobody complains.
    rows = [{"a": "x, [y] {z} " * 60}, *[{"a": n} for n in range(999)]]
    assert values(read_bytes(json.dumps(rows).encode(), "json")) == rows

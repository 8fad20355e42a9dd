"""Whatever bytes a file holds, reading ends: with rows, with drops, or with a `DataError`."""

from __future__ import annotations

import csv
import io
import json
import signal
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_files import adapt, read_bytes, words_of

from mindcorpus.errors import DataError
from mindcorpus.sources.columns_adapter import Columns
from mindcorpus.sources.readers import Drop, Row

# A letter that stands in all texts, in no message of ours, and in no name of a column.
CANARY = "Ж"
ROWS = [{"q": f"{CANARY} {n}", "a": f'{CANARY}, "said"\r\n{CANARY}'} for n in range(4)]


@pytest.fixture(autouse=True)
def no_hanging() -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise AssertionError("reading does not end")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def as_csv() -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, ["q", "a"])
    writer.writeheader()
    writer.writerows(ROWS)
    return text.getvalue().encode()


def as_parquet() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), buffer, row_group_size=2)
    return buffer.getvalue()


FILES = {
    "json": json.dumps(ROWS, ensure_ascii=False, indent=1).encode(),
    "jsonl": "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS).encode(),
    "csv": as_csv(),
    "parquet": as_parquet(),
}
# What a byte or a piece of a file may be turned into.
pieces = st.binary(max_size=6) | st.sampled_from(
    [
        b"",
        b'"',
        b"\n",
        b"\r",
        b",",
        b"[",
        b"]",
        b"{",
        b"}",
        b"\\",
        b"\0",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
    ]
)
edits = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9), pieces), min_size=1, max_size=4)


def check(data: bytes, format_: str) -> None:
    if not data:
        return
    error: DataError | None = None
    found: list[Row | Drop] = []
    try:
        found = read_bytes(data, format_)
    except DataError as caught:
        error = caught
    assert error is None or CANARY not in words_of(error)
    assert len(found) <= len(data) + 1
    for row in found:
        assert isinstance(row, Row | Drop)
    assert CANARY not in words_of(found)
    if format_ != "parquet":
        outcomes = adapt(Columns(input="q", response="a"), *(row[1] for row in found))
        assert len(outcomes) == len(found)


@pytest.mark.parametrize("format_", ["json", "jsonl", "csv", "parquet"])
@settings(deadline=None, max_examples=150)
@given(data=st.binary(max_size=200), head=st.sampled_from([b"", b"[", b"{", b'q,a\n"', b"PAR1"]))
def test_any_bytes(format_: str, data: bytes, head: bytes) -> None:
    check(head + data, format_)


# Derandomised for Parquet's sake: its files are taken apart in C++, and what this finds there
# should be found every time.
@pytest.mark.parametrize("format_", ["json", "jsonl", "csv", "parquet"])
@settings(deadline=None, max_examples=250, derandomize=True)
@given(changes=edits)
def test_a_good_file_with_some_bytes_changed(
    format_: str, changes: list[tuple[float, int, bytes]]
) -> None:
    data = FILES[format_]
    for place, length, piece in changes:
        at = int(place * len(data))
        data = data[:at] + piece + data[at + length :]
    check(data, format_)


@pytest.mark.parametrize("format_", ["json", "jsonl", "csv", "parquet"])
def test_a_good_file_cut_off_anywhere(format_: str) -> None:
    whole = len(read_bytes(FILES[format_], format_))
    assert whole == len(ROWS)
    for length in range(1, len(FILES[format_])):
        check(FILES[format_][:length], format_)


@pytest.mark.parametrize("format_", ["json", "jsonl", "csv", "parquet"])
def test_a_file_in_the_form_of_another(format_: str) -> None:
    for data in FILES.values():
        check(data, format_)

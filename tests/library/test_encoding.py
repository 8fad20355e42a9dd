from __future__ import annotations

import csv
import io
import json
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mindcorpus.corpus import encoding
from mindcorpus.corpus.encoding import (
    CSV_END,
    CSV_HEADER,
    JSON_END,
    JSON_FIRST,
    JSON_NEXT,
    Frame,
    csv_cell,
    csv_cell_size,
    csv_escaped,
    json_size,
    json_text,
)
from mindcorpus.records import COLUMNS

# What is special in JSON or CSV, line ends beyond \n, and letters of one to four bytes.
SPECIAL = '",\r\n\\/\b\t\x01\x7f\x85\u2028\u2029\ufeffaé€\U0001f602'
texts = st.text(SPECIAL) | st.text(st.characters(exclude_categories=["Cs"], min_codepoint=1))
records = st.tuples(texts, texts, texts, st.lists(texts, max_size=3))


class Encoded:
    """Records of one source and type as the merged files would hold them."""

    def __init__(self, source: str, type_: str, rows: list[Any]) -> None:
        frame = Frame(source, type_)
        self.json, self.csv = b"", CSV_HEADER
        for at, (*three, tags) in enumerate(rows):
            tags_text = orjson.dumps(tags).decode()
            before = JSON_NEXT if at else JSON_FIRST
            written = [[orjson.dumps(text)] for text in three]
            as_json = frame.json_records(before, written, [tags_text])
            sizes = sum(len(text) for (text,) in written)
            assert len(as_json) == frame.json_size(sizes, tags_text)

            cells = [text.encode() for text in three]
            as_csv = frame.csv_records([[csv_escaped(cell)] for cell in cells], [tags_text])
            assert len(as_csv) == frame.csv_size(sum(map(csv_cell_size, cells)), tags_text)
            self.json += as_json
            self.csv += as_csv
        if rows:
            *columns, tags_ = ([row[at] for row in rows] for at in range(4))
            texts_ = [orjson.dumps(each).decode() for each in tags_]
            written_ = [[orjson.dumps(text) for text in column] for column in columns]
            assert self.json == frame.json_records(JSON_FIRST, written_, texts_)
            cells_ = [[csv_escaped(text.encode()) for text in column] for column in columns]
            assert self.csv == CSV_HEADER + frame.csv_records(cells_, texts_)
        self.json += JSON_END


def expected(source: str, type_: str, rows: list[Any]) -> list[dict[str, Any]]:
    return [dict(zip(COLUMNS, (*three, source, type_, tags), strict=True)) for *three, tags in rows]


@settings(deadline=None)
@given(source=texts, type_=texts, rows=st.lists(records, min_size=1, max_size=4))
@example(source="Psych-101", type_='a "type"', rows=[("", "", "", []), ('"', "\r\n", ",", ['"'])])
def test_sizes_are_those_of_the_bytes_and_records_read_back(
    source: str, type_: str, rows: list[Any]
) -> None:
    encoded = Encoded(source, type_, rows)

    assert json.loads(encoded.json) == expected(source, type_, rows)

    table = csv.DictReader(io.StringIO(encoded.csv.decode(), newline=""), strict=True)
    found = [{**row, "tags": json.loads(row["tags"])} for row in table]
    assert tuple(table.fieldnames or ()) == COLUMNS
    assert found == expected(source, type_, rows)


@given(rows=st.lists(records, min_size=1, max_size=4))
def test_the_json_has_one_record_a_line_with_its_keys_in_order(rows: list[Any]) -> None:
    first, *lines, last, end = Encoded("s", "t", rows).json.split(b"\n")
    assert (first, last, end) == (b"[", b"]", b"")
    assert len(lines) == len(rows)
    for line in lines:
        assert list(json.loads(line.removesuffix(b","))) == list(COLUMNS)


@pytest.mark.parametrize("text", ['"' * 3000, "a" * 5000, 'é "\r\n' * 2000], ids=len)
def test_long_texts_too(text: str) -> None:
    rows = [(text, text[::-1], "", ["a"]), ("", text, text, [])]
    assert json.loads(Encoded("s", "t", rows).json) == expected("s", "t", rows)


@given(text=texts, times=st.integers(1, 300))
def test_a_cell_is_as_long_as_it_says_and_reads_back(text: str, times: int) -> None:
    cell = csv_cell((text * times).encode())
    assert csv_cell_size((text * times).encode()) == len(cell)
    reader = csv.reader(io.StringIO((cell + CSV_END).decode(), newline=""), strict=True)
    assert list(reader) == [[text * times]]


def test_the_files_look_like_this() -> None:
    encoded = Encoded("S", "t", [("hi", 'a "b"', "", ["x", "é"])])
    assert encoded.json.decode() == (
        '[\n{"input":"hi","response":"a \\"b\\"","rejected_response":"",'
        '"source":"S","type":"t","tags":["x","é"]}\n]\n'
    )
    assert encoded.csv.decode() == (
        "input,response,rejected_response,source,type,tags\r\n"
        '"hi","a ""b""","","S","t","[""x"",""é""]"\r\n'
    )


@settings(deadline=None)
@given(text=texts, times=st.integers(1, 50))
@example(text=SPECIAL + "\x00\x1f\x0b", times=1)
def test_a_long_text_and_its_size_are_what_orjson_makes_of_it(text: str, times: int) -> None:
    long = text * times
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "_MUCH", 0)
        assert json_text(long) == orjson.dumps(long)
        assert json_size(long, long.encode()) == len(orjson.dumps(long))

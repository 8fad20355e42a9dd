"""CSV and Parquet; JSON is in test_reading.py."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_files import ENOUGH, read, read_bytes, reasons, values, words_of

from mindcorpus.errors import DataError
from mindcorpus.merging.parts import PartJob, build_part
from mindcorpus.sources import readers
from mindcorpus.sources.budgets import Meter
from mindcorpus.sources.columns_adapter import Columns
from mindcorpus.sources.readers import Drop, Shard, csv_table, plan_shards
from mindcorpus.sources.readers import parquet as parquet_reader

CANARY = "Kanarienvogel"
io_settings = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60
)


def fails(data: bytes, format_: str) -> DataError:
    with pytest.raises(DataError) as caught:
        read_bytes(data, format_)
    assert caught.value.file == "file"
    assert caught.value.hint
    assert CANARY[:5] not in words_of(caught.value)
    return caught.value


def unheard(rows: int, size: int) -> None:
    """Take progress for nobody."""


def parquet(table: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


# CSV

special = st.sampled_from('",\r\n aé\u2028\x85\U0001f602\x00')
cells = st.text(special | st.characters(exclude_categories=["Cs"]))


@io_settings
@given(
    table=st.lists(st.tuples(cells, cells), max_size=5),
    end=st.sampled_from(["\n", "\r\n"]),
    bom=st.booleans(),
    every=st.booleans(),
)
def test_a_table_reads_back_exactly(
    table: list[tuple[str, str]], end: str, bom: bool, every: bool
) -> None:
    text = io.StringIO(newline="")
    # Before Python 3.13 the writer leaves a lone CR bare where lines end in LF.
    quoting: Literal[0, 1] = csv.QUOTE_ALL if every or end == "\n" else csv.QUOTE_MINIMAL
    writer = csv.writer(text, lineterminator=end, quoting=quoting)
    writer.writerows([("q", "a"), *table])
    data = text.getvalue().encode("utf-8-sig" if bom else "utf-8")
    assert values(read_bytes(data, "csv")) == [{"q": one, "a": two} for one, two in table]


@pytest.mark.parametrize("word", ["NA", "null", "None", "nan", "NaN", "", "N/A", "1.0", "true"])
def test_words_that_look_like_something_else_are_text(word: str) -> None:
    assert values(read_bytes(f"q,a\n{word},x\n".encode(), "csv")) == [{"q": word, "a": "x"}]


def test_quotes_and_line_ends_within_cells_are_kept() -> None:
    data = b'q,a\r\n"one\r\ntwo\nthree","say ""hi"", then go"\r\n\r\nb,c'
    assert values(read_bytes(data, "csv")) == [
        {"q": "one\r\ntwo\nthree", "a": 'say "hi", then go'},
        {"q": "b", "a": "c"},
    ]


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b'q,a\n1,2\n"Kanarienvogel,x\n3,4\n', 4),
        (b'q,a\n"Kanarienvogel"x,y\n', 2),
        (b'q,a\n1,2\n"Kanarienvogel,x\n"3",4\n', 4),
    ],
    ids=["never-closed", "behind-a-quote", "closed-by-the-next"],
)
def test_a_lost_quotation_mark_is_an_error_that_names_the_line(data: bytes, line: int) -> None:
    error = fails(data, "csv")
    assert f"CSV is broken near line {line}:" in error.title
    assert "a quotation mark may be lost" in error.title
    assert error.row == data.count(b"\n", 0, data.index(b"Kanarienvogel")) - 1


def test_a_row_with_too_many_or_too_few_cells_is_one_drop() -> None:
    data = b"q,a\n1,2\nKanarienvogel\nKanarienvogel,2,3\n4,5\n"
    first, short, long, last = read_bytes(data, "csv")
    assert values([first, last]) == [{"q": "1", "a": "2"}, {"q": "4", "a": "5"}]
    assert short == Drop(1, "wrong-column-count", "1 columns where the header has 2")
    assert long == Drop(2, "wrong-column-count", "3 columns where the header has 2")


def test_a_header_that_stands_again_where_tables_were_joined_is_no_row() -> None:
    rows = read_bytes(b"q,a\n1,2\nq,a\n3,4\na,q\n", "csv")
    assert values([row for row in rows if not isinstance(row, Drop)]) == [
        {"q": "1", "a": "2"},
        {"q": "3", "a": "4"},
        {"q": "a", "a": "q"},
    ]
    assert [row for row in rows if isinstance(row, Drop)] == [
        Drop(1, "header-again", "the row is the header once more")
    ]


def test_nul_bytes_and_bytes_that_are_not_utf8_become_counted_drops(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(b"q,a\nnul \0,x\ncaf\xe9,x\nx,caf\xe9\nright,x\n\xff,\xfe\n")
    assert [row["q"] for row in values(read(path))] == [
        "nul \0",
        "caf\udce9",
        "x",
        "right",
        "\udcff",
    ]

    (shard,) = plan_shards(path, "file.csv", "csv")
    job = PartJob(shard, "own", "own", (), Columns("q", "a"), (), ENOUGH, tmp_path / "part")
    part = build_part(job, unheard)
    assert (part.rows, part.rows_read, part.kept) == (5, 5, 1)
    index = pq.read_table(part.index).to_pylist()
    assert [line["reason"] for line in index] == [
        "nul-character",
        "not-utf8",
        "not-utf8",
        None,
        "not-utf8",
    ]
    assert index[1]["evidence"] == "at character 3"


@pytest.mark.parametrize("data", [b"q,a", b"q,a\r\n", b"\n\nq,a\n\n", b"\xef\xbb\xbfq,a\n", b"\n"])
def test_a_header_alone_has_no_rows(data: bytes) -> None:
    assert read_bytes(data, "csv") == []


def test_two_columns_of_one_name_are_an_error() -> None:
    assert "same name" in fails(b"q,a,q\n1,2,Kanarienvogel\n", "csv").title


def test_a_field_of_10_megabytes_is_read() -> None:
    field = CANARY + "x \n" * 3_500_000
    assert values(read_bytes(f'q,a\n"{field}",y\n'.encode(), "csv")) == [{"q": field, "a": "y"}]


def test_a_field_beyond_the_limit_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_table, "MAX_RECORD_BYTES", 100)
    error = fails(f"q,a\n1,2\n{CANARY * 10},y\n".encode(), "csv")
    assert "line 3: field larger than field limit (100)" in error.title


@pytest.mark.parametrize("piece", [b"x", b"x,", b'x","', b'x"\n"'])
def test_a_row_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch, piece: bytes) -> None:
    monkeypatch.setattr(csv_table, "_CHUNK", 1000)
    for name, limit in (("MAX_RECORD_BYTES", 20_000), ("MAX_VALUES", 2_000)):
        monkeypatch.setattr(csv_table, name, limit)
    # The header is as long as a row may be, and so are others.
    rows = b'"q","a"\n' + b'1,"' + b"y\n" * 5_000 + b'"\n1,2\n' * 3
    error = fails(rows + b'1,"' + piece * 20_000, "csv")
    assert "CSV is broken near line" in error.title
    assert error.row is not None


# Parquet

ROWS = [
    {"q": f"question {n}\u2028", "a": None if n % 7 == 0 else "é" * n, "tags": [str(n)] * (n % 3)}
    for n in range(100)
]


@pytest.mark.parametrize("size", [1, 300, 2_000, 1 << 30])
@pytest.mark.parametrize("group", [1, 9, 100, 1000])
def test_row_groups_are_shards_of_the_same_rows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, size: int, group: int
) -> None:
    monkeypatch.setattr(readers, "SHARD_BYTES", size)
    path = tmp_path / "file.parquet"
    path.write_bytes(parquet(pa.Table.from_pylist(ROWS), row_group_size=group))

    assert values(read(path)) == ROWS
    shards = plan_shards(path, path.name, "parquet")
    groups = -(-len(ROWS) // group)
    assert [shard.start for shard in shards[1:]] == [shard.stop for shard in shards[:-1]]
    assert (shards[0].start, shards[-1].stop) == (0, groups)
    if size == 1:
        assert len(shards) == groups
    if size == 1 << 30:
        assert len(shards) == 1


def test_batches_are_small_where_rows_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_reader, "BATCH_BYTES", 1)
    assert values(read_bytes(parquet(pa.Table.from_pylist(ROWS)), "parquet")) == ROWS


def test_parquet_without_rows_has_none() -> None:
    assert read_bytes(parquet(pa.Table.from_pylist(ROWS).slice(0, 0)), "parquet") == []


def test_parquet_cut_off_anywhere_is_an_error() -> None:
    data = parquet(pa.table({"a": [CANARY] * 5}))
    for length in range(1, len(data)):
        assert "not Parquet, or cut off" in fails(data[:length], "parquet").title


@pytest.mark.parametrize(
    "data", [b"PAR1", b"PAR1PAR1", b"Kanarienvogel", b"q,a\n1,2\n", b"\0" * 99]
)
def test_what_is_not_parquet_is_an_error(data: bytes) -> None:
    assert "not Parquet, or cut off" in fails(data, "parquet").title


def test_damage_within_parquet_is_an_error(tmp_path: Path) -> None:
    data = bytearray(parquet(pa.table({"a": [CANARY * 9] * 999}), compression="zstd"))
    data[10:60] = bytes(50)
    assert "Parquet is damaged" in fails(bytes(data), "parquet").title


def test_values_python_has_not_are_an_error_not_a_crash() -> None:
    days = pa.array([10**9], pa.int32()).cast(pa.date32())
    error = fails(parquet(pa.table({"a": [CANARY], "day": days})), "parquet")
    assert "values that cannot be read" in error.title


def test_two_parquet_columns_of_one_name_are_an_error() -> None:
    table = pa.Table.from_arrays([pa.array(["1"]), pa.array([CANARY])], names=["a", "a"])
    assert "same name" in fails(parquet(table), "parquet").title


def test_a_file_that_may_not_be_read_keeps_the_systems_error(tmp_path: Path) -> None:
    path = tmp_path / "gone.parquet"
    with pytest.raises(DataError, match="cannot be read: no such file"):
        list(readers.read_rows(Shard(path, path.name, "parquet", 0, 1), unheard, Meter(ENOUGH, "")))


def test_no_row_is_lost_between_formats(tmp_path: Path) -> None:
    rows = [{"q": f'{n} "x",\r\n', "a": "NA"} for n in range(50)]
    (tmp_path / "f.parquet").write_bytes(parquet(pa.Table.from_pylist(rows), row_group_size=7))
    with (tmp_path / "f.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["q", "a"])
        writer.writeheader()
        writer.writerows(rows)
    for suffix in ("parquet", "csv"):
        found = read(tmp_path / f"f.{suffix}")
        assert not reasons(found)
        assert values(found) == rows

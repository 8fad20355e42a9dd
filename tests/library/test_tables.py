"""Tables of text as people have them: delimiters, quotes, escapes, marks, and cells like «NA»."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from corpora import read_csv, read_parquet
from files_of_data import ROWS, merge_own, pairs_of, written
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_files import ENOUGH, values

from mindcorpus.errors import CatalogError, DataError
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing.prepare import prepare
from mindcorpus.settings import Settings
from mindcorpus.sources.budgets import Meter
from mindcorpus.sources.file_formats import Reading
from mindcorpus.sources.readers import plan_shards, read_rows
from mindcorpus.sources.readers.prepare import prepare as prepare_file

MARK = "\ufeff"


def table(rows: list[dict[str, str]], **dialect: Any) -> str:
    held = io.StringIO(newline="")
    writer = csv.DictWriter(held, ["question", "answer"], **dialect)
    writer.writeheader()
    writer.writerows(rows)
    return held.getvalue()


def merged(tmp_path: Path, text: str, said: str = "", name: str = "rows.csv") -> list[Any]:
    home = written(tmp_path / "data", {name: text.encode()})
    return pairs_of(merge_own(home, tmp_path / "out", said))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_what_parts_cells_is_seen(tmp_path: Path, delimiter: str) -> None:
    assert merged(tmp_path, table(ROWS, delimiter=delimiter)) == ROWS


def test_a_table_of_a_european_excel_is_read(tmp_path: Path) -> None:
    """Semicolons, and commas within the texts."""
    text = "question;answer\nHow are you, today?;Fine, thanks\nAnd now?;Still, fine\n"
    assert [pair["answer"] for pair in merged(tmp_path, text)] == ["Fine, thanks", "Still, fine"]


def test_a_delimiter_in_the_texts_of_a_usual_table_is_text(tmp_path: Path) -> None:
    rows = [{"question": "a;b|c\td", "answer": "e;f|g\th"}] * 3
    rows = [{**row, "question": f"{row['question']}{at}"} for at, row in enumerate(rows)]
    assert merged(tmp_path, table(rows)) == rows


def test_a_tsv_is_read_by_its_tabs(tmp_path: Path) -> None:
    rows = [{"question": "one, two", "answer": "three, four"}]
    assert merged(tmp_path, table(rows, delimiter="\t"), name="rows.tsv") == rows


def test_delimiter_quote_and_escape_can_be_said(tmp_path: Path) -> None:
    rows = [{"question": "it's ~ so", "answer": 'a "b" \\ c'}]
    dialect = {"delimiter": "~", "quotechar": "'", "escapechar": "\\", "doublequote": False}
    said = 'delimiter = "~"\nquote = "\'"\nescape = \'\\\''
    assert merged(tmp_path, table(rows, **dialect), said) == rows


def test_no_quotes_can_be_said_of_one_file(tmp_path: Path) -> None:
    text = 'question\tanswer\n"Odd\tone\n5" high\tyes\n'
    said = '[[source.files]]\npath = "rows.csv"\nquote = ""\ndelimiter = "\\t"'
    assert merged(tmp_path, text, said) == [
        {"question": '"Odd', "answer": "one"},
        {"question": '5" high', "answer": "yes"},
    ]


@pytest.mark.parametrize("said", ['delimiter = "ab"', 'delimiter = "\\n"', 'encoding = "klingon"'])
def test_what_cannot_be_meant_is_an_error_of_the_catalogue(tmp_path: Path, said: str) -> None:
    with pytest.raises(CatalogError) as caught:
        merged(tmp_path, "question,answer\na,b\n", said)
    assert caught.value.field in ("delimiter", "encoding")


def test_a_header_that_is_missing_is_said_before_rows(tmp_path: Path) -> None:
    text = "\n".join(f'"{"I cannot sleep. " * 20}{at}","Try to rest."' for at in range(3))
    with pytest.raises(DataError, match="the first row holds texts") as caught:
        merged(tmp_path, text)
    assert "Add a row with the columns' names" in caught.value.hint


#: What nothing in the file says.
UNMARKED = ("gb18030", "utf-16-be")
cells = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\ufeff") | st.just("\n"),
    max_size=20,
).map(lambda text: f"x{text}y")


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pairs=st.lists(st.tuples(cells, cells), min_size=2, max_size=8, unique=True),
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "gb18030"]),
    said=st.booleans(),
    end=st.sampled_from(["\r\n", "\n"]),
)
def test_what_python_writes_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    pairs: list[tuple[str, str]],
    delimiter: str,
    encoding: str,
    said: bool,
    end: str,
) -> None:
    folder = tmp_path_factory.mktemp("table")
    rows = [{"question": f"{at}{q}", "answer": a} for at, (q, a) in enumerate(pairs)]
    text = table(rows, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    path = folder / "rows.csv"
    path.write_bytes(text.encode(encoding))
    reading = Reading(encoding=encoding if said or encoding in UNMARKED else "")
    found = prepare_file(path, path.name, reading, ENOUGH, folder / "copy")
    (shard,) = plan_shards(
        folder / "copy" if found.copied else path,
        path.name,
        found.format,
        reading,
        has_marks=found.has_marks,
    )
    read = read_rows(shard, lambda _rows, _size: None, Meter(ENOUGH, path.name))
    assert values(read) == rows


# -- marks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_files_that_were_joined_lose_the_marks_between_them(tmp_path: Path, name: str) -> None:
    first, second = (
        {
            "rows.csv": table(rows),
            "rows.jsonl": "".join(
                f'{{"question": "{r["question"]}", "answer": "b"}}\r\n' for r in rows
            ),
        }[name]
        for rows in (
            [{"question": "eins", "answer": "b"}],
            [{"question": "zwei", "answer": "b"}, {"question": "drei", "answer": "b"}],
        )
    )
    found = merged(tmp_path, MARK + first + MARK + second, name=name)
    assert [pair["question"] for pair in found] == ["eins", "zwei", "drei"]
    assert MARK not in str(found)


def test_lines_that_were_joined_without_a_line_end_are_two(tmp_path: Path) -> None:
    rows = ['{"question": "eins", "answer": "b"}', '{"question": "zwei", "answer": "b"}']
    found = merged(tmp_path, MARK.join(["", *rows]), name="rows.jsonl")
    assert [pair["question"] for pair in found] == ["eins", "zwei"]


def test_a_mark_within_a_text_stays(tmp_path: Path) -> None:
    rows = [
        {"question": f"a{MARK}b", "answer": f"line\n{MARK}line"},
        {"question": "c", "answer": f"d{MARK}"},
    ]
    assert merged(tmp_path, MARK + table(rows, quoting=csv.QUOTE_ALL)) == rows


# -- cells -------------------------------------------------------------------------------------


def test_cells_that_look_like_nothing_are_text_to_the_end(tmp_path: Path) -> None:
    words = ["NA", "N/A", "null", "None", "nan", "#N/A", "-", "NULL", "NaN", "true", "1e5", "007"]
    rows = [{"question": f"Grade {at}?", "answer": word} for at, word in enumerate(words)]
    result = merge_own(
        written(tmp_path / "data", {"c.csv": table(rows).encode()}), tmp_path / "out"
    )
    assert pairs_of(result) == rows
    assert [row["response"] for row in read_csv(result.csv_path)] == words
    assert [row["response"] for row in read_parquet(result.parquet_path)] == words

    prepare(PrepareRequest(format="huggingface"), Settings(data_dir=tmp_path / "out", workers=1))
    saved = tmp_path / "out/mental_health_huggingface"
    import datasets

    loaded = datasets.load_from_disk(str(saved))
    outputs = [text for split in loaded.values() for text in split["output"]]
    assert sorted(outputs) == sorted(words)
    text = (saved / "dataset.csv").read_bytes().decode()
    found = [row["output"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert sorted(found) == sorted(words)

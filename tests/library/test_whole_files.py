"""What a whole file or folder is: shapes of JSON, Arrow, saved datasets, and what is no data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpora import merge_sample
from files_of_data import PACKED, ROWS, lines_of, merge_own, pairs_of, written, zipped

from mindcorpus.errors import DataError, NotFoundError
from mindcorpus.job_requests import MergeRequest, PrepareRequest
from mindcorpus.merging.merge import MergeResult, merge
from mindcorpus.preparing.prepare import prepare
from mindcorpus.settings import Settings


def merged(tmp_path: Path, files: dict[str, bytes], said: str = "") -> list[Any]:
    return pairs_of(merge_own(written(tmp_path / "data", files), tmp_path / "out", said))


def fails(tmp_path: Path, files: dict[str, bytes], said: str = "") -> DataError:
    with pytest.raises(DataError) as caught:
        merged(tmp_path, files, said)
    return caught.value


def merge_entry(tmp_path: Path, home: Path, options: str, said: str = "") -> MergeResult:
    """Merge a source with other options than those of `merge_own`."""
    path = tmp_path / "entry.toml"
    path.write_text(
        f'[[source]]\nname = "Own"\npath = "{home}"\ntype = "talk"\n{said}\n'
        f"[source.options]\n{options}\n"
        '[source.licence]\nid = "MIT"\nterms = "Keep."\ncommercial = "yes"\n'
    )
    request = MergeRequest(catalogs=(str(path),), sources=("Own",))
    return merge(request, Settings(data_dir=tmp_path / "out", workers=1))


# -- JSON --------------------------------------------------------------------------------------

BY_COLUMN = {name: [row[name] for row in ROWS] for name in ("question", "answer")}
BY_INDEX = {
    name: {str(at): row[name] for at, row in enumerate(ROWS)} for name in ("question", "answer")
}
SHAPES = {
    "key": {"data": ROWS},
    "key-and-more": {"info": {"version": 2}, "rows": ROWS, "licence": "MIT", "authors": ["x"]},
    "columns": BY_COLUMN,
    "columns-by-index": BY_INDEX,
    "ids": {f"id{at}": row for at, row in enumerate(ROWS)},
    "array": ROWS,
}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("shape", SHAPES)
def test_rows_are_found_in_any_shape_of_json(
    tmp_path: Path, shape: str, indent: int | None
) -> None:
    text = json.dumps(SHAPES[shape], indent=indent, ensure_ascii=False)
    assert merged(tmp_path, {"rows.json": text.encode()}) == ROWS


def test_an_array_in_a_file_of_lines_is_read_and_lines_in_one_of_an_array(tmp_path: Path) -> None:
    array = json.dumps(ROWS[:2], indent=1, ensure_ascii=False).encode()
    assert merged(tmp_path, {"a.jsonl": array, "b.json": lines_of(ROWS[2:])}) == ROWS


def test_one_object_over_several_lines_is_one_row(tmp_path: Path) -> None:
    text = json.dumps({**ROWS[0], "tags": ["a"]}, indent=2)
    assert merged(tmp_path, {"rows.json": text.encode()}) == ROWS[:1]


def test_a_row_that_holds_a_list_of_messages_is_a_row(tmp_path: Path) -> None:
    """One line of chat looks like rows under a key; the entry names the column."""
    row = {"messages": [{"role": "user", "content": "Hm?"}, {"role": "assistant", "content": "Ja"}]}
    home = written(tmp_path / "data", {"rows.json": json.dumps(row).encode()})
    result = merge_entry(tmp_path, home, 'messages = "messages"', 'adapter = "messages"')
    assert pairs_of(result) == [{"question": "Hm?", "answer": "Ja"}]


def test_of_several_lists_the_entry_says_which(tmp_path: Path) -> None:
    content = json.dumps({"train": ROWS[:2], "test": ROWS[2:]}).encode()
    error = fails(tmp_path, {"rows.json": content})
    assert "several keys hold rows" in error.title
    assert 'rows = "data"' in error.hint
    assert merged(tmp_path, {"rows.json": content}, 'rows = "test"') == ROWS[2:]


def test_a_key_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    content = json.dumps({"data": ROWS}).encode()
    assert "no rows under 'items'" in fails(tmp_path, {"a.json": content}, 'rows = "items"').title


def test_columns_of_different_lengths_are_an_error_that_says_how(tmp_path: Path) -> None:
    content = json.dumps({"question": ["a", "b"], "answer": ["c"]}).encode()
    error = fails(tmp_path, {"rows.json": content})
    assert "columns that are not of one length" in error.title
    assert "JSON lines" in error.hint


@pytest.mark.parametrize("content", [b'{"data": [{"question": "a"', b'{"data": [{"a": 1}]} and'])
def test_an_object_that_is_cut_off_is_an_error(tmp_path: Path, content: bytes) -> None:
    fails(tmp_path, {"rows.json": content})


# -- Arrow -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [pa.ipc.new_file, pa.ipc.new_stream])
@pytest.mark.parametrize("packed", [False, True])
def test_arrow_files_of_both_forms_are_read(tmp_path: Path, form: Any, packed: bool) -> None:
    table = pa.Table.from_pylist(ROWS)
    table = table.set_column(0, "question", table["question"].cast(pa.large_string()))
    table = table.set_column(1, "answer", table["answer"].dictionary_encode())
    held = pa.BufferOutputStream()
    with form(held, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    content = held.getvalue().to_pybytes()
    files = {"a.arrow.gz": PACKED[".gz"](content)} if packed else {"a.arrow": content}
    assert merged(tmp_path, files) == ROWS


@pytest.mark.parametrize("share", [0.1, 0.6, 0.9])
def test_arrow_that_is_cut_off_is_an_error(tmp_path: Path, share: float) -> None:
    table = pa.Table.from_pylist(ROWS * 50)
    held = pa.BufferOutputStream()
    with pa.ipc.new_stream(held, table.schema) as writer:
        writer.write_table(table, max_chunksize=20)
    content = held.getvalue().to_pybytes()
    error = fails(tmp_path, {"a.arrow": content[: int(len(content) * share)]})
    assert "Arrow" in error.title


def stream_of(rows: list[Any]) -> bytes:
    """Write an Arrow stream with a batch for each row."""
    schema, held = pa.Table.from_pylist(rows).schema, pa.BufferOutputStream()
    with pa.ipc.new_stream(held, schema) as writer:
        for row in rows:
            writer.write_batch(pa.RecordBatch.from_pylist([row], schema))
    return bytes(held.getvalue().to_pybytes())


END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"


def test_an_arrow_stream_that_was_never_closed_is_an_error(tmp_path: Path) -> None:
    whole = stream_of(ROWS)
    fewer = stream_of(ROWS[:2]).removesuffix(END_OF_STREAM)
    assert whole.startswith(fewer)
    assert merged(tmp_path / "whole", {"a.arrow": whole}) == ROWS
    error = fails(tmp_path / "cut", {"a.arrow": fewer})
    assert error.title == "Arrow is cut off: the stream has no end"


def test_arrow_streams_that_were_joined_are_an_error(tmp_path: Path) -> None:
    error = fails(tmp_path, {"a.arrow": stream_of(ROWS[:2]) + stream_of(ROWS[2:])})
    assert error.title == "the file goes on behind the end of its stream"


def test_a_saved_dataset_of_which_a_file_is_gone_is_an_error(tmp_path: Path) -> None:
    saved = tmp_path / "data"
    datasets.Dataset.from_list(ROWS).save_to_disk(str(saved), num_shards=2)
    (saved / "data-00001-of-00002.arrow").unlink()
    with pytest.raises(NotFoundError) as caught:
        merge_own(saved, tmp_path / "out")
    assert caught.value.title == "the saved dataset names a file that is not there"
    assert str(caught.value.file).endswith("data-00001-of-00002.arrow")


def test_a_saved_dataset_is_read_and_what_describes_it_is_not(tmp_path: Path) -> None:
    datasets.Dataset.from_list(ROWS).save_to_disk(str(tmp_path / "data"))
    written(tmp_path / "data", {"cache-1234.arrow": b"left over"})
    result = merge_own(tmp_path / "data", tmp_path / "out")

    assert pairs_of(result) == ROWS
    assert {each["path"] for each in result.manifest["sources"][0]["not_read"]} == {
        "cache-1234.arrow",
        "dataset_info.json",
        "state.json",
    }


def test_of_saved_splits_one_is_read(tmp_path: Path) -> None:
    splits = {"train": ROWS[:2], "test": ROWS[2:]}
    saved = {name: datasets.Dataset.from_list(rows) for name, rows in splits.items()}
    datasets.DatasetDict(saved).save_to_disk(str(tmp_path / "data"))

    assert pairs_of(merge_own(tmp_path / "data", tmp_path / "train")) == ROWS[:2]
    result = merge_own(tmp_path / "data", tmp_path / "test", 'split = "test"')
    assert pairs_of(result) == ROWS[2:]
    reasons = [each["reason"] for each in result.manifest["sources"][0]["not_read"]]
    assert "of the split 'train', not 'test'" in reasons
    with pytest.raises(NotFoundError, match="no split 'dev'") as caught:
        merge_own(tmp_path / "data", tmp_path / "dev", 'split = "dev"')
    assert "It has train, test" in caught.value.hint


def test_our_own_hugging_face_folder_is_read(tmp_path: Path) -> None:
    merge_sample(tmp_path / "made")
    prepare(PrepareRequest(format="huggingface"), Settings(data_dir=tmp_path / "made", workers=1))
    home = tmp_path / "made/mental_health_huggingface"
    loaded = datasets.load_from_disk(str(home))["train"]
    result = merge_entry(tmp_path, home, 'input = "input"\nresponse = "output"')
    found = {(pair["question"], pair["answer"]) for pair in pairs_of(result)}
    assert found == {(row["input"], row["output"]) for row in loaded}


# -- folders -----------------------------------------------------------------------------------


def test_what_of_a_folder_is_not_read_is_told_with_the_reason(tmp_path: Path) -> None:
    files = {
        "rows.jsonl": lines_of(ROWS),
        "README.md": b"# Rows",
        "notes.docx": b"PK",
        ".hidden/more.jsonl": lines_of(ROWS),
        "deep/dataset_info.json": b"{}",
    }
    result = merge_own(written(tmp_path / "data", files), tmp_path / "out")

    assert pairs_of(result) == ROWS
    assert result.manifest["sources"][0]["not_read"] == [
        {"path": ".hidden/more.jsonl", "reason": "hidden"},
        {"path": "README.md", "reason": "a README"},
        {"path": "deep/dataset_info.json", "reason": "describes a dataset and holds no rows"},
        {"path": "notes.docx", "reason": "its ending is none that is read"},
    ]
    assert "Own: not read: notes.docx (its ending is none that is read)" in result.notes


def test_of_very_many_files_that_are_not_read_the_first_are_named(tmp_path: Path) -> None:
    files = {f"{at:04}.png": b"" for at in range(500)}
    home = written(tmp_path / "data", {**files, "rows.jsonl": lines_of(ROWS)})
    not_read = merge_own(home, tmp_path / "out").manifest["sources"][0]["not_read"]
    assert len(not_read) == 201
    assert not_read[-1] == {"path": "…", "reason": "300 more files"}


# -- no data -----------------------------------------------------------------------------------

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n"


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.parquet", "rows.csv.gz", "a.zip"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (POINTER, "a Git LFS pointer"),
        (b"<!DOCTYPE html>\n<html><body>404</body>", "a web page"),
        (b"\n <HTML lang='en'>", "a web page"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "a web page"),
        (b"", "is empty"),
        (b"rows.jsonl".ljust(257, b"\0") + b"ustar\x0000", "a tar archive"),
    ],
    ids=["lfs", "html", "html-bare", "xml", "empty", "tar"],
)
def test_what_is_no_data_is_called_by_its_name(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    error = fails(tmp_path, {name: content})
    assert words in error.title
    assert error.advice


@pytest.mark.parametrize("outer", PACKED)
@pytest.mark.parametrize("inner", PACKED)
def test_what_is_packed_twice_is_called_so(tmp_path: Path, outer: str, inner: str) -> None:
    pack = PACKED[outer] if outer != ".zip" else lambda content: zipped(content, "rows.jsonl")
    error = fails(tmp_path, {f"rows.jsonl{outer}": pack(PACKED[inner](lines_of(ROWS)))})
    assert "compressed once more" in error.title
    assert error.advice


def test_a_folder_without_data_says_why_its_files_are_not_read(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        merged(tmp_path, {"rows.tar.gz": b"x"})
    assert "Not read: rows.tar.gz (its ending is none that is read)" in caught.value.hint


def test_a_table_that_is_parquet_is_called_so(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "rows.parquet")
    error = fails(tmp_path, {"rows.csv": (tmp_path / "rows.parquet").read_bytes()})
    assert "Parquet, not csv" in error.title

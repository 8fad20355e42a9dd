"""Inspecting a source: what it is, what it would become, and the entry that names it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from files_of_data import PACKED, ROWS, lines_of, written, zipped

from mindcorpus import Settings, inspect_source, merge_all_datasets
from mindcorpus.compression import ENDINGS
from mindcorpus.errors import (
    AccessDeniedError,
    CatalogError,
    DataError,
    ExistsError,
    NotFoundError,
    SettingsError,
)
from mindcorpus.inspection import beginning, preview
from mindcorpus.inspection.entries import entry_text, write_entry
from mindcorpus.inspection.inspecting import Inspection, TextFacts
from mindcorpus.inspection.licences import licence_beside, licence_said
from mindcorpus.inspection.limits import LOOK_ROWS
from mindcorpus.sources.catalog import Licence, Source, read_entries

if TYPE_CHECKING:
    from hub_server import HubServer

PAIRS: list[dict[str, Any]] = [
    {"question": "Warum schlafe ich nicht? 😔", "answer": "„Ruhe“ hilft – oft."},
    {"question": "", "answer": "To nobody."},
    {"question": "眠れません", "answer": "Écoutez-vous."},
    {"question": "What now?", "answer": None},
]
CHAT = {
    "messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "I can’t sleep."},
        {"role": "assistant", "content": "Since when?"},
        {"role": "user", "content": "Since May."},
        {"role": "assistant", "content": "That is long."},
    ]
}


def lines(path: Path, rows: list[Any]) -> Path:
    """Write rows as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, "utf-8")
    return path


def test_what_a_file_is(tmp_path: Path, settings: Settings) -> None:
    found = inspect_source(str(lines(tmp_path / "my talks.jsonl", PAIRS)), settings=settings)
    (file,) = found.files
    assert (file.path, file.format, file.rows, file.counted) == ("my talks.jsonl", "jsonl", 4, True)
    question, answer = found.columns
    assert (question.name, question.types, question.filled) == ("question", ("text",), 3)
    lengths = sorted(len(str(row["question"])) for row in PAIRS)
    assert question.characters is not None
    assert (question.characters.least, question.characters.most) == (lengths[0], lengths[-1])
    assert question.characters.median == lengths[1]
    assert answer.filled == 3
    assert found.source is not None
    assert (found.source.name, found.source.adapter) == ("my-talks", "columns")


def test_records_are_shown_as_a_merge_makes_them(tmp_path: Path, settings: Settings) -> None:
    path = lines(tmp_path / "talks.jsonl", PAIRS)
    found = inspect_source(str(path), settings=settings, type="counseling")
    assert found.preview is not None
    catalog = tmp_path / "my.toml"
    assert found.source is not None
    write_entry(found.source, found.entry, catalog)
    merged = merge_all_datasets(catalogs=[catalog], sources=["talks"], settings=settings)
    records = json.loads(merged.json_path.read_text("utf-8"))
    assert [
        (one.input, one.response, one.rejected_response, list(one.tags))
        for one in found.preview.records
    ] == [(one["input"], one["response"], one["rejected_response"], one["tags"]) for one in records]
    (source,) = merged.manifest["sources"]
    assert dict(found.preview.dropped) == source["dropped"]
    assert found.preview.examples == {"blank-input": 1, "blank-response": 3}
    assert {one["type"] for one in records} == {"counseling"}
    assert (found.preview.rows, found.preview.kept) == (source["read"], source["kept"])


def test_a_conversation_is_shown_with_its_turns(tmp_path: Path, settings: Settings) -> None:
    found = inspect_source(str(lines(tmp_path / "chat.jsonl", [CHAT])), settings=settings)
    assert found.preview is not None
    (record,) = found.preview.records
    assert record.response == "That is long."
    assert [(turn["role"], turn["content"]) for turn in record.messages] == [
        (turn["role"], turn["content"]) for turn in CHAT["messages"]
    ]
    assert found.columns[0].items is not None
    assert found.columns[0].items.most == 5


@pytest.mark.parametrize("format_", ["json", "jsonl", "csv", "parquet"])
@pytest.mark.parametrize("named", [True, False], ids=["by its ending", "by its content"])
def test_of_a_long_file_the_beginning_is_read(
    tmp_path: Path, settings: Settings, format_: str, *, named: bool
) -> None:
    answer = "Là, dit-on, il n’y a rien. " * 20
    rows = [{"question": f"Où {row}?", "answer": answer} for row in range(20_000)]
    path = tmp_path / (f"long.{format_}" if named else "long.data")
    match format_:
        case "json":
            path.write_text(json.dumps(rows), "utf-8")
        case "jsonl":
            lines(path, rows)
        case "csv":
            cells = "".join(f'{row["question"]},"{row["answer"]}"\n' for row in rows)
            path.write_text("question,answer\n" + cells, "utf-8")
        case _:
            pq.write_table(pa.Table.from_pylist(rows), path)
    found = inspect_source(str(path), settings=settings)
    (file,) = found.files
    assert found.preview is not None
    assert file.rows is not None
    assert LOOK_ROWS <= found.preview.rows <= len(rows)
    # Compressed it is short.
    assert found.preview.whole == (format_ == "parquet")
    assert file.counted == (format_ == "parquet")
    assert abs(file.rows - len(rows)) <= len(rows) // 4
    assert [one.row for one in found.preview.records] == [0, 1, 2, 3, 4]
    catalog = tmp_path / "my.toml"
    assert found.source is not None
    write_entry(found.source, found.entry, catalog)
    merged = merge_all_datasets(catalogs=[catalog], sources=["long"], settings=settings)
    assert merged.statistics["records"] == len(rows)


def test_a_folder_is_its_files(tmp_path: Path, settings: Settings) -> None:
    folder = tmp_path / "talks"
    lines(folder / "a.jsonl", PAIRS)
    lines(folder / "b.jsonl", PAIRS * 3)
    (folder / "LICENSE").write_text("MIT License\n\nCopyright …")
    found = inspect_source(str(folder), settings=settings, name="Talks")
    assert [(file.path, file.rows, file.counted) for file in found.files] == [
        ("a.jsonl", 4, True),
        ("b.jsonl", 12, False),
    ]
    assert (found.licence.licence.id, found.licence.said_by) == ("MIT", "LICENSE")


def test_a_layout_that_nobody_knows_has_columns_and_no_entry(
    tmp_path: Path, settings: Settings
) -> None:
    found = inspect_source(
        str(lines(tmp_path / "odd.jsonl", [{"x": 1, "y": [2]}])), settings=settings
    )
    assert (found.layout, found.preview, found.source, found.entry) == (None, None, None, "")
    assert [(column.name, column.types) for column in found.columns] == [
        ("x", ("number",)),
        ("y", ("list",)),
    ]


def test_what_is_nowhere_is_an_error(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(NotFoundError, match="no such file"):
        inspect_source(str(tmp_path / "none.jsonl"), settings=settings)
    path = str(lines(tmp_path / "a.jsonl", PAIRS))
    with pytest.raises(SettingsError) as caught:
        inspect_source(path, settings=settings, split="test")
    assert caught.value.field == "split"
    with pytest.raises(SettingsError) as caught:
        inspect_source(path, settings=settings, name="no name!")
    assert caught.value.field == "name"
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(DataError, match="empty"):
        inspect_source(str(tmp_path / "empty.jsonl"), settings=settings)


# Licences


@pytest.mark.parametrize(
    ("file", "text", "known"),
    [
        ("LICENSE", "MIT License\n\nPermission is hereby granted, free of charge, …", "MIT"),
        ("LICENSE.md", "Attribution-NonCommercial 4.0 International\n…", "CC-BY-NC-4.0"),
        ("LICENSE", "Attribution 4.0 International", "CC-BY-4.0"),
        ("COPYING", "Apache License\n   Version 2.0, January 2004", "Apache-2.0"),
        ("README.md", "---\nlicense: cc-by-sa-4.0\n---\n# Talks", "CC-BY-SA-4.0"),
        ("README.md", "---\ntags: [a]\nlicense:\n- odc-by\n---\n", "ODC-By-1.0"),
        ("README.md", "---\nlicense: bigscience-bloom-rail-1.0\n---\n", None),
        ("README.md", "# license: mit, somewhere in the text", "LicenseRef-Unknown"),
        ("LICENSE", "All rights reserved.", "LicenseRef-Unknown"),
    ],
)
def test_the_licence_that_lies_beside(
    tmp_path: Path, file: str, text: str, known: str | None
) -> None:
    (tmp_path / file).write_text(text)
    found = licence_beside(tmp_path)
    assert found.licence.id == (known or "LicenseRef-bigscience-bloom-rail-1.0")
    assert found.said_by == ("" if known == "LicenseRef-Unknown" else file)
    commercial = {"MIT": "yes", "CC-BY-NC-4.0": "no", "CC-BY-SA-4.0": "with-conditions"}
    assert known not in commercial or found.licence.commercial == commercial[known]


@pytest.mark.parametrize(
    ("word", "copies", "changes"),
    [
        ("mit", "allowed", "allowed"),
        ("CC-BY-NC-4.0", "allowed", "allowed"),
        ("cc-by-nd-4.0", "allowed", "forbidden"),
        ("cc-by-nc-nd-4.0", "allowed", "forbidden"),
        ("LicenseRef-Mine", "unknown", "unknown"),
        ("", "unknown", "unknown"),
    ],
)
def test_what_a_word_lets_others_have_is_set_down(word: str, copies: str, changes: str) -> None:
    licence = licence_said(word, "hub card").licence
    assert (licence.redistribution, licence.modification) == (copies, changes)


def test_of_an_unknown_licence_no_commercial_use_is_assumed() -> None:
    for word in ("other", "", "unknown", "my own words", "llama3"):
        assert licence_said(word, "hub card").licence.commercial == "unknown"


# Entries


def test_an_entry_says_what_the_source_says() -> None:
    source = Source(
        name="own",
        path='/a "quoted" path/ünï\x7f\t',
        type="talk",
        tags=("ä", 'b"'),
        options={
            "input": "q\\",
            "tag_columns": [{"column": "l", "values": {"1": ["a"], "ö x": ["b"]}, "strict": True}],
        },
        licence=Licence(id="MIT", terms="Keep «it».\nAll of it.", commercial="yes"),
    )
    assert read_entries(entry_text(source), "own") == (source,)


@pytest.fixture
def entry(tmp_path: Path, settings: Settings) -> tuple[Source, str]:
    """A source named `talks`, and its entry."""
    found = inspect_source(str(lines(tmp_path / "talks.jsonl", PAIRS)), settings=settings)
    assert found.source is not None
    return found.source, found.entry


def test_an_entry_is_set_in_beside_others(tmp_path: Path, entry: tuple[Source, str]) -> None:
    source, text = entry
    file = tmp_path / "my.toml"
    write_entry(source, text, file)
    other = source.model_copy(update={"name": "other"})
    comment = "# Mine.\n"
    file.write_text(comment + file.read_text("utf-8"), "utf-8")
    write_entry(other, entry_text(other), file)
    third = source.model_copy(update={"type": "third"})
    with pytest.raises(ExistsError):
        write_entry(third, entry_text(third), file)
    write_entry(third, entry_text(third), file, replace=True)
    assert read_entries(file.read_text("utf-8"), "my") == (third, other)
    assert file.read_text("utf-8").startswith(comment)
    assert file.stat().st_mode & 0o777 == 0o600


def test_no_entry_takes_a_name_of_the_project(tmp_path: Path, entry: tuple[Source, str]) -> None:
    source = entry[0].model_copy(update={"name": "TRACE"})
    with pytest.raises(CatalogError, match="taken"):
        write_entry(source, entry_text(source), tmp_path / "my.toml")
    assert not (tmp_path / "my.toml").exists()


# Elsewhere


def test_a_repository(hub: HubServer, tmp_path: Path, settings: Settings) -> None:
    home = Path(hub.root) / "datasets" / "someone" / "talks"
    lines(home / "data" / "test-00000.jsonl", PAIRS)
    lines(home / "data" / "test-00001.jsonl", PAIRS)
    (home / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n# Talks\n")
    found = inspect_source("someone/talks", settings=settings)
    assert (found.split, found.splits) == ("test", ("test",))
    assert [(file.path, file.rows) for file in found.files] == [
        ("data/test-00000.jsonl", 4),
        ("data/test-00001.jsonl", None),
    ]
    assert (found.licence.licence.id, found.licence.said_by) == ("CC-BY-NC-4.0", "hub card")
    assert found.source is not None
    assert found.source.split == "test"
    # Of what is not looked at nothing is fetched.
    assert not [one for one in hub.requests if "00001" in one["path"]]
    catalog = tmp_path / "my.toml"
    write_entry(found.source, found.entry, catalog)
    merged = merge_all_datasets(catalogs=[catalog], sources=["talks"], settings=settings)
    assert merged.manifest["sources"][0]["read"] == 8


def test_a_split_that_is_not_there(hub: HubServer, settings: Settings) -> None:
    home = Path(hub.root) / "datasets" / "someone" / "talks"
    lines(home / "train.jsonl", PAIRS)
    with pytest.raises(NotFoundError, match="no split 'test'"):
        inspect_source("someone/talks", settings=settings, split="test")
    with pytest.raises(AccessDeniedError, match="there is none of this name"):
        inspect_source("someone/nothing", settings=settings)


@pytest.mark.parametrize("name", ["talks.jsonl", "talks"])
def test_a_file_at_a_url(hub: HubServer, settings: Settings, name: str) -> None:
    home = Path(hub.root) / "datasets" / "someone" / "talks"
    lines(home / name, PAIRS)
    url = f"{hub.url}/datasets/someone/talks/resolve/main/{name}"
    found = inspect_source(url, settings=settings)
    assert found.source is not None
    assert (found.source.name, found.source.url) == ("talks", url)
    assert found.files[0].rows == 4


# Files of all kinds: what is shown is what a merge makes of the entry that is written


def merged_as_shown(found: Inspection, tmp_path: Path, settings: Settings) -> dict[str, Any]:
    """Merge with the entry that was made; hold the records against those that were shown."""
    assert found.source is not None
    assert found.preview is not None
    catalog = tmp_path / "entry" / "my.toml"
    catalog.parent.mkdir(parents=True)
    write_entry(found.source, found.entry, catalog)
    name = found.source.name
    # How many rows may be lost is another matter.
    merged = merge_all_datasets(
        catalogs=[catalog], sources=[name], settings=settings, allow_loss={name: 1.0}
    )
    records = json.loads(merged.json_path.read_bytes())
    assert [(one.input, one.response) for one in found.preview.records] == [
        (one["input"], one["response"]) for one in records[: len(found.preview.records)]
    ]
    source: dict[str, Any] = merged.manifest["sources"][0]
    if found.preview.whole and len(found.files) == 1:
        assert found.files[0].counted
        assert (found.preview.rows, found.preview.kept) == (source["read"], source["kept"])
    return source


@pytest.mark.parametrize("ending", sorted(PACKED))
def test_a_packed_file_is_looked_at_as_its_plain_one(
    tmp_path: Path, settings: Settings, ending: str
) -> None:
    packed = zipped(lines_of(ROWS), "a.jsonl") if ending == ".zip" else None
    content = packed or PACKED[ending](lines_of(ROWS))
    path = written(tmp_path / "in", {f"talks.jsonl{ending}": content}) / f"talks.jsonl{ending}"
    found = inspect_source(str(path), settings=settings)
    (file,) = found.files
    assert (file.format, file.compression) == ("jsonl", ENDINGS[ending])
    assert (file.rows, file.counted, file.bytes) == (len(ROWS), True, len(content))
    assert found.preview is not None
    assert [one.input for one in found.preview.records] == [row["question"] for row in ROWS]
    merged_as_shown(found, tmp_path, settings)


@pytest.mark.parametrize(
    ("name", "encoding", "ending"),
    [
        ("long.csv", "utf-8", ".gz"),
        ("long.csv", "cp1252", ".zip"),
        ("long.csv", "cp1252", ""),
        ("long.json", "utf-8", ".bz2"),
        ("long.json", "utf-8", ".zst"),
        ("long", "utf-16", ".xz"),
        ("long", "utf-16", ""),
    ],
)
def test_of_a_long_packed_file_only_the_beginning_is_unpacked(
    tmp_path: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    ending: str,
    name: str,
    encoding: str,
) -> None:
    # As if it were forty times as long.
    monkeypatch.setattr(beginning, "BEGINNING_BYTES", 5 * 1024 * 1024)
    monkeypatch.setattr(beginning, "SLACK_BYTES", 3 * 1024 * 1024)
    monkeypatch.setattr(preview, "SLACK_BYTES", 3 * 1024 * 1024)
    words = random.Random(7)
    rows = [
        {
            "question": f"Schläft er früh, müde, {row}?",
            "answer": f"„Größer“ – heißt’s für Älteres… {words.randbytes(200).hex()}",
        }
        for row in range(20_000)
    ]
    if name.endswith("csv"):
        cells = "".join(f'{row["question"]};"{row["answer"]}"\n' for row in rows)
        text = "question;answer\n" + cells
    else:
        text = json.dumps(rows, ensure_ascii=False)
    content = text.encode(encoding)
    if ending:
        content = zipped(content, name) if ending == ".zip" else PACKED[ending](content)
    # A name without an ending of data is read by its content.
    path = written(tmp_path / "in", {f"{name}{ending}": content}) / f"{name}{ending}"
    found = inspect_source(str(path), settings=settings)
    (file,) = found.files
    assert file.text is not None
    assert (file.text.encoding, file.text.guessed) == (encoding, encoding == "cp1252")
    assert not file.counted
    assert file.rows is not None
    assert abs(file.rows - len(rows)) <= len(rows) // 4
    assert found.preview is not None
    assert 2_000 <= found.preview.rows < len(rows)
    assert not found.preview.dropped
    assert merged_as_shown(found, tmp_path, settings)["kept"] == len(rows)


def test_a_table_of_windows_with_semicolons(tmp_path: Path, settings: Settings) -> None:
    pairs = [
        ("Schläft er „gut“?", "Nein – seit Mai nicht…"),
        ("Größer; länger", "“Ach,” sagte er"),
        ("Müde?", "Ja, früh müde."),
    ]
    text = "question;answer\n" + "".join(f'"{one}";"{two}"\n' for one, two in pairs)
    path = written(tmp_path / "in", {"talks.csv": text.encode("cp1252")}) / "talks.csv"
    found = inspect_source(str(path), settings=settings)
    assert found.files[0].text == TextFacts(
        "cp1252", guessed=True, confidence=0.9, delimiter=";", header=("question", "answer")
    )
    assert found.source is not None
    assert (found.source.encoding, found.source.delimiter) == ("cp1252", ";")
    assert found.preview is not None
    assert [(one.input, one.response) for one in found.preview.records] == pairs
    merged_as_shown(found, tmp_path, settings)


def test_of_several_files_the_entry_says_nothing_that_one_is(
    tmp_path: Path, settings: Settings
) -> None:
    text = "question;answer\nSchläft er „gut“?;Nein – seit Mai nicht…\nMüde?;Ja, früh müde.\n"
    folder = written(
        tmp_path / "in",
        {"a.csv": text.encode("cp1252"), "b.csv": b"question,answer\nWhy? \xe2\x80\xa6,So.\n"},
    )
    found = inspect_source(str(folder), settings=settings)
    assert found.files[0].text is not None
    assert found.files[0].text.guessed
    assert found.source is not None
    assert (found.source.encoding, found.source.delimiter) == ("", "")
    assert merged_as_shown(found, tmp_path, settings)["kept"] == 3


@pytest.mark.parametrize(
    ("name", "content", "facts"),
    [
        ("t.tsv", b"question\tanswer\nWhy?\tSo, so.\n", ("csv", "\t", "")),
        ("t.json", json.dumps({"version": 1, "data": PAIRS}).encode(), ("json", None, "data")),
        ("t.json", json.dumps({"question": ["a", "b"], "answer": ["c", "d"]}).encode(),
         ("json", None, "")),
        ("t.json", json.dumps({"7": PAIRS[0], "9": PAIRS[2]}).encode(), ("json", None, "")),
        ("t.jsonl", "\ufeff".encode() + lines_of(ROWS), ("jsonl", None, "")),
        ("t.jsonl", lines_of(ROWS).decode().encode("utf-16"), ("jsonl", None, "")),
    ],
    ids=["tsv", "rows under a key", "columns", "rows by id", "mark", "UTF-16"],
)  # fmt: skip
def test_texts_of_other_forms(
    tmp_path: Path,
    settings: Settings,
    name: str,
    content: bytes,
    facts: tuple[str, str | None, str],
) -> None:
    path = written(tmp_path / "in", {name: content}) / name
    found = inspect_source(str(path), settings=settings)
    (file,) = found.files
    assert file.text is not None
    assert (file.format, file.text.delimiter, file.text.rows_under) == facts
    assert found.source is not None
    assert found.source.rows == facts[2]
    merged_as_shown(found, tmp_path, settings)


def test_an_arrow_file_with_any_name(tmp_path: Path, settings: Settings) -> None:
    table = pa.Table.from_pylist(ROWS)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    path = written(tmp_path / "in", {"talks.data": sink.getvalue().to_pybytes()}) / "talks.data"
    found = inspect_source(str(path), settings=settings)
    assert (found.files[0].format, found.files[0].text) == ("arrow", None)
    merged_as_shown(found, tmp_path, settings)


@pytest.mark.parametrize("split", [None, "test"])
def test_a_saved_dataset(tmp_path: Path, settings: Settings, split: str | None) -> None:
    import datasets

    folder = tmp_path / "talks"
    datasets.DatasetDict(
        {
            "train": datasets.Dataset.from_list(ROWS[:2]),
            "test": datasets.Dataset.from_list(ROWS[2:]),
        }
    ).save_to_disk(folder)
    (folder / "notes.txt").write_text("…")
    found = inspect_source(str(folder), settings=settings, split=split)
    assert (found.splits, found.split) == (("train", "test"), split or "train")
    assert found.files[0].format == "arrow"
    not_read = {each.path: each.reason for each in found.not_read}
    assert not_read["notes.txt"] == "its ending is none that is read"
    assert not_read["dataset_dict.json"] == "names the splits of a saved dataset"
    assert f"{found.split}/dataset_info.json" in not_read
    source = merged_as_shown(found, tmp_path, settings)
    # The merge lists the same.
    assert source["not_read"] == [
        {"path": each.path, "reason": each.reason} for each in found.not_read
    ]
    assert source["kept"] == (1 if split else 2)
    with pytest.raises(NotFoundError, match="no split 'more'"):
        inspect_source(str(folder), settings=settings, split="more")


def test_a_repository_with_configurations(
    hub: HubServer, tmp_path: Path, settings: Settings
) -> None:
    card = """---
configs:
- config_name: kind
  data_files: kind/*
- config_name: harsh
  data_files: harsh/*
---
"""
    home = Path(hub.root) / "datasets" / "someone" / "two"
    written(
        home,
        {
            "README.md": card.encode(),
            "kind/train.jsonl": lines_of(ROWS[:2]),
            "harsh/train.csv.gz": PACKED[".gz"](b"question;answer\nWarum?;Darum, sagt er.\n"),
        },
    )
    found = inspect_source("someone/two", settings=settings)
    assert (found.config, found.configurations) == ("kind", ("kind", "harsh"))
    assert found.source is not None
    assert found.source.config == "kind"
    assert merged_as_shown(found, tmp_path / "one", settings)["kept"] == 2
    found = inspect_source("someone/two", settings=settings, config="harsh")
    assert found.source is not None
    assert (found.source.config, found.source.delimiter) == ("harsh", ";")
    assert (found.files[0].format, found.files[0].compression) == ("csv", "gzip")
    assert (
        merged_as_shown(
            found, tmp_path / "two", settings.model_copy(update={"data_dir": tmp_path / "other"})
        )["kept"]
        == 1
    )
    with pytest.raises(NotFoundError, match="no configuration 'none'") as caught:
        inspect_source("someone/two", settings=settings, config="none")
    assert "kind, harsh" in caught.value.hint


def test_what_is_no_data_or_not_sure_is_told(tmp_path: Path, settings: Settings) -> None:
    for content, words in (
        (b"<!DOCTYPE html><p>404", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS pointer"),
        (PACKED[".gz"](lines_of(ROWS))[:-9], "cut off"),
    ):
        name = "talks.jsonl.gz" if content[:1] == b"\x1f" else "talks.jsonl"
        path = written(tmp_path, {name: content}) / name
        with pytest.raises(DataError, match=words):
            inspect_source(str(path), settings=settings)

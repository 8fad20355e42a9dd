"""Inspecting a source: what it is, what it would become, and the entry that names it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mindcorpus import Settings, inspect_source, merge_all_datasets
from mindcorpus.errors import (
    AccessDeniedError,
    CatalogError,
    DataError,
    ExistsError,
    NotFoundError,
    SettingsError,
)
from mindcorpus.inspection.entries import entry_text, write_entry
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
